"""What the hourly look at the terms of all tenants' subscriptions reads and writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from .pool import Conn

# The worker may read subscriptions of all tenants; it changes them as the tenant, one transaction for each.
_CONCERNED: Final = """
    SELECT DISTINCT s.tenant_id FROM subscriptions s JOIN tenants t ON t.tenant_id = s.tenant_id
     WHERE s.status IN ('TRIAL', 'ACTIVE', 'GRACE') AND s.term_end <= $1 AND t.status <> 'DELETED'
     ORDER BY s.tenant_id
"""
_LOCK: Final = """
    SELECT * FROM subscriptions
     WHERE tenant_id = $1 AND status IN ('TRIAL', 'ACTIVE', 'GRACE') AND term_end <= $2
     ORDER BY kind <> 'MAIN', created_at, id FOR UPDATE
"""
_REMINDED: Final = """
    INSERT INTO subscription_reminders (tenant_id, subscription_id, term_end, days, at)
    SELECT $1, $2, $3, days, $5 FROM unnest($4::int[]) AS days
    ON CONFLICT DO NOTHING RETURNING days
"""
_FORGET_KEYS: Final = "DELETE FROM idempotency_keys WHERE created_at < $1"


async def concerned(conn: Conn, before: datetime) -> list[str]:
    """Return the tenants with subscriptions that run and end before a time; as a worker."""
    return [row["tenant_id"] for row in await conn.fetch(_CONCERNED, before)]


async def lock(conn: Conn, tenant_id: str, before: datetime) -> list[Record]:
    """Return a tenant's subscriptions that run and end before a time, locked."""
    return await conn.fetch(_LOCK, tenant_id, before)


async def remind(  # noqa: PLR0913 - whose, which, what end, which ones, when
    conn: Conn, tenant_id: str, subscription_id: UUID, term_end: datetime, days: Sequence[int], *, at: datetime
) -> set[int]:
    """Note that reminders of an end are given; returns those that were not yet."""
    rows = await conn.fetch(_REMINDED, tenant_id, subscription_id, term_end, list(days), at)
    return {row["days"] for row in rows}


async def forget_keys(conn: Conn, before: datetime) -> None:
    """Forget the requests with a key that were made before a time, of all tenants; as a worker."""
    await conn.execute(_FORGET_KEYS, before)
