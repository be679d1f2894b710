"""Where the routes about devices would be, if there were a store."""

from typing import Final

from aiohttp import web

from homeiq_server.errors import NotFound

PATHS: Final = tuple(
    f"/api/v1/{noun}"
    for noun in ("devices", "findings", "finding-changes", "hours", "insights", "registry", "reported")
)


def add_routes(router: web.UrlDispatcher) -> None:
    """Answer every one of them with 404, and with what to do."""
    for path in PATHS:
        router.add_route("*", path, _switched_off)
        router.add_route("*", path + "/{more:.+}", _switched_off)


async def _switched_off(_request: web.Request) -> web.StreamResponse:
    raise NotFound("the store is switched off: set the option store to on")
