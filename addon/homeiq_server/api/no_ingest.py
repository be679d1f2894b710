"""Where the routes of device ingest would be, if devices could send."""

from aiohttp import web

from homeiq_server.errors import NotFound


def add_routes(router: web.UrlDispatcher) -> None:
    """Answer every one of them with 404, and with what to do."""
    for prefix in ("ingest", "tenant", "operator"):
        router.add_route("*", f"/{prefix}/v1/{{more:.*}}", _switched_off)


async def _switched_off(_request: web.Request) -> web.StreamResponse:
    raise NotFound("device ingest is switched off: set the option ingest to on")
