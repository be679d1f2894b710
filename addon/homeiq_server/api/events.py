"""``POST /api/v1/events``: a batch of state changes, acknowledged once it is on disk."""

from typing import Final

from aiohttp import web

from homeiq_server.intake import EventIntake
from homeiq_server.wire import decode_events

from .answer import ok
from .body import body_of

INTAKE: Final = web.AppKey("intake", EventIntake)


async def post_events(request: web.Request) -> web.Response:
    """Answer 200 with what became of the batch, see ``wire/events.py`` for its shape.

    A sender that goes away does not undo the commit: the server does not cancel a request whose client is gone.
    """
    request.app[INTAKE].admit()
    async with body_of(request) as body:
        answer = await request.app[INTAKE].accept(decode_events(body))
    return ok(answer)
