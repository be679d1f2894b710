"""How a body is taken: by its promised length, within the memory that all requests share, and in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientError, web

from homeiq_server.errors import TooLarge

from .budget import ByteBudget

MAX_BODY: Final = 4 * 1024 * 1024
_READ_TIMEOUT_S: Final = 20

BUDGET: Final = web.AppKey("budget", ByteBudget)
"""For bodies, from before they are read until they are answered."""

WORK: Final = web.AppKey("work", ByteBudget)
"""For bodies that are worked on: each is in memory several times then, as objects, as lines, on its way to the disk."""


def open_budgets(app: web.Application) -> None:
    """Let all routes of the app share the memory: one of the largest that is worked on, and half of one that comes."""
    app[BUDGET] = ByteBudget(MAX_BODY * 3 // 2, patience_s=5)
    app[WORK] = ByteBudget(MAX_BODY, patience_s=20)


@asynccontextmanager
async def body_of(request: web.Request) -> AsyncIterator[bytearray]:
    """Yield the body; its bytes are held in the budgets until the block ends.

    Raises:
        TooLarge: It is larger than ``MAX_BODY``.
        RetryLater: There is no room for it at the moment.
    """
    length = _length(request)
    async with request.app[BUDGET].hold(length):
        body = await _read(request, length)
        async with request.app[WORK].hold(length):
            yield body


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


async def _read(request: web.Request, length: int) -> bytearray:
    """Return the body; ``request.read()`` would have it in memory twice."""
    body, end = bytearray(length), 0
    request.content.set_read_chunk_size(MAX_BODY)  # it is admitted now, and may come without a pause
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            while chunk := await request.content.readany():
                start, end = end, end + len(chunk)
                body[start:end] = chunk
    except TimeoutError as err:
        raise web.HTTPRequestTimeout(text=f"the body did not come within {_READ_TIMEOUT_S} s") from err
    except (ClientError, OSError) as err:
        raise web.HTTPBadRequest(text="the connection ended before the body did") from err
    return body
