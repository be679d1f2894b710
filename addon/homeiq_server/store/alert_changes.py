"""What became of alerts, in order.

Whoever writes alerts holds a lock until the transaction ends, and a cursor is given under it: whoever has read up to
one has missed nothing before it, and reads nothing twice.
"""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from asyncpg import Record

from . import deliveries
from .deliveries import AlertChange
from .pool import Conn

type Kind = Literal["opened", "raised", "acknowledged", "unacknowledged", "cleared"]

SEVERITIES: Final = {1: "info", 2: "low", 3: "medium", 4: "high", 5: "critical"}
COLUMNS: Final = """
    a.id, a.cause, a.rule_id, a.kind, a.device_id, a.site_id, a.severity, a.summary, a.details, a.count, a.opened_at,
    a.last_at, a.acknowledged_at, a.acknowledged_by, a.cleared_at, a.cleared_by, a.silenced_until
"""

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('alerts of ' || $1, 0))"
_TELL: Final = """
    INSERT INTO alert_changes (tenant_id, alert_id, change, at, actor)
    SELECT $1, alert_id, change, $4, $5
      FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS c (alert_id, change, place)
     ORDER BY place RETURNING cursor, alert_id
"""
_LAST: Final = "SELECT coalesce(max(cursor), 0) FROM alert_changes WHERE tenant_id = $1"
_AFTER: Final = f"""
    SELECT c.cursor, c.change, c.at, c.actor, {COLUMNS}
      FROM alert_changes c JOIN alerts a ON a.tenant_id = c.tenant_id AND a.id = c.alert_id
     WHERE c.tenant_id = $1 AND c.cursor > $2 ORDER BY c.cursor LIMIT $3
"""
# The newest one stays whatever its age: it tells how far the cursors have come.
_PRUNE: Final = """
    DELETE FROM alert_changes
     WHERE tenant_id = $1 AND at < $2
       AND cursor < (SELECT max(cursor) FROM alert_changes WHERE tenant_id = $1)
"""


async def lock(conn: Conn, tenant_id: str) -> None:
    """Be the only one who writes alerts of the tenant, until the transaction ends; the first thing to do."""
    await conn.execute(_LOCK, tenant_id)


async def tell(conn: Conn, tenant_id: str, alerts: Sequence[tuple[Record, Kind]], *, at: datetime, actor: str) -> None:
    """Note what became of alerts, and have it delivered; each alert comes once.

    Of one that is silenced nothing is delivered but that it was cleared, so that nobody waits for the end of it.

    Args:
        conn: In the transaction that changed them, under the lock.
        tenant_id: The tenant.
        alerts: The rows as they are now, and what was done.
        at: When.
        actor: Who: ``device``, ``rule`` or ``finding`` when nobody did it by hand.
    """
    if not alerts:
        return
    ids, changes = [row["id"] for row, _ in alerts], [change for _, change in alerts]
    rows = await conn.fetch(_TELL, tenant_id, ids, changes, at, actor)
    cursors = {row["alert_id"]: row["cursor"] for row in rows}
    heard = [(row, change) for row, change in alerts if change == "cleared" or not _is_silenced(row, at)]
    await deliveries.enqueue(
        conn, tenant_id, [_to_deliver(tenant_id, row, change, cursors[row["id"]], at) for row, change in heard]
    )


async def last(conn: Conn, tenant_id: str) -> int:
    """Return the cursor of the newest change; 0 before the first."""
    cursor: int = await conn.fetchval(_LAST, tenant_id)
    return cursor


async def after(conn: Conn, tenant_id: str, cursor: int, *, limit: int) -> list[Record]:
    """Return changes behind a cursor, oldest first, with the alerts as they are now."""
    return await conn.fetch(_AFTER, tenant_id, cursor, limit)


async def prune(conn: Conn, tenant_id: str, before: datetime) -> None:
    """Forget the changes before a time, but for the newest one."""
    await conn.execute(_PRUNE, tenant_id, before)


def _is_silenced(row: Record, at: datetime) -> bool:
    return row["silenced_until"] is not None and row["silenced_until"] > at


def _to_deliver(tenant_id: str, row: Record, change: Kind, cursor: int, at: datetime) -> AlertChange:
    payload: dict[str, Any] = msgspec.to_builtins(
        {
            "id": row["id"],
            "tenant_id": tenant_id,
            "change": change,
            "severity": row["severity"],
            "severity_name": SEVERITIES[row["severity"]],
            "summary": row["summary"],
            "kind": row["kind"],
            "device_id": row["device_id"],
            "site_id": row["site_id"],
            "opened_at": row["opened_at"],
            "at": at,
            "details": row["details"],
        }
    )
    return AlertChange(
        cursor=cursor,
        alert_id=row["id"],
        change=change,
        kind=row["kind"],
        severity=row["severity"],
        device_id=row["device_id"],
        site_id=row["site_id"],
        payload=payload,
    )
