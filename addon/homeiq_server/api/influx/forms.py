"""Errors in InfluxDB's own forms, which its clients read: ``{"error"}`` of version 1, ``{"code", "message"}`` of 2."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from aiohttp import web
from msgspec import json

from homeiq_server.api.errors import status_and_headers
from homeiq_server.errors import HomeIQError, Unauthorized
from homeiq_server.token import Token

from .claims import claim

_LOGGER = logging.getLogger(__name__)

type Version = Literal[1, 2]
type Handler = Callable[[web.Request], Awaitable[web.Response]]

_CODES: Final = {
    400: "invalid",
    401: "unauthorized",
    404: "not found",
    405: "method not allowed",
    413: "request too large",
    415: "unsupported media type",
    500: "internal error",
    503: "unavailable",
}
# Home Assistant's own integration looks for "authorization failed".
_UNAUTHORIZED: Final = "authorization failed: give the app's token as the password of any user, or as the token"


def guarded(handler: Handler, *, version: Version, token: Token) -> Handler:
    """Return the handler behind the check of the token, and with its errors in a version's form."""

    async def answer(request: web.Request) -> web.Response:
        try:
            _check(request, token)
            return await handler(request)
        except HomeIQError as err:
            status, headers = status_and_headers(err)
            return failure(status, str(err), version=version, headers=headers)
        except web.HTTPException as err:
            return failure(err.status, err.text or err.reason, version=version)
        except Exception:
            _LOGGER.exception("%s %s failed", request.method, request.path)
            return failure(500, "a fault of HomeIQ: its log tells more", version=version)

    return answer


def _check(request: web.Request, token: Token) -> None:
    if not token.matches(claim(request)):
        raise Unauthorized(_UNAUTHORIZED)


def failure(
    status: int, message: str, *, version: Version, headers: Mapping[str, str] = MappingProxyType({})
) -> web.Response:
    """Return an error in a version's form."""
    body = {"error": message} if version == 1 else {"code": _CODES.get(status, "invalid"), "message": message}
    return web.Response(status=status, body=json.encode(body), content_type="application/json", headers=headers)
