"""Web pages of other origins: none may use the API, unless the options list them."""

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


def cors(origins: Collection[str]) -> Middleware:
    """Return a middleware that lets pages of ``origins`` use the API; they still need the token."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is None or origin not in origins:
            return await handler(request)
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = web.Response(status=204) if preflight else await handler(request)
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Vary"] = "Origin"
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        return response

    return check
