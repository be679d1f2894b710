"""The web page: three files, the same for everybody; what they show comes from ``api/v1/status``."""

from importlib.resources import files
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
PATHS: Final = frozenset(_FILES)

# Nothing inline and nothing from elsewhere; Home Assistant shows the page in a frame of its own origin.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve the files, relative to wherever ingress or a proxy has put us."""
    for path, (name, content_type) in _FILES.items():
        router.add_get(path, _serve((files("homeiq_server") / "web" / name).read_bytes(), content_type))


def _serve(body: bytes, content_type: str) -> Handler:
    async def get(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)

    return get
