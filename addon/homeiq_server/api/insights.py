"""``/api/v1/insights``: the home in a few numbers."""

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web
from msgspec import Struct, convert

from homeiq_server.store import finding_changes, overview

from .answer import ok
from .store import TENANT, home


class Battery(Struct, frozen=True, kw_only=True):
    """A battery that ends soon."""

    device_id: str
    name: str
    area: str | None
    level: float
    expected: datetime
    earliest: datetime
    latest: datetime


class Insights(Struct, frozen=True, kw_only=True):
    """How many devices there are and how they are; what is removed, disabled or no thing does not count.

    Attributes:
        devices_unhealthy: Fair or poor.
        open_findings: Not muted ones.
        batteries: Soonest first.
        cursor: The ``after`` that follows what becomes of findings from now on.
    """

    devices_total: int
    devices_unhealthy: int
    devices_learning: int
    devices_affected: int
    open_findings: int
    batteries: Sequence[Battery]
    cursor: int


async def get_insights(request: web.Request) -> web.Response:
    """Answer 200 with the numbers as they are now."""
    async with home(request) as conn:
        # First, so that nothing falls between it and the counts: a change may be told twice, and none is missed.
        cursor = await finding_changes.last(conn, TENANT)
        batteries = [convert(dict(row), Battery) for row in await overview.batteries(conn, TENANT)]
        insights = Insights(**await overview.counts(conn, TENANT), batteries=batteries, cursor=cursor)
    return ok(insights)


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve the insights."""
    router.add_get("/api/v1/insights", get_insights)
