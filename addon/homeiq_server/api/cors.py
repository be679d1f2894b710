"""Web pages of other origins: none may use the API, unless the options list them."""

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


def allow(app: web.Application, origins: Collection[str]) -> None:
    """Let pages of ``origins`` use ``app``; they still need the token.

    The headers are set when an answer begins, because that of a streamed one is gone before its handler returns.
    """

    async def admit(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        if origin is not None and origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "ETag, Retry-After, Idempotency-Replayed"
            response.headers["Vary"] = "Origin"

    app.on_response_prepare.append(admit)


def preflights(origins: Collection[str]) -> Middleware:
    """Return a middleware that answers a browser's question, which it asks without the token."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_question = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not is_question or request.headers.get("Origin") not in origins:
            return await handler(request)
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match",
            },
        )

    return answer
