"""The OpenAPI 3.1 document, made of the operations themselves: what is not in them is not served."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from . import openapi_devices
from .caller import Scope
from .device_shape import DeviceId
from .openapi_answers import OF_BODIES, PROBLEM, problems, success
from .openapi_shapes import Shapes
from .operation import AnyOperation, IdempotencyKey, NoBody
from .tenant_shape import TenantId

type Json = dict[str, Any]

OF_ALL: Final = (400, 401, 403, 429, 503)
"""What every operation may be answered with, beside its own."""

_OPEN_PART: Final = re.compile(r"(?P<noun>[^/]+)/\{(?P<name>\w+)\}")
_NUMBERED: Final = frozenset({"alerts", "deliveries", "quarantine"})
"""The nouns whose ids are numbers; those of the others are UUIDs, or names that people gave."""

_NUMBER: Final[Json] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_UUID: Final[Json] = {"type": "string", "format": "uuid"}
_IF_MATCH: Final[Json] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the decision is based on; refused with 412 when the thing has changed since.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"\d{1,9}")$(?!\n)'},
}
_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A fresh word for each thing that is to be done; sent again with it, nothing is done twice.",
    "schema": msgspec.json.schema(IdempotencyKey),
}
_ETAG: Final[Json] = {"description": "The version, for If-Match.", "schema": {"type": "string"}}
_LOCATION: Final[Json] = {"description": "Where it is from now on.", "schema": {"type": "string"}}
_REPLAYED: Final[Json] = {
    "description": "It was done before, and this is what was answered then.",
    "schema": {"const": "true"},
}


def document(operations: Sequence[AnyOperation], *, version: str) -> Json:
    """Return the document of the operations and of what devices ask for, as of ``version`` of the server."""
    shapes = Shapes([*(shape for each in operations for shape in _shapes(each)), *openapi_devices.SHAPES])
    queries = Shapes([each.query for each in operations])  # parameters share nothing with bodies
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, shapes, queries)
    tags = [*dict.fromkeys(operation.tag for operation in operations), openapi_devices.TAG]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HomeIQ: tenants, their devices and alerts",
            "version": version,
            "description": "The tenant is that of the token. Times are RFC 3339 in UTC. Severity is 1 (for information)"
            " to 5 (critical).",
        },
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in tags],
        "paths": paths | openapi_devices.paths(shapes),
        "components": {
            "schemas": shapes.components | openapi_devices.components(shapes) | {"Problem": PROBLEM},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A tenant's token, or the app's own, which is the home's and the operator's.",
                },
                **openapi_devices.SECURITY,
            },
        },
    }


def _shapes(operation: AnyOperation) -> Iterable[Any]:
    if operation.body is not NoBody:
        yield operation.body
    if operation.answer is not None:
        yield operation.answer


def _described(operation: AnyOperation, shapes: Shapes, queries: Shapes) -> Json:
    described: Json = {
        "operationId": _name(operation),
        "tags": [operation.tag],
        "summary": operation.summary.rstrip("."),
        "description": _allowed(operation.scope),
        "parameters": [
            *_open_parts(operation.path),
            *_parameters(queries.inlined(operation.query)),
            *_headers(operation),
        ],
        "responses": _responses(operation, shapes),
    }
    if operation.body is not NoBody:
        content = {"application/json": {"schema": shapes.of(operation.body)}}
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
        {"name": found["name"], "in": "path", "required": True, "schema": _id_of(found["noun"], found["name"])}
        for found in _OPEN_PART.finditer(path)
    ]


def _id_of(noun: str, name: str) -> Json:
    named: Mapping[str, Any] = {"device_id": DeviceId, "tenant": TenantId}
    if name in named:
        return msgspec.json.schema(named[name])
    return _NUMBER if noun in _NUMBERED else _UUID


def _parameters(whole: Json) -> list[Json]:
    """Return the query's fields."""
    required = whole.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(shape)}
        for name, shape in whole["properties"].items()
    ]


def _without_null(shape: Json) -> Json:
    """Return the shape of a parameter that is given: left out is left out, there is no null in an address."""
    shape = {key: value for key, value in shape.items() if key != "default" or value is not None}
    if "anyOf" in shape and {"type": "null"} in shape["anyOf"]:
        others = [one for one in shape.pop("anyOf") if one != {"type": "null"}]
        return others[0] | shape if len(others) == 1 else shape | {"anyOf": others}
    return shape


def _headers(operation: AnyOperation) -> list[Json]:
    headers = []
    if operation.versioned and operation.method != "GET":
        headers.append(_IF_MATCH)
    if operation.idempotent:
        headers.append(_IDEMPOTENCY_KEY)
    return headers


def _responses(operation: AnyOperation, shapes: Shapes) -> Json:
    schema = None if operation.answer is None else shapes.of(operation.answer)
    of_bodies = () if operation.body is NoBody else OF_BODIES
    done = success(operation.status, schema, _answer_headers(operation))
    return done | problems((*OF_ALL, *operation.problems, *of_bodies))


def _answer_headers(operation: AnyOperation) -> Json:
    headers: Json = {}
    if "version" in getattr(operation.answer, "__struct_fields__", ()):
        headers["ETag"] = _ETAG | {"required": operation.versioned}
    if operation.status == 201:  # noqa: PLR2004 - of HTTP
        headers["Location"] = _LOCATION
    if operation.idempotent:
        headers["Idempotency-Replayed"] = _REPLAYED
    return headers
