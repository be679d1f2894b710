"""How a body is taken: by its promised length, within the memory that all requests share, and in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import ClientError, web

from homeiq_server.errors import TooLarge

from .budget import ByteBudget

MAX_BODY: Final = 4 * 1024 * 1024
BUDGET_BYTES: Final = 32 * 1024 * 1024
_READ_TIMEOUT_S: Final = 20

BUDGET: Final = web.AppKey("budget", ByteBudget)


@asynccontextmanager
async def body_of(request: web.Request) -> AsyncIterator[bytes]:
    """Yield the body; its bytes are held in the budget until the block ends."""
    with request.app[BUDGET].hold(_length(request)):
        yield await _read(request)


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
