"""Places of subscriptions: there are never too many devices.

The usable subscriptions are locked first, always in the same order; then places are counted from the rows of devices,
in the statement that takes them. There is no stored count that could drift, and whoever comes second sees what the
first one did.
"""

from typing import Final, Literal
from uuid import UUID

from msgspec import Struct

from homeiq_server.errors import NotFound

from .pool import Conn

type Refusal = Literal["NO_SUBSCRIPTION_CAPACITY", "SUBSCRIPTION_SUSPENDED", "SUBSCRIPTION_EXPIRED"]

_LOCK: Final = """
    SELECT id, status FROM subscriptions
     WHERE tenant_id = $1 AND status IN ('TRIAL', 'ACTIVE', 'GRACE') AND ($2::uuid IS NULL OR id = $2)
     ORDER BY kind <> 'MAIN', created_at, id
       FOR UPDATE
"""
_STATUSES: Final = "SELECT DISTINCT status FROM subscriptions WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id = $2)"

FREE: Final = """
    SELECT s.id, locked.n,
           CASE WHEN s.device_limit IS NULL THEN 1000000000
                ELSE greatest(0, s.device_limit - (
                     SELECT count(*) FROM ingest_devices d
                      WHERE d.tenant_id = $1 AND d.subscription_id = s.id AND d.status IN ('PENDING', 'ACTIVE')))
           END AS places
      FROM unnest($2::uuid[]) WITH ORDINALITY AS locked (id, n)
           JOIN subscriptions s ON s.tenant_id = $1 AND s.id = locked.id
"""
"""How many places each of the locked subscriptions ($2) of the tenant ($1) has left; no limit is a thousand million."""


class Places(Struct, frozen=True):
    """Subscriptions that are locked until the transaction ends.

    Attributes:
        statuses: By id, in the order in which their places are given.
    """

    statuses: dict[UUID, str]


async def lock(conn: Conn, tenant_id: str, subscription_id: UUID | None = None) -> Places:
    """Lock the usable subscriptions, or the one that is named if it is usable; the main one's places go first."""
    rows = await conn.fetch(_LOCK, tenant_id, subscription_id)
    return Places({row["id"]: row["status"] for row in rows})


async def why_none(conn: Conn, tenant_id: str, places: Places, subscription_id: UUID | None = None) -> Refusal:
    """Return why somebody who asked for a place of ``places`` got none.

    Raises:
        NotFound: The subscription that was named is not there.
    """
    if places.statuses:
        return "NO_SUBSCRIPTION_CAPACITY"
    statuses = {row["status"] for row in await conn.fetch(_STATUSES, tenant_id, subscription_id)}
    if subscription_id is not None and not statuses:
        raise NotFound("subscription_id: there is no such subscription")
    if "SUSPENDED" in statuses:
        return "SUBSCRIPTION_SUSPENDED"
    return "SUBSCRIPTION_EXPIRED" if "EXPIRED" in statuses else "NO_SUBSCRIPTION_CAPACITY"
