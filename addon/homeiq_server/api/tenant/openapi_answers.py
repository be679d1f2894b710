"""Answers as the document tells of them: what each status means, and the headers that come with it."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from .openapi_shapes import REFERENCE

type Json = dict[str, Any]

OF_BODIES: Final = (408, 411, 413, 415)
"""What every operation with a body may be answered with, beside its own."""

PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457. A program may rely on type and status; people read title and detail.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "Also in the server's log, of faults of its own."},
    },
}
_MEANINGS: Final = {
    400: "Something in the request is malformed; detail names the field and the remedy.",
    401: "The token is missing, unknown, expired or revoked.",
    403: "The token does not allow this, or its tenant is suspended.",
    404: "There is no such thing, or it is another tenant's.",
    408: "The body did not come in time.",
    409: "Something that is there stands against it.",
    411: "Content-Length is missing.",
    412: "If-Match names another version than the present one.",
    413: "The request is too large.",
    415: "The body is packed in a way that is not taken.",
    422: "The Idempotency-Key was used for something else.",
    429: "Too many requests; Retry-After tells when.",
    502: "The server behind refuses us.",
    503: "Not now; Retry-After tells when.",
}
_RETRY_AFTER: Final[Json] = {
    "Retry-After": {
        "required": True,
        "description": "Seconds until the same may work.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_CHALLENGE: Final[Json] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
_HEADERS: Final = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


def problems(statuses: Iterable[int], *, name: str = "Problem") -> Json:
    """Return the answers with these statuses; ``name`` is their schema's."""
    content = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(name=name)}}}
    answers: Json = {}
    for status in sorted(set(statuses)):
        answers[str(status)] = {"description": _MEANINGS[status], "content": content}
        if status in _HEADERS:
            answers[str(status)]["headers"] = _HEADERS[status]
    return answers


def success(status: int, schema: Json | None, headers: Json) -> Json:
    """Return the answer that it is done; without a schema it has no body."""
    answer: Json = {"description": "Done."}
    if schema is None:
        status = HTTPStatus.NO_CONTENT if status == HTTPStatus.OK else status
    else:
        answer["content"] = {"application/json": {"schema": schema}}
    if headers:
        answer["headers"] = headers
    return {str(int(status)): answer}
