"""Who may ask: the API wants the token, the page listens to one peer."""

from typing import Final

from aiohttp import BasicAuth, web
from aiohttp.typedefs import Handler, Middleware

from homeiq_server.errors import Unauthorized
from homeiq_server.token import Token

from . import dead_letters, influx, page

# Whoever sets the integration up compares versions before there is a token; InfluxDB's clients are asked by their own
# routes, in the ways that they know.
_OPEN: Final = frozenset({"/api/v1/info", *influx.PATHS})
# Who sends as a device or asks as a tenant has another token, which is looked for there.
_OWN_CHECK: Final = ("/ingest/v1/", "/tenant/v1/", "/operator/v1/")
_BASIC_TOO: Final = "/prometheus/"  # what Grafana can send: any user, the token as password
# What the page asks for. Reading only, because a browser adds Basic by itself, to whatever page makes it ask.
_READ_BY_BROWSERS: Final = frozenset(
    {
        *page.PATHS,
        "/api/v1/status",
        "/api/v1/insights",
        "/api/v1/devices",
        "/api/v1/findings",
        "/api/v1/hours",
        dead_letters.PATH,
    }
)
_READ_BELOW: Final = "/api/v1/devices/"
_CHANGED_BELOW: Final = "/api/v1/findings/"


def token_required(token: Token) -> Middleware:
    """Return a middleware that lets only those pass who show ``token``."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_open(request.path) and not token.matches(_claim(request)):
            raise Unauthorized(
                "send the app's token as 'Authorization: Bearer <token>'; it is in the file 'token' of its data"
            )
        return await handler(request)

    return check


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OWN_CHECK)


def _claim(request: web.Request) -> str:
    header = request.headers.get("Authorization", "")
    scheme, _, claim = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return claim.strip()
        case "basic" if _takes_basic(request):
            try:
                password: str = BasicAuth.decode(header).password
            except ValueError:
                return ""
            return password
        case _:
            return ""


def _takes_basic(request: web.Request) -> bool:
    path = request.path
    if request.method == "POST":
        return path.startswith(_CHANGED_BELOW) and page.asks(request)
    return path.startswith(_BASIC_TOO) or (
        request.method == "GET" and (path in _READ_BY_BROWSERS or path.startswith(_READ_BELOW))
    )


def only_from(peer: str) -> Middleware:
    """Return a middleware that answers nobody but ``peer``; who is allowed to see the page is decided there."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (request.remote or "").removeprefix("::ffff:") != peer:
            raise web.HTTPForbidden(text="this page is shown inside Home Assistant only: open the app's page there")
        return await handler(request)

    return check
