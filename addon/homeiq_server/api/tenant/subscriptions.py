"""``/tenant/v1/subscriptions``: what a tenant may have, until when, and its next term."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, convert

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.errors import NotFound
from homeiq_server.store import idempotency, renewals, subscription_audit, subscriptions
from homeiq_server.store.moments import moment_us
from homeiq_server.store.pool import Conn
from homeiq_server.wire.batch import TimeUs

from .caller import Scope
from .device_shape import DeviceId
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .subscription_shape import Days, Limit, Subscription, Subscriptions, end_of, subscription_of, summary_of
from .times import Moment, checked, now

TAG: Final = "Subscriptions"
_PATH: Final = "/tenant/v1/subscriptions"
_REPLAYED: Final = {"Idempotency-Replayed": "true"}
_YEAR_DAYS: Final = 365


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: PageSize = 50
    cursor: CursorText | None = None


class RenewalBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The next term.

    Attributes:
        expected_term_end: The present term's end, as the caller has seen it.
        term_days: How long the next term lasts, from the end of the present one or from now, whichever is later; 365
            when term_end is not given either.
        term_end: When it ends.
        device_limit: How many places there are from now on; when left out, as many as before.
        plan: When left out, as before.
        devices_to_deactivate: Those that give up their places, when there are to be fewer.
    """

    expected_term_end: Moment
    term_days: Days | None = None
    term_end: Moment | None = None
    device_limit: Limit | UnsetType = UNSET
    plan: Words | UnsetType | None = UNSET
    devices_to_deactivate: Annotated[list[DeviceId], Meta(max_length=10_000)] = []


class Renewed(Struct, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        devices_deactivated: Those that gave up their places.
    """

    subscription: Subscription
    devices_deactivated: list[str]


class AuditEntry(Struct, frozen=True, kw_only=True):
    """What was done to a subscription.

    Attributes:
        event: CREATED, CHANGED, RENEWED, INHERITED (its parent has another end), GRACE, SUSPENDED, EXPIRED or REMINDER.
        actor: Who did it: app, terms (the time), or token:<how it begins>.
        before: The subscription before; null when there was none, or when it was not changed.
        after: The same after.
    """

    id: int
    event: str
    at: datetime
    actor: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    details: dict[str, Any]


class Audit(Struct, frozen=True, kw_only=True):
    """A page of what was done, newest first."""

    audit: list[AuditEntry]
    next_cursor: str | None


async def listed(conn: Conn, tenant_id: str, page: Page, at: datetime) -> Subscriptions:
    """Return a page of a tenant's subscriptions.

    Raises:
        Rejected: The cursor is not one of ours.
    """
    after = read_cursor(page.cursor, tuple[TimeUs, UUID])
    rows = await subscriptions.page(conn, tenant_id, after, limit=page.limit + 1)
    summary = await subscriptions.summary(conn, tenant_id)
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return Subscriptions(
        subscriptions=[subscription_of(row, at) for row in shown],
        summary=summary_of(summary, at),
        next_cursor=cursor_of((moment_us(shown[-1]["created_at"]), shown[-1]["id"])) if more else None,
    )


async def shown(conn: Conn, tenant_id: str, subscription_id: UUID, at: datetime) -> Subscription:
    """Return a subscription.

    Raises:
        NotFound: There is none.
    """
    if (row := await subscriptions.one(conn, tenant_id, subscription_id)) is None:
        raise NotFound("there is no subscription with this id")
    return subscription_of(row, at)


class _Subscriptions:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._now = clock

    async def get_all(self, call: Call[Page, NoBody]) -> Reply:
        async with call.conn() as conn:
            return Reply(content=await listed(conn, call.tenant_id, call.query, self._now()))

    async def get(self, call: Call[NoQuery, NoBody]) -> Reply:
        async with call.conn() as conn:
            found = await shown(conn, call.tenant_id, call.uuid(), self._now())
        return Reply(content=found, version=found.version)

    async def renew(self, call: Call[NoQuery, RenewalBody]) -> Reply:
        subscription_id = call.uuid()
        asked = self._asked(call.body)
        request = idempotency.fingerprint(f"renew {subscription_id}", call.raw_body)
        async with call.conn() as conn:
            if before := await idempotency.take(conn, call.tenant_id, call.idempotency_key, request):
                again = convert(before.response, Renewed)
                return Reply(content=again, version=again.subscription.version, headers=_REPLAYED)
            gone = await renewals.renew(
                conn, call.tenant_id, subscription_id, asked, actor=call.caller.name, now=self._now()
            )
            found = await shown(conn, call.tenant_id, subscription_id, self._now())
            done = Renewed(subscription=found, devices_deactivated=gone)
            await idempotency.keep(conn, call.tenant_id, call.idempotency_key, status=200, response=done)
        return Reply(content=done, version=found.version)

    def _asked(self, body: RenewalBody) -> renewals.Renewal:
        expected = checked(body.expected_term_end, field="expected_term_end")
        days = _YEAR_DAYS if body.term_days is None and body.term_end is None else body.term_days
        end = end_of(days, body.term_end, start=max(self._now(), expected))
        assert end is not None  # noqa: S101 - one of both is given
        return renewals.Renewal(
            expected_term_end=expected,
            term_end=end,
            device_limit=body.device_limit,
            plan=body.plan,
            deactivate=body.devices_to_deactivate,
        )

    async def get_audit(self, call: Call[Page, NoBody]) -> Reply:
        before = read_cursor(call.query.cursor, TimeUs.__value__)
        subscription_id = call.uuid()
        async with call.conn() as conn:
            await shown(conn, call.tenant_id, subscription_id, self._now())
            rows = await subscription_audit.page(
                conn, call.tenant_id, subscription_id, before, limit=call.query.limit + 1
            )
        entries = [AuditEntry(**row) for row in rows[: call.query.limit]]
        following = cursor_of(entries[-1].id) if len(rows) > call.query.limit else None
        return Reply(content=Audit(audit=entries, next_cursor=following))


def operations(*, clock: Callable[[], datetime] = now) -> tuple[AnyOperation, ...]:
    """Return the operations on a tenant's own subscriptions."""
    noun = _Subscriptions(clock)
    read = Scope.SUBSCRIPTIONS_READ
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="List subscriptions, with the places that are taken.",
            scope=read,
            query=Page,
            body=NoBody,
            answer=Subscriptions,
            handle=noun.get_all,
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Show a subscription.",
            scope=read,
            query=NoQuery,
            body=NoBody,
            answer=Subscription,
            handle=noun.get,
            problems=(404,),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/{{id}}/renewals",
            tag=TAG,
            summary="Give a subscription its next term, once for each Idempotency-Key.",
            scope=Scope.SUBSCRIPTIONS_WRITE,
            query=NoQuery,
            body=RenewalBody,
            answer=Renewed,
            handle=noun.renew,
            problems=(404, 409, 422),
            idempotent=True,
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{id}}/audit",
            tag=TAG,
            summary="List what was done to a subscription, newest first.",
            scope=read,
            query=Page,
            body=NoBody,
            answer=Audit,
            handle=noun.get_audit,
            problems=(404,),
        ),
    )
