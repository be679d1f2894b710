"""``POST /api/v1/statistics``: hours of Home Assistant's long-term statistics."""

from typing import Final

from aiohttp import web

from homeiq_server.intake import StatisticsIntake
from homeiq_server.wire import decode_statistics

from .answer import ok
from .body import body_of

STATISTICS: Final = web.AppKey("statistics", StatisticsIntake)


async def post_statistics(request: web.Request) -> web.Response:
    """Answer 200 with what became of the batch, once it is on disk; see ``wire/statistics.py`` for its shape."""
    request.app[STATISTICS].admit()
    async with body_of(request) as body:
        answer = await request.app[STATISTICS].accept(decode_statistics(body))
    return ok(answer)
