"""``/operator/v1/tenants/{tenant}/subscriptions``: what the operator grants a tenant."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from homeiq_server.api.parameters import Words
from homeiq_server.errors import NotFound
from homeiq_server.store import subscriptions, tenants
from homeiq_server.store.subscriptions import Status

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .subscription_shape import GraceDays, Limit, Subscription, SubscriptionBody, Subscriptions
from .subscriptions import Page, listed, shown
from .tenant_shape import given
from .tenants import addressed
from .times import Moment, checked, now

TAG: Final = "Tenants"
_PATH: Final = "/operator/v1/tenants/{tenant}/subscriptions"


class SubscriptionChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a subscription is to be another; what is left out stays.

    Attributes:
        status: The time goes on: one that is made ACTIVE after its end is in GRACE or over an hour later.
        term_end: Null: no end. Its ADDONs share it.
    """

    status: Status | UnsetType = UNSET
    device_limit: Limit | UnsetType | None = UNSET
    term_end: Moment | UnsetType | None = UNSET
    grace_days: GraceDays | UnsetType = UNSET
    plan: Words | UnsetType | None = UNSET
    description: Words | UnsetType | None = UNSET


class _Granted:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._now = clock

    async def get_all(self, call: Call[Page, NoBody]) -> Reply:
        tenant_id = addressed(call)
        async with call.store.tenant(tenant_id) as conn:
            if await tenants.own(conn, tenant_id) is None:
                raise NotFound("there is no such tenant")
            return Reply(content=await listed(conn, tenant_id, call.query, self._now()))

    async def post(self, call: Call[NoQuery, SubscriptionBody]) -> Reply:
        tenant_id, at = addressed(call), self._now()
        new = call.body.made(at)
        async with call.store.tenant(tenant_id) as conn:
            if await tenants.own(conn, tenant_id) is None:
                raise NotFound("there is no such tenant")
            made = await subscriptions.create(conn, tenant_id, new, actor=call.caller.name, now=at)
            found = await shown(conn, tenant_id, made, at)
        return Reply(content=found, version=found.version)

    async def patch(self, call: Call[NoQuery, SubscriptionChange]) -> Reply:
        tenant_id, subscription_id = addressed(call), call.uuid()
        wanted = given(call.body)
        if isinstance(end := wanted.get("term_end"), datetime):
            wanted["term_end"] = checked(end, field="term_end")
        async with call.store.tenant(tenant_id) as conn:
            locked = await subscriptions.lock(conn, tenant_id, subscription_id, version=call.if_match)
            await subscriptions.adjust(conn, tenant_id, locked, wanted, actor=call.caller.name)
            found = await shown(conn, tenant_id, subscription_id, self._now())
        return Reply(content=found, version=found.version)


def operations(*, clock: Callable[[], datetime] = now) -> tuple[AnyOperation, ...]:
    """Return the operator's operations on subscriptions."""
    noun = _Granted(clock)
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="List a tenant's subscriptions.",
            scope=Scope.OPERATOR,
            query=Page,
            body=NoBody,
            answer=Subscriptions,
            handle=noun.get_all,
            problems=(404,),
        ),
        Operation(
            method="POST",
            path=_PATH,
            tag=TAG,
            summary="Give a tenant another subscription.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=SubscriptionBody,
            answer=Subscription,
            status=201,
            handle=noun.post,
            problems=(404, 409),
        ),
        Operation(
            method="PATCH",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Change a tenant's subscription; what it forbids its devices, it forbids at once.",
            scope=Scope.OPERATOR,
            query=NoQuery,
            body=SubscriptionChange,
            answer=Subscription,
            handle=noun.patch,
            problems=(404, 409, 412),
            versioned=True,
        ),
    )
