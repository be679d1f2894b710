"""What a person does about an alert. Doing it twice is once; of one that is cleared nothing changes any more."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from datetime import datetime
from typing import Final

from asyncpg import Record

from . import alert_changes, alert_pages
from .alert_changes import COLUMNS, Kind
from .pool import Conn

_DO: Final = f"""
    UPDATE alerts a SET {{}} WHERE tenant_id = $1 AND id = $2 AND cleared_at IS NULL AND {{}} RETURNING {COLUMNS}
"""
_ACKNOWLEDGE: Final = _DO.format("acknowledged_at = $3, acknowledged_by = $4", "acknowledged_at IS NULL")
_UNACKNOWLEDGE: Final = _DO.format(
    "acknowledged_at = NULL, acknowledged_by = NULL",
    "acknowledged_at IS NOT NULL AND $3::timestamptz IS NOT NULL AND $4::text IS NOT NULL",
)
_CLEAR: Final = _DO.format("cleared_at = $3, cleared_by = $4", "true")
_SILENCE: Final = "UPDATE alerts SET silenced_until = $3 WHERE tenant_id = $1 AND id = $2 AND cleared_at IS NULL"


async def acknowledge(conn: Conn, tenant_id: str, alert_id: int, *, at: datetime, actor: str) -> Record | None:
    """Note that an alert was seen; it stays until its cause is gone, and no second one opens meanwhile.

    Returns:
        The alert as it is then; None when there is none, of all functions here.
    """
    return await _do(conn, tenant_id, alert_id, _ACKNOWLEDGE, "acknowledged", at, actor)


async def unacknowledge(conn: Conn, tenant_id: str, alert_id: int, *, at: datetime, actor: str) -> Record | None:
    """Take that back."""
    return await _do(conn, tenant_id, alert_id, _UNACKNOWLEDGE, "unacknowledged", at, actor)


async def clear(conn: Conn, tenant_id: str, alert_id: int, *, at: datetime, actor: str) -> Record | None:
    """Clear an alert by hand; another one opens when its cause has ended and begun again."""
    return await _do(conn, tenant_id, alert_id, _CLEAR, "cleared", at, actor)


async def silence(conn: Conn, tenant_id: str, alert_id: int, until: datetime | None) -> Record | None:
    """Deliver nothing of an alert, nor of the next ones of its cause, until a time; None ends that."""
    await alert_changes.lock(conn, tenant_id)
    await conn.execute(_SILENCE, tenant_id, alert_id, until)
    return await alert_pages.one(conn, tenant_id, alert_id)


async def _do(  # noqa: PLR0913, PLR0917 - whose, which, what, when and who
    conn: Conn, tenant_id: str, alert_id: int, statement: str, change: Kind, at: datetime, actor: str
) -> Record | None:
    await alert_changes.lock(conn, tenant_id)
    if row := await conn.fetchrow(statement, tenant_id, alert_id, at, actor):
        await alert_changes.tell(conn, tenant_id, [(row, change)], at=at, actor=actor)
        return row
    return await alert_pages.one(conn, tenant_id, alert_id)
