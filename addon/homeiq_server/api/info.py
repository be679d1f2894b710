"""``GET /api/v1/info``: who this is and what it speaks; asked before there is a token."""

from typing import Final

from aiohttp import web
from msgspec import json

from homeiq_server import API_VERSION, MIN_API_VERSION, VERSION

SERVER_ID: Final = web.AppKey("server_id", str)


async def get_info(request: web.Request) -> web.Response:
    """Answer 200; both sides compare ``api_version`` and ``min_api_version`` with their own."""
    info = {
        "server_id": request.app[SERVER_ID],
        "name": "HomeIQ",
        "version": VERSION,
        "api_version": API_VERSION,
        "min_api_version": MIN_API_VERSION,
    }
    return web.Response(body=json.encode(info), content_type="application/json")
