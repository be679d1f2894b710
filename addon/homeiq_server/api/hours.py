"""``/api/v1/hours``: the numbers of an entity by the hour, for plots."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from aiohttp import web
from msgspec import Struct, convert

from homeiq_server.errors import Rejected
from homeiq_server.store import hours
from homeiq_server.store.moments import moment
from homeiq_server.wire import read_query
from homeiq_server.wire.batch import TimeUs

from .answer import ok
from .parameters import Words
from .store import TENANT, home

MOST: Final = 750
_HOUR_US: Final = 3_600_000_000
_WEEK_US: Final = 7 * 24 * _HOUR_US


class _Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: Words
    id: Words
    since_us: TimeUs | None = None
    until_us: TimeUs | None = None


class ShownHour(Struct, frozen=True, kw_only=True):
    """The hour that began at ``start``; ``last`` is its last number."""

    start: datetime
    count: int
    min: float
    max: float
    mean: float
    last: float


class Hours(Struct, frozen=True, kw_only=True):
    """Hours that have numbers, oldest first."""

    hours: Sequence[ShownHour]


async def get_hours(request: web.Request) -> web.Response:
    """Answer 200 with the hours that begin within ``[since_us, until_us)``; by default the seven days up to now."""
    query = read_query(_Query, request.query)
    until_us = time.time_ns() // 1_000 if query.until_us is None else query.until_us
    since_us = max(0, until_us - _WEEK_US) if query.since_us is None else query.since_us
    if since_us >= until_us:
        raise Rejected(f"until_us: {until_us} is not after since_us, {since_us}")
    if until_us - since_us > MOST * _HOUR_US:
        raise Rejected(f"since_us: more than {MOST} hours before until_us: ask for them in parts")
    async with home(request) as conn:
        rows = await hours.between(
            conn, TENANT, query.source, query.id, since=moment(since_us), until=moment(until_us), limit=MOST
        )
    return ok(Hours(hours=[convert(dict(row), ShownHour) for row in rows]))


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve hours."""
    router.add_get("/api/v1/hours", get_hours)
