"""``/tenant/v1/routes``: which of a tenant's alerts go where."""

from typing import Any, Final
from uuid import UUID

from msgspec import UNSET, Struct, structs

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize
from homeiq_server.errors import Conflict, NotFound, Outdated, Rejected
from homeiq_server.store import alert_routes, integrations
from homeiq_server.store.alert_routes import RouteFields
from homeiq_server.store.moments import moment, moment_us
from homeiq_server.store.pool import Conn
from homeiq_server.wire.batch import TimeUs

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .route_shape import Route, RouteBody, RoutePatch, Routes, route_of

TAG: Final = "Routes"
MOST: Final = 200
"""How many a tenant may have."""

_PATH: Final = "/tenant/v1/routes"


class _Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    integration_id: UUID | None = None
    limit: PageSize = 50
    cursor: CursorText | None = None


async def _list(call: Call[_Query, NoBody]) -> Reply:
    query = call.query
    key = read_cursor(query.cursor, tuple[TimeUs, UUID])
    after = None if key is None else (moment(key[0]), key[1])
    async with call.conn() as conn:
        kept = await alert_routes.page(
            conn, call.tenant_id, after, integration_id=query.integration_id, limit=query.limit + 1
        )
    shown = kept[: query.limit]
    following = cursor_of((moment_us(shown[-1].created_at), shown[-1].id)) if len(kept) > len(shown) else None
    return Reply(content=Routes(routes=[route_of(each) for each in shown], next_cursor=following))


async def _get(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        kept = await _found(conn, call)
    return _shown(kept)


async def _make(call: Call[NoQuery, RouteBody]) -> Reply:
    fields = _fields(structs.asdict(call.body))
    async with call.conn() as conn:
        if await alert_routes.count(conn, call.tenant_id) >= MOST:
            raise Conflict(f"there are {MOST} routes: delete those that nobody uses")
        await _must_be_there(conn, call.tenant_id, fields.integration_id)
        kept = await alert_routes.add(conn, call.tenant_id, fields)
    return Reply(content=route_of(kept), version=kept.version, headers={"Location": f"{_PATH}/{kept.id}"})


async def _change(call: Call[NoQuery, RoutePatch]) -> Reply:
    given = {name: value for name, value in structs.asdict(call.body).items() if value is not UNSET}
    async with call.conn() as conn:
        kept = await _found(conn, call, locked=True)
        fields = _fields({name: getattr(kept, name) for name in RouteFields.__struct_fields__} | given)
        if fields.integration_id != kept.integration_id:
            await _must_be_there(conn, call.tenant_id, fields.integration_id)
        changed = await alert_routes.change(conn, call.tenant_id, kept.id, fields)
    return _shown(changed)


async def _delete(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        kept = await _found(conn, call, locked=True)
        await alert_routes.delete(conn, call.tenant_id, kept.id)
    return Reply()


async def _found[Body](conn: Conn, call: Call[NoQuery, Body], *, locked: bool = False) -> alert_routes.Route:
    if (kept := await alert_routes.one(conn, call.tenant_id, call.uuid(), locked=locked)) is None:
        raise NotFound("there is no route with this id")
    if call.if_match not in (None, kept.version):
        raise Outdated(f"the route has version {kept.version} by now: fetch it again")
    return kept


async def _must_be_there(conn: Conn, tenant_id: str, integration_id: UUID) -> None:
    if await integrations.one(conn, tenant_id, integration_id, locked=True) is None:
        raise Rejected("integration_id: there is no such integration")


def _fields(values: dict[str, Any]) -> RouteFields:
    """Return what is kept: each severity and each change once, in order."""
    ordered = {name: sorted(set(values[name])) for name in ("severities", "deliver_on")}
    return RouteFields(**values | ordered)


def _shown(kept: alert_routes.Route) -> Reply:
    return Reply(content=route_of(kept), version=kept.version)


def operations() -> tuple[AnyOperation, ...]:
    """Return the operations on routes."""
    read, write = Scope.ROUTES_READ, Scope.ROUTES_WRITE
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="List routes.",
            scope=read,
            query=_Query,
            body=NoBody,
            answer=Routes,
            handle=_list,
        ),
        Operation(
            method="POST",
            path=_PATH,
            tag=TAG,
            summary="Make a route from alerts to an integration.",
            scope=write,
            query=NoQuery,
            body=RouteBody,
            answer=Route,
            status=201,
            handle=_make,
            problems=(409, 413),
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Show a route.",
            scope=read,
            query=NoQuery,
            body=NoBody,
            answer=Route,
            handle=_get,
            problems=(404,),
        ),
        Operation(
            method="PATCH",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Change a route; what is in the outbox already goes where it was to go.",
            scope=write,
            query=NoQuery,
            body=RoutePatch,
            answer=Route,
            handle=_change,
            problems=(404, 412, 413),
            versioned=True,
        ),
        Operation(
            method="DELETE",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Delete a route; what waits for it is discarded.",
            scope=write,
            query=NoQuery,
            body=NoBody,
            handle=_delete,
            problems=(404, 412),
            versioned=True,
        ),
    )
