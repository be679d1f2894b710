"""Refused messages of one tenant, as he looks at them and deals with them."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from asyncpg import Record
from msgspec import Struct

from .pool import Conn

_COLUMNS: Final = """
    id, received_at, transport, topic, device_id, reason, detail, size, authenticated, state, attempts,
    octet_length(payload) AS stored
"""
_ONE: Final = f"SELECT {_COLUMNS}, payload FROM quarantine WHERE tenant_id = $1 AND id = $2"
_SUMMARY: Final = """
    SELECT reason, count(*) AS messages, count(DISTINCT device_id) AS devices, min(received_at) AS oldest_at,
           max(received_at) AS newest_at
      FROM quarantine WHERE tenant_id = $1 AND state = 'new' GROUP BY reason ORDER BY messages DESC, reason
"""
# Held until the transaction ends. The rows themselves are not locked: that would make the quarantine wait for the
# replay, and the replay for the quarantine.
_BEGIN: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('replay of ' || $1, 0))"
_OLDEST: Final = """
    SELECT id FROM quarantine WHERE tenant_id = $1 AND reason = $2 AND state = 'new'
     ORDER BY received_at, id LIMIT $3
"""
_CHOSEN: Final = f"SELECT {_COLUMNS}, payload FROM quarantine WHERE tenant_id = $1 AND id = ANY($2::bigint[])"
_SETTLE: Final = """
    UPDATE quarantine q
       SET attempts = q.attempts + 1,
           state = CASE WHEN g.replayed THEN 'replayed' ELSE q.state END,
           reason = coalesce(g.reason, q.reason),
           detail = coalesce(g.detail, q.detail)
      FROM unnest($2::bigint[], $3::bool[], $4::text[], $5::text[]) AS g (id, replayed, reason, detail)
     WHERE q.tenant_id = $1 AND q.id = g.id AND q.state = 'new'
"""
_DISCARD: Final = """
    WITH discarded AS (
        UPDATE quarantine SET state = 'discarded'
         WHERE tenant_id = $1 AND id = ANY($2::bigint[]) AND state = 'new' RETURNING id
    )
    SELECT count(*) FROM discarded
"""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which messages to list; None: whatever they are.

    Attributes:
        before: When the last one that was shown was received, and its id.
    """

    state: str | None = None
    reason: str | None = None
    device_id: str | None = None
    before: tuple[datetime, int] | None = None


class Settled(Struct, frozen=True, kw_only=True):
    """What became of a replay.

    Attributes:
        replayed: It was accepted.
        reason: Why it was refused once more; None leaves the reason and the detail as they were.
    """

    id: int
    replayed: bool
    reason: str | None = None
    detail: str | None = None


async def page(conn: Conn, tenant_id: str, wanted: Wanted, *, limit: int, shown: int) -> list[Record]:
    """Return messages, newest first, with the first ``shown`` bytes of their payloads."""
    values: list[object] = [tenant_id, shown]

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = ["tenant_id = $1"]
    for column, given in (("state", wanted.state), ("reason", wanted.reason), ("device_id", wanted.device_id)):
        if given is not None:
            conditions.append(f"{column} = {value(given)}")
    if wanted.before is not None:
        received_at, row = wanted.before
        conditions.append(f"(received_at, id) < ({value(received_at)}::timestamptz, {value(row)}::bigint)")
    return await conn.fetch(
        f"SELECT {_COLUMNS}, substring(payload FOR $2) AS payload FROM quarantine WHERE {' AND '.join(conditions)}"
        f" ORDER BY received_at DESC, id DESC LIMIT {value(limit)}",
        *values,
    )


async def one(conn: Conn, tenant_id: str, row: int) -> Record | None:
    """Return a message with all of its payload that is stored, None when there is none."""
    return await conn.fetchrow(_ONE, tenant_id, row)


async def summary(conn: Conn, tenant_id: str) -> list[Record]:
    """Return by reason how many messages nobody has dealt with, those of the commonest first."""
    return await conn.fetch(_SUMMARY, tenant_id)


async def begin_replay(conn: Conn, tenant_id: str) -> bool:
    """Tell whether no other replay of the tenant's messages goes on; none begins before the transaction ends."""
    return bool(await conn.fetchval(_BEGIN, tenant_id))


async def oldest(conn: Conn, tenant_id: str, reason: str, *, limit: int) -> list[int]:
    """Return which messages with a reason nobody has dealt with, oldest first."""
    return [row["id"] for row in await conn.fetch(_OLDEST, tenant_id, reason, limit)]


async def chosen(conn: Conn, tenant_id: str, rows: Sequence[int]) -> list[Record]:
    """Return those of the messages that there are, whole, in no order."""
    return await conn.fetch(_CHOSEN, tenant_id, rows)


async def settle(conn: Conn, tenant_id: str, settled: Sequence[Settled]) -> None:
    """Note what became of a replay; of messages that somebody dealt with meanwhile nothing is noted."""
    await conn.execute(
        _SETTLE,
        tenant_id,
        [each.id for each in settled],
        [each.replayed for each in settled],
        [each.reason for each in settled],
        [each.detail for each in settled],
    )


async def discard(conn: Conn, tenant_id: str, rows: Sequence[int]) -> int:
    """Give messages up; return how many it were, without those that were replayed or given up before."""
    return int(await conn.fetchval(_DISCARD, tenant_id, rows))
