"""The web page: a few files, the same for everybody; what they show comes from the API."""

from importlib.resources import files
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

_MODULES: Final = (
    "page",
    "dom",
    "health",
    "findings",
    "devices",
    "device",
    "history",
    "plot",
    "api",
    "schemas",
    "actions",
    "lists",
    "secret",
    "severity",
    "states",
    "reasons",
    "examples",
    "device_token",
    "ingest",
    "ingest_add",
    "ingest_devices",
    "registration",
    "refused",
    "usage",
    "alerts",
    "alert_lists",
    "alert_words",
    "rules",
    "rule_form",
    "destinations",
    "destination_form",
    "failed_deliveries",
)
_FILES: Final = {
    "/": ("index.html", "text/html"),
    "/api.html": ("api.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in _MODULES},
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


def asks(request: web.Request) -> bool:
    """Return whether the page itself asks for a change: no form and no page of another origin can set this header."""
    return request.headers.get("X-HomeIQ-Page") == "1"


@web.middleware
async def changes_by_the_page_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nothing be changed that the page has not asked for."""
    if request.method not in ("GET", "HEAD") and not asks(request):
        raise web.HTTPForbidden(text="only the page itself can change something here")
    return await handler(request)


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve the files, relative to wherever ingress or a proxy has put us."""
    for path, (name, content_type) in _FILES.items():
        router.add_get(path, _serve((files("homeiq_server") / "web" / name).read_bytes(), content_type))


def _serve(body: bytes, content_type: str) -> Handler:
    async def get(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)

    return get
