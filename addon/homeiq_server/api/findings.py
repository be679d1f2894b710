"""``/api/v1/findings``: what is wrong, what a person has said to it, and what became of it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal
from uuid import UUID

from aiohttp import web
from asyncpg import Record
from msgspec import Meta, Struct, defstruct

from homeiq_server.errors import NotFound
from homeiq_server.insights.finding import Kind
from homeiq_server.store import finding_actions, finding_changes, findings
from homeiq_server.store.findings import Wanted
from homeiq_server.store.pool import Conn
from homeiq_server.wire import read_body, read_query
from homeiq_server.wire.batch import TimeUs

from .answer import ok
from .body import body_of
from .cursor import cursor_of, read_cursor
from .finding_shape import FindingChanges, FindingPage, change_of, finding_of
from .parameters import CursorText, PageSize, Words
from .store import TENANT, home
from .tenant.times import Moment, checked

_NOTHING: Final = defstruct("_Nothing", [], forbid_unknown_fields=True)
_OPEN: Final = {"open": True, "resolved": False, "all": None}


class _Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: Literal["open", "resolved", "all"] = "open"
    kind: Kind | None = None
    device: Words | None = None
    muted: bool | None = None
    min_severity: Annotated[int, Meta(ge=1, le=5)] | None = None
    limit: PageSize = 50
    cursor: CursorText | None = None


class _Follow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    limit: PageSize = 100


class _Mute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    until_us: TimeUs | None = None


async def get_findings(request: web.Request) -> web.Response:
    """Answer 200 with a page of findings, newest first."""
    query = read_query(_Query, request.query)
    key = read_cursor(query.cursor, tuple[Moment, UUID])
    before = key and (checked(key[0], field="cursor"), key[1])
    wanted = Wanted(
        is_open=_OPEN[query.state],
        kind=query.kind,
        device_id=query.device,
        muted=query.muted,
        min_severity=query.min_severity,
        before=before,
    )
    async with home(request) as conn:
        rows = await findings.page(conn, TENANT, wanted, limit=query.limit + 1)
    shown = rows[: query.limit]
    following = cursor_of((shown[-1]["opened_at"], shown[-1]["id"])) if len(rows) > query.limit else None
    return ok(FindingPage(findings=[finding_of(row) for row in shown], next_cursor=following))


async def get_changes(request: web.Request) -> web.Response:
    """Answer 200 with what became of findings after a cursor; without one, with the present cursor alone.

    A cursor that is ahead of the store, which was restored from a backup then, is answered with the present one.
    """
    query = read_query(_Follow, request.query)
    async with home(request) as conn:
        present = await finding_changes.last(conn, TENANT)
        if query.after is None:
            return ok(FindingChanges(changes=(), cursor=present))
        rows = await finding_changes.after(conn, TENANT, query.after, limit=query.limit)
    cursor = rows[-1]["cursor"] if rows else min(query.after, present)
    return ok(FindingChanges(changes=[change_of(row) for row in rows], cursor=cursor))


async def post_mute(request: web.Request) -> web.Response:
    """Answer 200 once the finding's kind is silent for its subject until the time that is given."""
    async with body_of(request) as body:
        until_us = read_body(_Mute, body).until_us

    async def mute(conn: Conn, tenant_id: str, finding: str) -> Record | None:
        return await finding_actions.mute(conn, tenant_id, finding, until_us)

    return await _act(request, mute)


async def post_unmute(request: web.Request) -> web.Response:
    """Answer 200 once the finding's kind is heard for its subject."""
    return await _act_at_once(request, finding_actions.unmute)


async def post_acknowledge(request: web.Request) -> web.Response:
    """Answer 200 once it is noted that the finding was seen."""
    return await _act_at_once(request, finding_actions.acknowledge)


async def post_unacknowledge(request: web.Request) -> web.Response:
    """Answer 200 once that is taken back."""
    return await _act_at_once(request, finding_actions.unacknowledge)


type _Action = Callable[[Conn, str, str], Awaitable[Record | None]]


async def _act_at_once(request: web.Request, action: _Action) -> web.Response:
    async with body_of(request) as body:
        read_body(_NOTHING, body or b"{}")
    return await _act(request, action)


async def _act(request: web.Request, action: _Action) -> web.Response:
    async with home(request) as conn:
        found = await action(conn, TENANT, request.match_info["id"])
    if found is None:
        raise NotFound("there is no finding with this id")
    return ok(finding_of(found))


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve findings."""
    router.add_get("/api/v1/findings", get_findings)
    router.add_post("/api/v1/findings/{id}/mute", post_mute)
    router.add_post("/api/v1/findings/{id}/unmute", post_unmute)
    router.add_post("/api/v1/findings/{id}/acknowledge", post_acknowledge)
    router.add_post("/api/v1/findings/{id}/unacknowledge", post_unacknowledge)
    router.add_get("/api/v1/finding-changes", get_changes)
