"""``/tenant/v1/quarantine``: messages of the tenant's devices that were refused; looked at, replayed, given up.

Messages that name no tenant that exists are nobody's: the operator can look at them.
"""

from collections.abc import Sequence
from typing import Final

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.errors import NotFound, Rejected
from homeiq_server.ingest.message import NOBODY
from homeiq_server.store import quarantine_rows
from homeiq_server.store.pool import Conn
from homeiq_server.store.quarantine_rows import Wanted

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .quarantine_shape import (
    Chosen,
    Discarded,
    QuarantinePage,
    QuarantineQuery,
    QuarantineSummary,
    RefusedFor,
    RefusedMessage,
    Replayed,
    message_of,
)
from .replaying import Gate, Replaying
from .times import Moment, checked

_TAG: Final = "Refused messages"
_PATH: Final = "/tenant/v1/quarantine"
_SHOWN_BYTES: Final = 2_048


async def _list(call: Call[QuarantineQuery, NoBody]) -> Reply:
    return Reply(content=await _page(call, call.tenant_id))


async def _list_of_nobody(call: Call[QuarantineQuery, NoBody]) -> Reply:
    return Reply(content=await _page(call, NOBODY))


async def _page(call: Call[QuarantineQuery, NoBody], tenant_id: str) -> QuarantinePage:
    query = call.query
    before = read_cursor(query.cursor, tuple[Moment, int])
    wanted = Wanted(
        state=None if query.state == "all" else query.state,
        reason=query.reason,
        device_id=query.device_id,
        before=before and (checked(before[0], field="cursor"), _row_id(before[1])),
    )
    async with call.store.tenant(tenant_id) as conn:
        rows = await quarantine_rows.page(conn, tenant_id, wanted, limit=query.limit + 1, shown=_SHOWN_BYTES)
    listed = rows[: query.limit]
    following = cursor_of((listed[-1]["received_at"], listed[-1]["id"])) if len(rows) > query.limit else None
    return QuarantinePage(quarantine=[message_of(row) for row in listed], next_cursor=following)


def _row_id(given: int) -> int:
    if not 0 <= given < 2**63:
        raise Rejected("cursor: give next_cursor of the page before as it is, or none for the first page")
    return given


async def _get(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        row = await quarantine_rows.one(conn, call.tenant_id, call.number())
    if row is None:
        raise NotFound("there is no message with this id in the quarantine")
    return Reply(content=message_of(row))


async def _summary(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        rows = await quarantine_rows.summary(conn, call.tenant_id)
    summary = QuarantineSummary(
        messages=sum(row["messages"] for row in rows),
        newest_at=max((row["newest_at"] for row in rows), default=None),
        reasons=[RefusedFor(**row) for row in rows],
    )
    return Reply(content=summary)


async def _discard(call: Call[NoQuery, Chosen]) -> Reply:
    async with call.conn() as conn:
        ids = await _ids(conn, call.tenant_id, call.body)
        return Reply(content=Discarded(discarded=await quarantine_rows.discard(conn, call.tenant_id, ids)))


async def _ids(conn: Conn, tenant_id: str, chosen: Chosen) -> Sequence[int]:
    """Return which messages are meant, each once.

    Raises:
        Rejected: It is told in two ways, or in none.
    """
    match chosen.ids, chosen.reason:
        case ids, None if ids is not None:
            return list(dict.fromkeys(ids))
        case None, reason if reason is not None:
            return await quarantine_rows.oldest(conn, tenant_id, reason, limit=chosen.limit)
        case _:
            raise Rejected("ids, reason: give one of the two")


class _Replays:
    def __init__(self, gate: Gate) -> None:
        self._replaying = Replaying(gate)

    async def post(self, call: Call[NoQuery, Chosen]) -> Reply:
        async def choose(conn: Conn) -> Sequence[int]:
            return await _ids(conn, call.tenant_id, call.body)

        results = await self._replaying.replay(call.store, call.tenant_id, choose)
        counted = {
            status: sum(result.status == status for result in results) for status in ("accepted", "rejected", "skipped")
        }
        return Reply(content=Replayed(**counted, results=results))


def operations(gate: Gate) -> tuple[AnyOperation, ...]:
    """Return what can be done with refused messages; the gate decides over those that are replayed."""
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=_TAG,
            summary="List refused messages, the newest first",
            scope=Scope.QUARANTINE_READ,
            query=QuarantineQuery,
            body=NoBody,
            answer=QuarantinePage,
            handle=_list,
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/summary",
            tag=_TAG,
            summary="Count the refused messages that wait, by reason",
            scope=Scope.QUARANTINE_READ,
            query=NoQuery,
            body=NoBody,
            answer=QuarantineSummary,
            handle=_summary,
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{id}}",
            tag=_TAG,
            summary="Show a refused message with all of its payload that is kept",
            scope=Scope.QUARANTINE_READ,
            query=NoQuery,
            body=NoBody,
            answer=RefusedMessage,
            handle=_get,
            problems=(404,),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/replay",
            tag=_TAG,
            summary="Send messages through all checks once more, with the time at which they came",
            scope=Scope.QUARANTINE_WRITE,
            query=NoQuery,
            body=Chosen,
            answer=Replayed,
            handle=_Replays(gate).post,
            problems=(413,),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/discard",
            tag=_TAG,
            summary="Give messages up",
            scope=Scope.QUARANTINE_WRITE,
            query=NoQuery,
            body=Chosen,
            answer=Discarded,
            handle=_discard,
            problems=(413,),
        ),
        Operation(
            method="GET",
            path="/operator/v1/quarantine",
            tag=_TAG,
            summary="List refused messages that name no tenant that exists, the newest first",
            scope=Scope.OPERATOR,
            query=QuarantineQuery,
            body=NoBody,
            answer=QuarantinePage,
            handle=_list_of_nobody,
        ),
    )
