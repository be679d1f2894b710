"""``POST /api/v1/backfill``: state changes of the past, from Home Assistant's recorder."""

from typing import Final

from aiohttp import web

from homeiq_server.intake import EventIntake
from homeiq_server.wire import decode_backfill

from .answer import ok
from .body import body_of

BACKFILL: Final = web.AppKey("backfill", EventIntake)


async def post_backfill(request: web.Request) -> web.Response:
    """Answer 200 with what became of the batch, once it is on disk; its shape is that of ``/api/v1/events``."""
    request.app[BACKFILL].admit()
    async with body_of(request) as body:
        answer = await request.app[BACKFILL].accept(decode_backfill(body))
    return ok(answer)
