"""``/tenant/v1/home-assistant-events``: alerts that Home Assistant fetches, and says that it has."""

import asyncio
from collections import defaultdict
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from homeiq_server.alerts.waking import Waking
from homeiq_server.api.parameters import PageSize
from homeiq_server.store import home_assistant_events
from homeiq_server.store.changes import Change, Changes

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply

type WaitS = Annotated[float, Meta(ge=0, le=30, description="How long to wait when there is nothing, in seconds.")]

TAG: Final = "Home Assistant events"
_PATH: Final = "/tenant/v1/home-assistant-events"
_LOOK_AGAIN_S: Final = 2  # changes may go unheard, and so may the end of who waits
_MOST_WAITING: Final = 8  # of a tenant; who comes then is answered at once


class Event(Struct, frozen=True, kw_only=True):
    """Something that Home Assistant is to be told."""

    id: int
    payload: dict[str, Any]


class Events(Struct, frozen=True, kw_only=True):
    """What it has not said that it has, oldest first."""

    events: list[Event]


class DeliveredBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it has."""

    ids: Annotated[list[Annotated[int, Meta(ge=0, le=2**63 - 1)]], Meta(max_length=1_000)]


class Delivered(Struct, frozen=True, kw_only=True):
    """How many of them it had not before."""

    delivered: int


class _Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    wait_s: WaitS = 0
    limit: PageSize = 100


class _Events:
    def __init__(self, changes: Changes, waking: Waking) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._waking = waking
        changes.follow(self._hear, self._hear_all)
        waking.on_close(self._hear_all)

    async def get(self, call: Call[_Query, NoBody]) -> Reply:
        loop = asyncio.get_running_loop()
        until = loop.time() + call.query.wait_s
        told = asyncio.Event()
        waiting = self._waiting[call.tenant_id]
        if len(waiting) >= _MOST_WAITING:
            until = loop.time()
        waiting.add(told)  # before looking: what comes after the look is heard
        try:
            while True:
                told.clear()
                found = await self._look(call)
                nobody_waits = self._waking.is_closed or call.is_gone()
                if found or nobody_waits or (left_s := until - loop.time()) <= 0:
                    return Reply(content=Events(events=found))
                await _either(told, min(left_s, _LOOK_AGAIN_S))
        finally:
            waiting.discard(told)
            if not waiting and self._waiting.get(call.tenant_id) is waiting:
                del self._waiting[call.tenant_id]

    async def post(self, call: Call[NoQuery, DeliveredBody]) -> Reply:
        async with call.conn() as conn:
            number = await home_assistant_events.delivered(conn, call.tenant_id, call.body.ids)
        return Reply(content=Delivered(delivered=number))

    @staticmethod
    async def _look(call: Call[_Query, NoBody]) -> list[Event]:
        async with call.conn() as conn:
            kept = await home_assistant_events.pending(conn, call.tenant_id, limit=call.query.limit)
        return [Event(id=each.id, payload=each.payload) for each in kept]

    def _hear(self, change: Change) -> None:
        if change.table == "deliveries":
            for told in self._waiting.get(change.tenant_id, ()):
                told.set()

    def _hear_all(self) -> None:
        for waiting in self._waiting.values():
            for told in waiting:
                told.set()


async def _either(told: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await told.wait()
    except TimeoutError:
        pass


def operations(changes: Changes, waking: Waking) -> tuple[AnyOperation, ...]:
    """Return the operations on what Home Assistant fetches; ``changes`` ends its waiting, as ``waking`` at the stop."""
    noun = _Events(changes, waking)
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="Fetch alerts for Home Assistant; waits for the first one when asked to.",
            scope=Scope.ROUTES_READ,
            query=_Query,
            body=NoBody,
            answer=Events,
            handle=noun.get,
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/delivered",
            tag=TAG,
            summary="Say which of them Home Assistant has, so that they are not given again.",
            scope=Scope.ROUTES_WRITE,
            query=NoQuery,
            body=DeliveredBody,
            answer=Delivered,
            handle=noun.post,
            problems=(413,),
        ),
    )
