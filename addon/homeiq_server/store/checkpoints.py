"""What the insights remember, as bytes that only they can read."""

from collections.abc import AsyncIterator, Collection, Iterable
from itertools import batched
from typing import Final

from .pool import Conn

_CHUNK: Final = 2_000  # rows of a few hundred bytes, so that no statement grows with the home

_SAVE: Final = """
    INSERT INTO insight_state AS s (tenant_id, source, key, state, saved_at)
    SELECT $1, $2, given.key, given.state, now() FROM unnest($3::text[], $4::bytea[]) AS given (key, state)
    ON CONFLICT (tenant_id, source, key) DO UPDATE SET state = excluded.state, saved_at = excluded.saved_at
     WHERE s.state <> excluded.state
"""
_LOAD: Final = "SELECT source, key, state FROM insight_state WHERE tenant_id = $1 ORDER BY source, key"
_DROP: Final = "DELETE FROM insight_state WHERE tenant_id = $1 AND source = $2 AND key = ANY($3::text[])"


async def save(conn: Conn, tenant_id: str, source: str, states: Iterable[tuple[str, bytes]]) -> int:
    """Keep states by key; return how many. They are taken as they come, so that not all need be in memory."""
    saved = 0
    for chunk in batched(states, _CHUNK, strict=False):
        rows = dict(chunk)  # the later one, should a key come twice: a statement may touch a row once
        await conn.execute(_SAVE, tenant_id, source, list(rows), list(rows.values()))
        saved += len(rows)
    return saved


async def load(conn: Conn, tenant_id: str) -> AsyncIterator[tuple[str, str, bytes]]:
    """Yield source, key and state of all that is kept, without having all in memory."""
    async for row in conn.cursor(_LOAD, tenant_id, prefetch=_CHUNK):
        yield row["source"], row["key"], row["state"]


async def drop(conn: Conn, tenant_id: str, source: str, keys: Collection[str]) -> None:
    """Forget states by key."""
    await conn.execute(_DROP, tenant_id, source, list(keys))
