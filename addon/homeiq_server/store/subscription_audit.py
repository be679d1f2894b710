"""What became of subscriptions, and who did it: one row for each change, in the transaction of the change."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from asyncpg import Record

from .pool import Conn

_STATE: Final = (
    "kind",
    "status",
    "device_limit",
    "term_start",
    "term_end",
    "grace_days",
    "plan",
    "description",
    "version",
)
_NOTE: Final = """
    INSERT INTO subscription_audit (tenant_id, subscription_id, event, actor, before, after, details)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_PAGE: Final = """
    SELECT id, event, at, actor, before, after, details FROM subscription_audit
     WHERE tenant_id = $1 AND subscription_id = $2 AND ($3::bigint IS NULL OR id < $3) ORDER BY id DESC LIMIT $4
"""


def state_of(row: Record) -> dict[str, Any]:
    """Return what an audit keeps of a subscription."""
    return {name: row[name] for name in _STATE}


async def note(  # noqa: PLR0913 - what an audit consists of
    conn: Conn,
    tenant_id: str,
    subscription_id: UUID,
    event: str,
    *,
    actor: str,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Keep what was done, how it was before and how it is after."""
    await conn.execute(_NOTE, tenant_id, subscription_id, event, actor, before, after, dict(details or {}))


async def page(conn: Conn, tenant_id: str, subscription_id: UUID, before: int | None, *, limit: int) -> list[Record]:
    """Return what became of a subscription, newest first, behind the row with the id ``before``."""
    return await conn.fetch(_PAGE, tenant_id, subscription_id, before, limit)
