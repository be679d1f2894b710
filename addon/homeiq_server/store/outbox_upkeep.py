"""What the outbox is kept in order by: giving up what is too old, forgetting what is over, counting what waits."""

from datetime import timedelta
from typing import Final

from msgspec import Struct

from .pool import Conn

_GIVE_UP: Final = """
    WITH given_up AS (
        UPDATE deliveries
           SET state = 'DEAD', finished_at = now(), claimed_until = NULL,
               last_error = concat_ws(': ', 'given up', coalesce(last_error, 'there was no attempt in time'))
         WHERE state = 'PENDING' AND created_at < now() - $1::interval
        RETURNING 1
    )
    SELECT count(*) FROM given_up
"""
_OVER: Final = """
    (state IN ('DELIVERED', 'DISCARDED') AND finished_at < now() - interval '30 days'
     OR state = 'DEAD' AND finished_at < now() - interval '90 days')
"""
_OVER_OF: Final = f"SELECT DISTINCT tenant_id FROM deliveries WHERE {_OVER} LIMIT 1000"  # noqa: S608 - of a constant
_PRUNE: Final = f"""
    DELETE FROM deliveries
     WHERE tenant_id = $1 AND id IN (SELECT id FROM deliveries WHERE tenant_id = $1 AND {_OVER} LIMIT 5000)
"""  # noqa: S608 - of a constant
_COUNT: Final = """
    SELECT (SELECT count(*) FROM deliveries WHERE state IN ('PENDING', 'SENDING')) AS pending,
           (SELECT count(*) FROM deliveries WHERE state = 'DEAD' AND finished_at > now() - interval '1 day') AS dead
"""


class Counted(Struct, frozen=True, kw_only=True):
    """How many deliveries of all tenants wait, and how many died in the last day."""

    pending: int
    dead: int


async def give_up(conn: Conn, most_age: timedelta) -> int:
    """Let all that wait for longer be dead, those of paused routes and of a Home Assistant that is away among them.

    Args:
        conn: A worker's.
        most_age: Since they were put into the outbox.

    Returns:
        How many those are.
    """
    number: int = await conn.fetchval(_GIVE_UP, most_age)
    return number


async def tenants_to_prune(conn: Conn) -> list[str]:
    """Return who has deliveries that are over for long, by a worker's connection."""
    return [row["tenant_id"] for row in await conn.fetch(_OVER_OF)]


async def prune(conn: Conn, tenant_id: str) -> None:
    """Forget some of them: delivered and discarded ones after 30 days, dead ones after 90."""
    await conn.execute(_PRUNE, tenant_id)


async def count(conn: Conn) -> Counted:
    """Count, by a worker's connection."""
    row = await conn.fetchrow(_COUNT)
    assert row is not None  # noqa: S101 - it has no FROM
    return Counted(**dict(row))
