"""The one map from errors to HTTP: RFC 9457 problems, whose ``detail`` names the fault and the remedy."""

import logging
import math
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import json

from homeiq_server.errors import (
    Conflict,
    Forbidden,
    HomeIQError,
    KeyReused,
    Misconfigured,
    NotFound,
    Outdated,
    Rejected,
    RetryLater,
    SequenceHole,
    StaleRevision,
    TooLarge,
    TooMany,
    Unauthorized,
)

_LOGGER = logging.getLogger(__name__)

_RETRY_AFTER_S: Final = 5
_CHALLENGE: Final = 'Bearer realm="HomeIQ", Basic realm="HomeIQ: any user, the token as password"'

# Class, status, slug and title. The slug is what a program may rely on.
_PROBLEMS: Final[dict[type[HomeIQError], tuple[int, str, str]]] = {
    Rejected: (400, "malformed", "The request is malformed"),
    Unauthorized: (401, "unauthorized", "The token is missing or wrong"),
    Forbidden: (403, "forbidden", "This is not allowed"),
    NotFound: (404, "not-found", "There is no such thing"),
    SequenceHole: (409, "sequence-hole", "Batches are missing"),
    StaleRevision: (409, "stale-revision", "The registries have moved on"),
    Conflict: (409, "conflict", "Something stands against it"),
    Outdated: (412, "outdated", "It has changed meanwhile"),
    TooLarge: (413, "too-large", "The request is too large"),
    KeyReused: (422, "key-reused", "The key was used for another request"),
    TooMany: (429, "too-many", "Too many requests"),
    Misconfigured: (502, "misconfigured", "The server behind refuses us"),
    RetryLater: (503, "retry-later", "Not now"),
}


@web.middleware
async def errors_to_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error with a problem; an unforeseen one is logged and stays a 500."""
    try:
        return await handler(request)
    except HomeIQError as err:
        return _of_ours(err)
    except web.HTTPException as err:
        if err.status < 400:  # noqa: PLR2004  # a redirect is no error
            raise
        detail = (
            err.text if err.text and err.text != f"{err.status}: {err.reason}" else f"{request.method} {request.path}"
        )
        return problem(err.status, err.reason.lower().replace(" ", "-"), err.reason, detail, headers=err.headers)
    except Exception:
        request_id = _request_id()
        _LOGGER.exception("%s %s failed (request %s)", request.method, request.path, request_id)
        detail = "This is our fault: its log tells more."
        return problem(500, "fault", "A fault of the server", detail, request_id=request_id)


def problem(
    status: int,
    slug: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] = MappingProxyType({}),
    **members: object,
) -> web.Response:
    """Return a problem; ``members`` are its own beside the standard ones and the ``request_id``."""
    members.setdefault("request_id", _request_id())
    kept = {name: value for name, value in headers.items() if name in ("Allow", "Retry-After", "WWW-Authenticate")}
    return web.Response(
        status=status,
        body=json.encode(
            {"type": f"about:blank#{slug}", "title": title, "status": status, "detail": detail, **members}
        ),
        content_type="application/problem+json",
        headers=kept,
    )


def status_and_headers(err: HomeIQError) -> tuple[int, dict[str, str]]:
    """Return how an error is answered, in whatever form its text is."""
    headers: dict[str, str] = {}
    if isinstance(err, RetryLater):
        headers["Retry-After"] = str(_RETRY_AFTER_S if err.after is None else max(1, math.ceil(err.after)))
    elif isinstance(err, TooMany):
        headers["Retry-After"] = str(max(1, math.ceil(err.after)))
    elif isinstance(err, Unauthorized):
        headers["WWW-Authenticate"] = _CHALLENGE
    return _row(err)[0], headers


def _request_id() -> str:
    return secrets.token_hex(8)


def _row(err: HomeIQError) -> tuple[int, str, str]:
    return next((_PROBLEMS[cls] for cls in type(err).__mro__ if cls in _PROBLEMS), (500, "fault", "A fault"))


def _of_ours(err: HomeIQError) -> web.Response:
    _, slug, title = _row(err)
    status, headers = status_and_headers(err)
    return problem(status, slug, title, str(err), headers=headers, **_members(err))


def _members(err: HomeIQError) -> dict[str, object]:
    """Return what a program reads of an error beside its slug."""
    match err:
        case SequenceHole():
            return {"expected": err.expected}
        case StaleRevision():
            return {"revision": err.revision}
        case _:
            return {}
