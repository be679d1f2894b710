"""``/operator/v1/tenants``: the tenants of a server, for who operates it."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import Struct

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.errors import Conflict, NotFound, Rejected
from homeiq_server.store import subscriptions, tenants
from homeiq_server.store.pool import Workers
from homeiq_server.store.subscriptions import NewSubscription
from homeiq_server.store.tenants import NewTenant

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .tenant_shape import Status, Tenant, TenantBody, TenantChange, Tenants, given, tenant_of
from .times import now
from .tokens import TokenBody, TokenMade, make

TAG: Final = "Tenants"
_PATH: Final = "/operator/v1/tenants"
_ONE: Final = f"{_PATH}/{{tenant}}"
_HOME: Final = "home"


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tenants."""

    status: Status | None = None
    limit: PageSize = 50
    cursor: CursorText | None = None


def addressed[Query, Body](call: Call[Query, Body]) -> str:
    """Return the tenant that an operator's address names.

    Raises:
        NotFound: It is none.
    """
    if (tenant_id := call.path["tenant"]) == tenants.NOBODY:
        raise NotFound("there is no such tenant: what is kept under this name is nobody's")
    return tenant_id


async def shown(store: Workers, tenant_id: str) -> Tenant:
    """Return a tenant with its numbers.

    Raises:
        NotFound: There is none.
    """
    async with store.worker() as conn:
        row = await tenants.one(conn, tenant_id)
    if row is None:
        raise NotFound("there is no such tenant")
    return tenant_of(row)


class _Tenants:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._now = clock

    async def get_all(self, call: Call[Page, NoBody]) -> Reply:
        after = read_cursor(call.query.cursor, Words.__value__) or ""
        async with call.store.worker() as conn:
            rows = await tenants.page(conn, after, limit=call.query.limit + 1, status=call.query.status)
        found = [tenant_of(row) for row in rows[: call.query.limit]]
        following = cursor_of(found[-1].tenant_id) if len(rows) > call.query.limit else None
        return Reply(content=Tenants(tenants=found, next_cursor=following))

    async def get(self, call: Call[NoQuery, NoBody]) -> Reply:
        found = await shown(call.store, addressed(call))
        return Reply(content=found, version=found.version)

    async def post(self, call: Call[NoQuery, TenantBody]) -> Reply:
        body, at = call.body, self._now()
        first = _first(body, at)
        tenant = NewTenant(**{name: getattr(body, name) for name in NewTenant.__struct_fields__})
        async with call.store.tenant(body.tenant_id) as conn:
            if not await tenants.create(conn, tenant):
                raise Conflict("there is a tenant with this id, or there was: its rows are kept")
            await subscriptions.create(conn, body.tenant_id, first, actor=call.caller.name, now=at)
        found = await shown(call.store, body.tenant_id)
        return Reply(content=found, version=found.version)

    async def patch(self, call: Call[NoQuery, TenantChange]) -> Reply:
        tenant_id = addressed(call)
        async with call.store.tenant(tenant_id) as conn:
            if not await tenants.lock(conn, tenant_id, version=call.if_match):
                raise NotFound("there is no such tenant")
            await tenants.change(conn, tenant_id, given(call.body))
        found = await shown(call.store, tenant_id)
        return Reply(content=found, version=found.version)

    async def delete(self, call: Call[NoQuery, NoBody]) -> Reply:
        tenant_id = call.path["tenant"]
        if tenant_id in (_HOME, tenants.NOBODY):
            raise Conflict("this one belongs to the server itself and stays")
        async with call.store.tenant(tenant_id) as conn:
            if not await tenants.delete(conn, tenant_id):
                raise NotFound("there is no such tenant, or it is deleted")
        return Reply()

    async def post_token(self, call: Call[NoQuery, TokenBody]) -> Reply:
        tenant_id = addressed(call)
        async with call.store.tenant(tenant_id) as conn:
            row = await tenants.own(conn, tenant_id)
            if row is not None and row["status"] == "DELETED":
                raise Conflict("the tenant is deleted: bring it back first, with the status ACTIVE")
            return Reply(content=await make(conn, tenant_id, call.body, at=self._now()))


def _first(body: TenantBody, at: datetime) -> NewSubscription:
    if body.subscription is None:
        return NewSubscription(kind="MAIN", device_limit=body.device_limit)
    if body.device_limit is not None:
        raise Rejected("device_limit: give it in the subscription")
    if body.subscription.kind == "ADDON":
        raise Rejected("subscription.kind: the first one cannot be an ADDON: it has no parent")
    return body.subscription.made(at)


def operations(*, clock: Callable[[], datetime] = now) -> tuple[AnyOperation, ...]:
    """Return the operator's operations on tenants."""
    noun = _Tenants(clock)
    return (
        Operation(
            method="POST",
            path=_PATH,
            tag=TAG,
            summary="Make a tenant with its first subscription.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=TenantBody,
            answer=Tenant,
            status=201,
            handle=noun.post,
            problems=(409,),
        ),
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="List tenants with their numbers, by their ids.",
            scope=Scope.OPERATOR,
            query=Page,
            body=NoBody,
            answer=Tenants,
            handle=noun.get_all,
        ),
        Operation(
            method="GET",
            path=_ONE,
            tag=TAG,
            summary="Show a tenant with its numbers.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=NoBody,
            answer=Tenant,
            handle=noun.get,
            problems=(404,),
        ),
        Operation(
            method="PATCH",
            path=_ONE,
            tag=TAG,
            summary="Change a tenant; a suspended one's tokens and devices are refused at once.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=TenantChange,
            answer=Tenant,
            handle=noun.patch,
            problems=(404, 412),
            versioned=True,
        ),
        Operation(
            method="DELETE",
            path=_ONE,
            tag=TAG,
            summary="Delete a tenant: its tokens are dead and its devices are refused; its rows stay.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=NoBody,
            status=204,
            handle=noun.delete,
            problems=(404, 409),
        ),
        Operation(
            method="POST",
            path=f"{_ONE}/tokens",
            tag=TAG,
            summary="Make a token for a tenant, such as its first; it is shown in this answer and never again.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=TokenBody,
            answer=TokenMade,
            status=201,
            handle=noun.post_token,
            problems=(404, 409),
        ),
    )
