"""The OpenAPI 3.1 document, made of the operations themselves: what is not in them is not served."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from .caller import Scope
from .operation import AnyOperation, NoBody

type Json = dict[str, Any]

OF_ALL: Final = (400, 401, 403, 429, 503)
"""What every operation may be answered with, beside its own."""

_OPEN_PART: Final = re.compile(r"\{(\w+)\}")
_REFERENCE: Final = "#/components/schemas/{name}"
_MEANINGS: Final = {
    400: "Something in the request is malformed; detail names the field and the remedy.",
    401: "The token is missing, unknown, expired or revoked.",
    403: "The token does not allow this, or its tenant is suspended.",
    404: "There is no such thing, or it is another tenant's.",
    409: "Something that is there stands against it.",
    412: "If-Match names another version than the present one.",
    413: "The request is too large.",
    422: "The Idempotency-Key was used for something else.",
    429: "Too many requests; Retry-After tells when.",
    502: "The server behind refuses us.",
    503: "Not now; Retry-After tells when.",
}
_PROBLEM: Final[Json] = {
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
_IF_MATCH: Final[Json] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the decision is based on; refused with 412 when the thing has changed since.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"\d{1,9}")$'},
}
_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A fresh word for each thing that is to be done; sent again with it, nothing is done twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}


def document(operations: Sequence[AnyOperation], *, version: str) -> Json:
    """Return the document of the operations, as of ``version`` of the server."""
    shapes = [shape for operation in operations for shape in _shapes(operation)]
    schemas, components = msgspec.json.schema_components(shapes, schema_hook=_schema, ref_template=_REFERENCE)
    known = dict(zip(map(id, shapes), schemas, strict=True))
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HomeIQ: tenants, their devices and alerts",
            "version": version,
            "description": "The tenant is that of the token. Times are RFC 3339 in UTC. Severity is 1 (for information)"
            " to 5 (critical).",
        },
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A tenant's token, or the app's own, which is the home's and the operator's.",
                }
            },
        },
    }


def _schema(kind: type) -> Json:
    """Return the schema of what msgspec has none for: any JSON value."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def _shapes(operation: AnyOperation) -> Iterable[Any]:
    if operation.body is not NoBody:
        yield operation.body
    if operation.answer is not None:
        yield operation.answer


def _described(operation: AnyOperation, known: Mapping[int, Json]) -> Json:
    described: Json = {
        "operationId": _name(operation),
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": _allowed(operation.scope),
        "parameters": [*_open_parts(operation.path), *_parameters(operation.query), *_headers(operation)],
        "responses": _responses(operation, known),
    }
    if operation.body is not NoBody:
        content = {"application/json": {"schema": known[id(operation.body)]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _name(operation: AnyOperation) -> str:
    words = re.findall(r"[a-z0-9]+", operation.path.lower())
    return "_".join((operation.method.lower(), *(word for word in words if word != "v1")))


def _allowed(scope: Scope | None) -> str:
    if scope is None:
        return "For every token."
    if scope is Scope.OPERATOR:
        return "For the operator: the app's own token."
    return f"Needs the scope {scope.value}."


def _open_parts(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _OPEN_PART.findall(path)
    ]


def _parameters(query: type[msgspec.Struct]) -> list[Json]:
    """Return the query's fields, with what they refer to put in its place: parameters share nothing."""
    (schema,), components = msgspec.json.schema_components((query,), schema_hook=_schema, ref_template=_REFERENCE)
    whole = _inlined(schema, components)
    required = whole.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(shape)}
        for name, shape in whole["properties"].items()
    ]


def _inlined(schema: Any, components: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    match schema:
        case {"$ref": str(reference)}:
            return _inlined(components[reference.rpartition("/")[2]], components)
        case dict():
            return {key: _inlined(value, components) for key, value in schema.items()}
        case list():
            return [_inlined(value, components) for value in schema]
        case _:
            return schema


def _without_null(shape: Json) -> Json:
    """Return the shape of a parameter that is given: left out is left out, there is no null in an address."""
    shape = {key: value for key, value in shape.items() if key != "default" or value is not None}
    if "anyOf" in shape and {"type": "null"} in shape["anyOf"]:
        others = [one for one in shape["anyOf"] if one != {"type": "null"}]
        shape.pop("anyOf")
        return shape | others[0] if len(others) == 1 else shape | {"anyOf": others}
    return shape


def _headers(operation: AnyOperation) -> list[Json]:
    headers = []
    if operation.versioned and operation.method != "GET":
        headers.append(_IF_MATCH)
    if operation.idempotent:
        headers.append(_IDEMPOTENCY_KEY)
    return headers


def _responses(operation: AnyOperation, known: Mapping[int, Json]) -> Json:
    if operation.answer is None:
        status = 204 if operation.status == HTTPStatus.OK else operation.status
        responses: Json = {str(status): {"description": "Done."}}
    else:
        content = {"application/json": {"schema": known[id(operation.answer)]}}
        responses = {str(operation.status): {"description": "Done.", "content": content}}
    problem = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(name="Problem")}}}
    for status in sorted({*OF_ALL, *operation.problems, *((413,) if operation.body is not NoBody else ())}):
        responses[str(status)] = {"description": _MEANINGS[status], "content": problem}
    return responses
