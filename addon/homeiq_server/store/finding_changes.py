"""What became of findings, in order.

A cursor is given under a lock that is held until the transaction ends: whoever has read up to one has missed nothing
before it, however many write at the same time.
"""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from typing import Final

from asyncpg import Record

from .finding_sql import COLUMNS, JOINS
from .moments import moment
from .pool import Conn

# A plan that is made for any number of conditions would compare each with each.
_LOCK: Final = """
    SELECT pg_advisory_xact_lock(hashtextextended('findings of ' || $1, 0)),
           set_config('plan_cache_mode', 'force_custom_plan', true)
"""
_LAST: Final = "SELECT coalesce(max(cursor), 0) FROM finding_changes WHERE tenant_id = $1"
_AFTER: Final = f"""
    SELECT c.cursor, c.change, c.at, {COLUMNS}
      FROM finding_changes c JOIN findings f ON f.tenant_id = c.tenant_id AND f.id = c.finding_id {JOINS}
     WHERE c.tenant_id = $1 AND c.cursor > $2 ORDER BY c.cursor LIMIT $3
"""
# The newest one stays whatever its age: it tells how far the cursors have come.
_PRUNE: Final = """
    DELETE FROM finding_changes
     WHERE tenant_id = $1 AND at < $2
       AND cursor < (SELECT max(cursor) FROM finding_changes WHERE tenant_id = $1)
"""


async def lock(conn: Conn, tenant_id: str) -> None:
    """Be the only one who changes findings of the tenant, until the transaction ends."""
    await conn.execute(_LOCK, tenant_id)


async def last(conn: Conn, tenant_id: str) -> int:
    """Return the cursor of the newest change; 0 before the first."""
    cursor: int = await conn.fetchval(_LAST, tenant_id)
    return cursor


async def after(conn: Conn, tenant_id: str, cursor: int, *, limit: int) -> list[Record]:
    """Return changes behind a cursor, oldest first, with the findings as they are now."""
    return await conn.fetch(_AFTER, tenant_id, cursor, limit)


async def prune(conn: Conn, tenant_id: str, before_us: int) -> None:
    """Forget the changes before a time, but for the newest one."""
    await conn.execute(_PRUNE, tenant_id, moment(before_us))
