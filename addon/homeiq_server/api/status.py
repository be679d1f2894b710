"""``GET /api/v1/status``: what ``homeiq_server.status`` builds, as JSON."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from homeiq_server.status.shape import Status

from .answer import ok

STATUS: Final[web.AppKey[Callable[[], Status]]] = web.AppKey("status")


async def get_status(request: web.Request) -> web.Response:
    """Answer 200, whatever the status: that it could be asked is what the code says."""
    return ok(request.app[STATUS]())
