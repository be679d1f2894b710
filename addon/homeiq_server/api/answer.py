"""How what was asked for is answered."""

from aiohttp import web
from msgspec import json


def ok(found: object) -> web.Response:
    """Return 200 with the JSON of it, which nobody may keep: the next answer will be another one."""
    return web.Response(
        body=json.encode(found),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
