"""``/tenant/v1/alerts``: what rules have found, what a person says to it, and what became of it."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Protocol
from uuid import UUID

from asyncpg import Record
from msgspec import Meta, Struct

from homeiq_server.alerts.waking import Waking
from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.errors import NotFound
from homeiq_server.store import alert_actions, alert_changes, alert_pages
from homeiq_server.store.alert_pages import Wanted
from homeiq_server.store.pool import Conn

from .alert_shape import Alert, AlertChanges, AlertPage, Hour, Trend, alert_of, change_of
from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .polling import WaitS, until_news
from .times import Moment, checked

type _Cursor = Annotated[int, Meta(ge=0, le=2**63 - 1)]

_BASE: Final = "/tenant/v1/alerts"
_TAG: Final = "Alerts"


class AlertQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts are wanted."""

    state: Literal["open", "acknowledged", "cleared", "all"] = "all"
    severity: Annotated[int, Meta(ge=1, le=5)] | None = None
    device: Words | None = None
    rule: UUID | None = None
    limit: PageSize = 50
    cursor: CursorText | None = None


class FollowQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on to follow, and how long to wait for something new."""

    after: CursorText | None = None
    wait_s: WaitS = 0
    limit: PageSize = 100


class TrendQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many hours back."""

    hours: Annotated[int, Meta(ge=1, le=744)] = 24


class Silence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when nothing is delivered of it; null ends that."""

    until: Moment | None


class _Action(Protocol):
    def __call__(
        self, conn: Conn, tenant_id: str, alert_id: int, *, at: datetime, actor: str
    ) -> Awaitable[Record | None]: ...


async def get_alerts(call: Call[AlertQuery, NoBody]) -> Reply:
    """Answer a page of alerts, newest first."""
    query = call.query
    before = read_cursor(query.cursor, tuple[Moment, _Cursor])
    wanted = Wanted(
        state=None if query.state == "all" else query.state,
        severity=query.severity,
        device_id=query.device,
        rule_id=query.rule,
        before=before and (checked(before[0], field="cursor"), before[1]),
    )
    async with call.conn() as conn:
        rows = await alert_pages.page(conn, call.tenant_id, wanted, limit=query.limit + 1)
    shown = rows[: query.limit]
    following = cursor_of((shown[-1]["opened_at"], shown[-1]["id"])) if len(rows) > query.limit else None
    return Reply(content=AlertPage(alerts=[alert_of(row) for row in shown], next_cursor=following))


async def get_alert(call: Call[NoQuery, NoBody]) -> Reply:
    """Answer one alert."""
    async with call.conn() as conn:
        return _answer(await alert_pages.one(conn, call.tenant_id, call.number()))


async def get_trend(call: Call[TrendQuery, NoBody]) -> Reply:
    """Answer how many opened and cleared, hour by hour."""
    now = datetime.now(UTC)
    async with call.conn() as conn:
        rows = await alert_pages.trend(conn, call.tenant_id, now - timedelta(hours=call.query.hours - 1), now)
    return Reply(content=Trend(hours=[Hour(**dict(row)) for row in rows]))


async def post_silence(call: Call[NoQuery, Silence]) -> Reply:
    """Deliver nothing of it, nor of the next ones of its cause, until then."""
    until = None if call.body.until is None else checked(call.body.until, field="until")
    async with call.conn() as conn:
        return _answer(await alert_actions.silence(conn, call.tenant_id, call.number(), until))


def _acts(name: str, summary: str, action: _Action, waking: Waking) -> AnyOperation:
    async def act(call: Call[NoQuery, NoBody]) -> Reply:
        async with call.conn() as conn:
            row = await action(conn, call.tenant_id, call.number(), at=datetime.now(UTC), actor=call.caller.name)
        waking.tell(call.tenant_id)
        return _answer(row)

    return Operation(
        method="POST",
        path=f"{_BASE}/{{id}}/{name}",
        tag=_TAG,
        summary=summary,
        scope=Scope.ALERTS_WRITE,
        query=NoQuery,
        body=NoBody,
        answer=Alert,
        handle=act,
        problems=(404,),
    )


def _answer(row: Record | None) -> Reply:
    if row is None:
        raise NotFound("there is no alert with this id")
    return Reply(content=alert_of(row))


def _follows(waking: Waking) -> AnyOperation:
    async def get_changes(call: Call[FollowQuery, NoBody]) -> Reply:
        after = read_cursor(call.query.after, _Cursor.__value__)

        async def look() -> tuple[list[Record], int]:
            async with call.conn() as conn:
                present = await alert_changes.last(conn, call.tenant_id)
                if after is None or after > present:  # ahead: the database was restored from a dump
                    return [], present
                rows = await alert_changes.after(conn, call.tenant_id, after, limit=call.query.limit)
                return rows, rows[-1]["cursor"] if rows else after

        wait_s = 0 if after is None else call.query.wait_s
        rows, cursor = await until_news(call, look, waking, wait_s, lambda found: found[1] != after)
        return Reply(content=AlertChanges(changes=[change_of(row) for row in rows], cursor=cursor_of(cursor)))

    return Operation(
        method="GET",
        path="/tenant/v1/alert-changes",
        tag=_TAG,
        summary="Follow what becomes of alerts; without after: the present cursor alone",
        scope=Scope.ALERTS_READ,
        query=FollowQuery,
        body=NoBody,
        answer=AlertChanges,
        handle=get_changes,
    )


def operations(waking: Waking) -> tuple[AnyOperation, ...]:
    """Return the routes of alerts; ``waking`` tells when there may be something new."""
    return (
        Operation(
            method="GET",
            path=_BASE,
            tag=_TAG,
            summary="List alerts, newest first",
            scope=Scope.ALERTS_READ,
            query=AlertQuery,
            body=NoBody,
            answer=AlertPage,
            handle=get_alerts,
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/trend",
            tag=_TAG,
            summary="Count how many alerts opened and cleared, by the hour",
            scope=Scope.ALERTS_READ,
            query=TrendQuery,
            body=NoBody,
            answer=Trend,
            handle=get_trend,
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/{{id}}",
            tag=_TAG,
            summary="Show an alert",
            scope=Scope.ALERTS_READ,
            query=NoQuery,
            body=NoBody,
            answer=Alert,
            handle=get_alert,
            problems=(404,),
        ),
        _acts("acknowledge", "Note that an alert was seen", alert_actions.acknowledge, waking),
        _acts("unacknowledge", "Take that back", alert_actions.unacknowledge, waking),
        _acts("clear", "Clear an alert by hand, until its cause ends and begins again", alert_actions.clear, waking),
        Operation(
            method="POST",
            path=f"{_BASE}/{{id}}/silence",
            tag=_TAG,
            summary="Deliver nothing of an alert and the next ones of its cause until a time",
            scope=Scope.ALERTS_WRITE,
            query=NoQuery,
            body=Silence,
            answer=Alert,
            handle=post_silence,
            problems=(404,),
        ),
        _follows(waking),
    )
