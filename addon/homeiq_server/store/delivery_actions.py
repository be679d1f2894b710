"""What a person sees of deliveries, and does about them."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from .pool import Conn

# What Home Assistant fetches is due when it asks, which is no time.
_COLUMNS: Final = """
    id, route_id, integration_id, alert_id, change, state, attempts, last_status, last_error, created_at, finished_at,
    CASE WHEN state IN ('PENDING', 'SENDING') AND isfinite(next_at) THEN next_at END AS next_at, payload
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM deliveries WHERE tenant_id = $1 AND id = $2"
_ATTEMPTS: Final = """
    SELECT number, at, ok, status, duration_s, error FROM delivery_attempts
     WHERE tenant_id = $1 AND delivery_id = $2 ORDER BY number DESC LIMIT 100
"""
# Its age begins anew, or it would be given up at once; so do the pauses between attempts.
_REPLAY: Final = """
    WITH replayed AS (
        UPDATE deliveries d
           SET state = 'PENDING', attempts = 0, created_at = now(), finished_at = NULL,
               next_at = CASE WHEN i.kind = 'home_assistant' THEN 'infinity'
                              ELSE greatest(now(), (SELECT r.paused_until FROM alert_routes r
                                                     WHERE r.tenant_id = d.tenant_id AND r.id = d.route_id)) END
          FROM integrations i
         WHERE d.tenant_id = $1 AND d.state = 'DEAD' AND (d.id = ANY($2::bigint[]) OR d.route_id = $3::uuid)
           AND i.tenant_id = d.tenant_id AND i.id = d.integration_id
        RETURNING 1
    )
    SELECT count(*) FROM replayed
"""
_DISCARD: Final = """
    WITH discarded AS (
        UPDATE deliveries SET state = 'DISCARDED', finished_at = now(), claimed_until = NULL
         WHERE tenant_id = $1 AND state IN ('PENDING', 'DEAD') AND (id = ANY($2::bigint[]) OR route_id = $3::uuid)
        RETURNING 1
    )
    SELECT count(*) FROM discarded
"""
_TELL: Final = "SELECT pg_notify('homeiq', 'deliveries ' || $1)"


class Wanted(Struct, frozen=True, kw_only=True):
    """Which deliveries to list; None: whatever they are.

    Attributes:
        before: The moment of creation and the id of the last one that was shown.
    """

    state: str | None = None
    route_id: UUID | None = None
    alert_id: int | None = None
    before: tuple[datetime, int] | None = None


class Attempted(Struct, frozen=True, kw_only=True):
    """An attempt as it was noted."""

    number: int
    at: datetime
    ok: bool
    status: int | None
    duration_s: float
    error: str | None


class Kept(Struct, frozen=True, kw_only=True):
    """A delivery as it is kept.

    Attributes:
        attempts: Since it was put into the outbox, or replayed.
        created_at: When that was.
        next_at: None when it is not to be sent, or when it is fetched.
    """

    id: int
    route_id: UUID | None
    integration_id: UUID
    alert_id: int | None
    change: str
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    next_at: datetime | None
    payload: dict[str, Any]


async def page(conn: Conn, tenant_id: str, wanted: Wanted, *, limit: int) -> list[Kept]:
    """Return deliveries, newest first."""
    values: list[object] = [tenant_id]

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = ["tenant_id = $1"]
    if wanted.state is not None:
        conditions.append(f"state = {value(wanted.state)}")
    if wanted.route_id is not None:
        conditions.append(f"route_id = {value(wanted.route_id)}")
    if wanted.alert_id is not None:
        conditions.append(f"alert_id = {value(wanted.alert_id)}")
    if wanted.before is not None:
        created_at, delivery_id = wanted.before
        conditions.append(f"(created_at, id) < ({value(created_at)}::timestamptz, {value(delivery_id)}::bigint)")
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM deliveries WHERE {' AND '.join(conditions)}"
        f" ORDER BY created_at DESC, id DESC LIMIT {value(limit)}",
        *values,
    )
    return [_kept(row) for row in rows]


async def one(conn: Conn, tenant_id: str, delivery_id: int) -> Kept | None:
    """Return a delivery, None when there is none."""
    row = await conn.fetchrow(_ONE, tenant_id, delivery_id)
    return None if row is None else _kept(row)


async def attempts(conn: Conn, tenant_id: str, delivery_id: int) -> list[Attempted]:
    """Return the last attempts of a delivery, newest first."""
    return [Attempted(**dict(row)) for row in await conn.fetch(_ATTEMPTS, tenant_id, delivery_id)]


async def replay(conn: Conn, tenant_id: str, ids: Sequence[int], route_id: UUID | None) -> int:
    """Have dead deliveries sent again: those with an id, and those of the route. Return how many those are."""
    number: int = await conn.fetchval(_REPLAY, tenant_id, ids, route_id)
    if number:
        await conn.execute(_TELL, tenant_id)
    return number


async def discard(conn: Conn, tenant_id: str, ids: Sequence[int], route_id: UUID | None) -> int:
    """Give up deliveries that wait or are dead, found as ``replay`` finds them. Return how many those are."""
    number: int = await conn.fetchval(_DISCARD, tenant_id, ids, route_id)
    return number


def _kept(row: Record) -> Kept:
    return Kept(**dict(row))
