"""``/tenant/v1/deliveries``: what was told of alerts, what waits, and what could not be told."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct, convert

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize
from homeiq_server.errors import NotFound, Rejected
from homeiq_server.store import delivery_actions
from homeiq_server.store.delivery_actions import Wanted
from homeiq_server.store.moments import moment, moment_us
from homeiq_server.store.pool import Conn
from homeiq_server.wire.batch import TimeUs

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply

type State = Literal["PENDING", "SENDING", "DELIVERED", "DEAD", "DISCARDED"]
type RowId = Annotated[int, Meta(ge=0, le=2**63 - 1)]

TAG: Final = "Deliveries"
_PATH: Final = "/tenant/v1/deliveries"


class Delivery(Struct, frozen=True, kw_only=True):
    """Something that is to be told.

    Attributes:
        route_id: Null of a test.
        alert_id: Null of a test.
        attempts: How many there were since ``created_at``.
        last_status: What the receiver answered last.
        created_at: When it was put into the outbox, or replayed.
        next_at: When it is tried next; null when it is not, or when it is fetched.
        payload: What is told.
    """

    id: int
    route_id: UUID | None
    integration_id: UUID
    alert_id: int | None
    change: str
    state: State
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None
    next_at: datetime | None
    payload: dict[str, Any]


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt."""

    number: int
    at: datetime
    ok: bool
    status: int | None
    duration_s: float
    error: str | None


class DeliveryShown(Struct, frozen=True, kw_only=True):
    """A delivery with its last attempts, newest first."""

    delivery: Delivery
    attempts: list[Attempt]


class Deliveries(Struct, frozen=True, kw_only=True):
    """A page of deliveries, newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None


class Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries: those with an id, or all of a route."""

    ids: Annotated[list[RowId], Meta(min_length=1, max_length=1_000)] | None = None
    route_id: UUID | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """How many deliveries it was done to."""

    deliveries: int


class _Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: State | None = None
    route_id: UUID | None = None
    alert_id: RowId | None = None
    limit: PageSize = 50
    cursor: CursorText | None = None


async def _list(call: Call[_Query, NoBody]) -> Reply:
    query = call.query
    key = read_cursor(query.cursor, tuple[TimeUs, RowId])
    wanted = Wanted(
        state=query.state,
        route_id=query.route_id,
        alert_id=query.alert_id,
        before=None if key is None else (moment(key[0]), key[1]),
    )
    async with call.conn() as conn:
        kept = await delivery_actions.page(conn, call.tenant_id, wanted, limit=query.limit + 1)
    shown = kept[: query.limit]
    following = cursor_of((moment_us(shown[-1].created_at), shown[-1].id)) if len(kept) > len(shown) else None
    return Reply(content=Deliveries(deliveries=[_delivery_of(each) for each in shown], next_cursor=following))


async def _get(call: Call[NoQuery, NoBody]) -> Reply:
    delivery_id = call.number()
    async with call.conn() as conn:
        kept = await delivery_actions.one(conn, call.tenant_id, delivery_id)
        attempts = await delivery_actions.attempts(conn, call.tenant_id, delivery_id)
    if kept is None:
        raise NotFound("there is no delivery with this id")
    shown = [convert(each, Attempt, from_attributes=True) for each in attempts]
    return Reply(content=DeliveryShown(delivery=_delivery_of(kept), attempts=shown))


async def _replay(call: Call[NoQuery, Chosen]) -> Reply:
    return await _act(call, delivery_actions.replay)


async def _discard(call: Call[NoQuery, Chosen]) -> Reply:
    return await _act(call, delivery_actions.discard)


type _Action = Callable[[Conn, str, Sequence[int], UUID | None], Awaitable[int]]


async def _act(call: Call[NoQuery, Chosen], action: _Action) -> Reply:
    chosen = call.body
    if (chosen.ids is None) == (chosen.route_id is None):
        raise Rejected("the body: give either ids or route_id")
    async with call.conn() as conn:
        return Reply(content=Counted(deliveries=await action(conn, call.tenant_id, chosen.ids or (), chosen.route_id)))


def _delivery_of(kept: delivery_actions.Kept) -> Delivery:
    return convert(kept, Delivery, from_attributes=True)


def operations() -> tuple[AnyOperation, ...]:
    """Return the operations on deliveries."""
    read, write = Scope.ROUTES_READ, Scope.ROUTES_WRITE
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="List deliveries, newest first; dead ones are those that could not be told.",
            scope=read,
            query=_Query,
            body=NoBody,
            answer=Deliveries,
            handle=_list,
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Show a delivery with its attempts.",
            scope=read,
            query=NoQuery,
            body=NoBody,
            answer=DeliveryShown,
            handle=_get,
            problems=(404,),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/replay",
            tag=TAG,
            summary="Have dead deliveries sent again.",
            scope=write,
            query=NoQuery,
            body=Chosen,
            answer=Counted,
            handle=_replay,
            problems=(413,),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/discard",
            tag=TAG,
            summary="Give up deliveries that wait or are dead.",
            scope=write,
            query=NoQuery,
            body=Chosen,
            answer=Counted,
            handle=_discard,
            problems=(413,),
        ),
    )
