"""``/api/v1/gaps``: what is missing of a source's time, and the word of its backfill that a stretch is complete."""

from collections.abc import Sequence
from typing import Final, Protocol

from aiohttp import web
from msgspec import Struct

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.changes.complete_gap import Completed, Range
from homeiq_server.wire import read_body, read_query
from homeiq_server.wire.batch import Count, Name, TimeUs

from .answer import ok
from .body import body_of


class GapStore(Protocol):
    """Where gaps are kept."""

    async def uncovered(self, source: str, start_us: int, end_us: int) -> Sequence[Range]:
        """Return what is not known to be whole between two times."""
        ...

    async def covered_since_us(self, source: str) -> int | None:
        """Return from when on a source is covered, gaps apart; None when nothing has come live."""
        ...

    async def complete_gap(self, source: str, start_us: int, end_us: int, missed: int | None) -> Completed:
        """Note that all there is of a stretch has come, but for so many events."""
        ...


GAPS: Final[web.AppKey[GapStore]] = web.AppKey("gap_store")


class _Stretch(Struct, frozen=True, kw_only=True):
    source: Name
    start_us: TimeUs
    end_us: TimeUs


class _Complete(_Stretch, frozen=True, kw_only=True):
    missed: Count | None = None


class Found(Struct, frozen=True, kw_only=True):
    """What ``GET /api/v1/gaps`` answers; see ``Range``."""

    uncovered: Sequence[Range]
    covered_since_us: int | None


async def get_gaps(request: web.Request) -> web.Response:
    """Answer 200 with what is not known to be covered of a source within ``[start_us, end_us]``."""
    asked = read_query(_Stretch, request.query)
    if asked.start_us > asked.end_us:
        raise Rejected(f"end_us: {asked.end_us} is before start_us, {asked.start_us}")
    gaps = request.app[GAPS]
    since_us = await gaps.covered_since_us(asked.source)
    uncovered = await gaps.uncovered(asked.source, asked.start_us, asked.end_us)
    return ok(Found(uncovered=uncovered, covered_since_us=since_us))


async def post_complete(request: web.Request) -> web.Response:
    """Answer 200 once it is on disk that the stretch is complete."""
    async with body_of(request) as body:
        told = read_body(_Complete, body)
    if told.start_us >= told.end_us:
        raise Rejected(f"end_us: {told.end_us} is not after start_us, {told.start_us}")
    return ok(await request.app[GAPS].complete_gap(told.source, told.start_us, told.end_us, told.missed))
