"""What a person does about findings: mute them, or tell that they were seen. Doing it twice is once."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from datetime import UTC, datetime
from typing import Final

from asyncpg import Record

from . import finding_changes, findings
from .moments import moment
from .pool import Conn

# A mute is about a subject and a kind, which an older finding may stand for: then the one that is open is told of.
_TELL_MUTE: Final = """
    INSERT INTO finding_changes (tenant_id, finding_id, change, at)
    SELECT $1, coalesce(o.id, $2), {}, now()
      FROM m LEFT JOIN findings o ON o.tenant_id = $1 AND o.source = m.source AND o.kind = m.kind
                                 AND o.subject = m.subject AND o.resolved_at IS NULL
"""
_MUTE: Final = f"""
    WITH m AS (
        INSERT INTO mutes AS m (tenant_id, source, kind, subject, until, muted_at)
        SELECT $1, f.source, f.kind, f.subject, $3, now() FROM findings f WHERE f.tenant_id = $1 AND f.id = $2
        ON CONFLICT (tenant_id, source, kind, subject) DO UPDATE
           SET until = excluded.until, muted_at = excluded.muted_at
         WHERE m.until IS DISTINCT FROM excluded.until
        RETURNING source, kind, subject
    ) {_TELL_MUTE.format("'muted'")}
"""
_UNMUTE: Final = f"""
    WITH m AS (
        DELETE FROM mutes m USING findings f
         WHERE f.tenant_id = $1 AND f.id = $2
           AND m.tenant_id = $1 AND m.source = f.source AND m.kind = f.kind AND m.subject = f.subject
        RETURNING m.source, m.kind, m.subject
    ) {_TELL_MUTE.format("'unmuted'")}
"""
_ACKNOWLEDGE: Final = """
    WITH changed AS (
        UPDATE findings SET acknowledged_at = now(), changed_at = now()
         WHERE tenant_id = $1 AND id = $2 AND resolved_at IS NULL AND acknowledged_at IS NULL RETURNING id
    )
    INSERT INTO finding_changes (tenant_id, finding_id, change, at) SELECT $1, id, 'acknowledged', now() FROM changed
"""
_UNACKNOWLEDGE: Final = """
    WITH changed AS (
        UPDATE findings SET acknowledged_at = NULL, changed_at = now()
         WHERE tenant_id = $1 AND id = $2 AND resolved_at IS NULL AND acknowledged_at IS NOT NULL RETURNING id
    )
    INSERT INTO finding_changes (tenant_id, finding_id, change, at) SELECT $1, id, 'unacknowledged', now() FROM changed
"""


async def mute(conn: Conn, tenant_id: str, finding: str, until_us: int | None) -> Record | None:
    """Silence the finding's kind for its subject until a time, None: for ever; a time that is over unmutes.

    Returns:
        The finding as it is then; None when there is none, of all functions here.
    """
    until = None if until_us is None else moment(until_us)
    if until is not None and until <= datetime.now(UTC):
        return await unmute(conn, tenant_id, finding)
    return await _do(conn, tenant_id, finding, _MUTE, until)


async def unmute(conn: Conn, tenant_id: str, finding: str) -> Record | None:
    """Let the finding's kind be heard again for its subject."""
    return await _do(conn, tenant_id, finding, _UNMUTE)


async def acknowledge(conn: Conn, tenant_id: str, finding: str) -> Record | None:
    """Note that the finding was seen; it stays open until its cause is gone."""
    return await _do(conn, tenant_id, finding, _ACKNOWLEDGE)


async def unacknowledge(conn: Conn, tenant_id: str, finding: str) -> Record | None:
    """Take that back."""
    return await _do(conn, tenant_id, finding, _UNACKNOWLEDGE)


async def _do(conn: Conn, tenant_id: str, finding: str, statement: str, *values: object) -> Record | None:
    await finding_changes.lock(conn, tenant_id)
    if (found := await findings.one(conn, tenant_id, finding)) is None:
        return None
    await conn.execute(statement, tenant_id, found["id"], *values)
    return await findings.one(conn, tenant_id, finding)
