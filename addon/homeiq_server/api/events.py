"""``POST /api/v1/events``: a batch of state changes, acknowledged once it is on disk."""

import asyncio
from typing import Final

from aiohttp import ClientError, web
from msgspec import json

from homeiq_server import wire
from homeiq_server.errors import TooLarge
from homeiq_server.intake import EventIntake

from .budget import ByteBudget

MAX_BODY: Final = 4 * 1024 * 1024
BUDGET_BYTES: Final = 32 * 1024 * 1024
_READ_TIMEOUT_S: Final = 20

INTAKE: Final = web.AppKey("intake", EventIntake)
BUDGET: Final = web.AppKey("budget", ByteBudget)


async def post_events(request: web.Request) -> web.Response:
    """Answer 200 with what became of the batch, see ``wire.py`` for its shape.

    A sender that goes away does not undo the commit: the server does not cancel a request whose client is gone.
    """
    request.app[INTAKE].admit()
    length = _length(request)
    with request.app[BUDGET].hold(length):
        answer = await request.app[INTAKE].accept(wire.decode(await _read(request)))
    return web.Response(body=json.encode(answer), content_type="application/json")


def _length(request: web.Request) -> int:
    """Return the body's length as the sender promises it; HTTP itself ends the body there."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding != "identity":
        raise web.HTTPUnsupportedMediaType(
            text=f"Content-Encoding {encoding[:50]!r} is not taken: send the body as it is"
        )
    if (length := request.content_length) is None:
        raise web.HTTPLengthRequired(text="Content-Length is missing: send it, and no chunks")
    if length > MAX_BODY:
        raise TooLarge(f"the body has {length} bytes, at most {MAX_BODY} are taken: send several batches")
    return length


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            return await request.read()
    except TimeoutError as err:
        raise web.HTTPRequestTimeout(text=f"the body did not come within {_READ_TIMEOUT_S} s") from err
    except (ClientError, OSError) as err:
        raise web.HTTPBadRequest(text="the connection ended before the body did") from err
