"""``GET /api/v1/status``: what ``homeiq_server.status`` builds, as JSON."""

from collections.abc import Callable
from typing import Final

from aiohttp import web
from msgspec import json

from homeiq_server.status.shape import Status

STATUS: Final[web.AppKey[Callable[[], Status]]] = web.AppKey("status")


async def get_status(request: web.Request) -> web.Response:
    """Answer 200, whatever the status: that it could be asked is what the code says."""
    return web.Response(
        body=json.encode(request.app[STATUS]()),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
