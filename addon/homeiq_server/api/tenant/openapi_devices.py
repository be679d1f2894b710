"""What devices ask for, in the document: they show tokens of their own, or have none yet."""

from typing import Any, Final

from homeiq_server.api.ingest import BATCH, SINGLE
from homeiq_server.api.ingest_answers import BatchTaken, Taken
from homeiq_server.api.provision import Activate, Given, Provision
from homeiq_server.ingest.message import Reason

from .device_shape import DeviceId
from .openapi_answers import OF_BODIES, PROBLEM, problems, success
from .openapi_shapes import REFERENCE, Shapes
from .tenant_shape import TenantId

type Json = dict[str, Any]

TAG: Final = "Messages of devices"
SHAPES: Final = (Taken, BatchTaken, Activate, Given, Provision, Reason, TenantId, DeviceId)
"""What the operations of devices are described with."""

SECURITY: Final[Json] = {
    "device": {"type": "apiKey", "in": "header", "name": "X-Provision-Token", "description": "The device's own."},
    "device_bearer": {"type": "http", "scheme": "bearer", "description": "The same, for who cannot name a header."},
}
_OF_DEVICES: Final[tuple[Json, ...]] = (
    {"device": []},
    {"device_bearer": []},
    {},
)  # the last: the token is in the message

_METRIC: Final[Json] = {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "string", "maxLength": 255}]}
_MESSAGE: Final[Json] = {
    "type": "object",
    "description": "A message. Telemetry without metrics: its other members are the metrics, if they are no objects.",
    "properties": {
        "version": {"const": "1"},
        "ts": {
            "description": "When it was measured: ISO 8601, or Unix seconds or milliseconds; now, if left out.",
            "anyOf": [{"type": "string"}, {"type": "number"}],
        },
        "tenant_id": {"type": "string", "description": "As in the address; needed in a batch, as the next two."},
        "device_id": {"type": "string"},
        "msg_type": {"type": "string", "description": "telemetry, heartbeat, or a word of your own."},
        "site_id": {"type": "string", "description": "The device's own, if it is given."},
        "seq": {"type": "integer"},
        "token": {"type": "string", "description": "The device's token, for who can set no header."},
        "metrics": {"type": "object", "additionalProperties": _METRIC},
        "lat": {"type": "number", "description": "Degrees; latitude and longitude are read, too."},
        "lng": {"type": "number"},
    },
}


def components(shapes: Shapes) -> Json:
    """Return the schemas that the paths refer to, beside those of ``SHAPES``."""
    code = shapes.of(Reason) | {"description": "Why the message is refused, when it is the message that is."}
    refusal = {**PROBLEM, "properties": {**PROBLEM["properties"], "code": code}}
    return {"Message": _MESSAGE, "Refusal": refusal}


def paths(shapes: Shapes) -> Json:
    """Return what devices can ask for."""
    given = shapes.of(Given)
    return {
        SINGLE: {"post": _single(shapes)},
        BATCH: {"post": _batch(shapes)},
        "/ingest/v1/activate": {
            "post": _enrolment(
                "activate_device",
                "Get a token for an activation code, which is used up then",
                shapes.of(Activate),
                success(200, given, {}) | problems((400, 403, 429, 503, *OF_BODIES)),
            )
        },
        "/ingest/v1/provision": {
            "post": _enrolment(
                "provision_device",
                "Register a device with the tenant's provisioning key, or get a new token for it",
                shapes.of(Provision),
                success(200, given, {}) | success(201, given, {}) | problems((400, 403, 409, 429, 503, *OF_BODIES)),
            )
        },
    }


def _single(shapes: Shapes) -> Json:
    parts = {
        "tenant_id": shapes.inlined(TenantId),
        "device_id": shapes.inlined(DeviceId),
        "msg_type": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,64}$(?!\n)"},
    }
    return {
        "operationId": "send_message",
        "tags": [TAG],
        "summary": "Send one message; it is on disk when it is accepted",
        "security": _OF_DEVICES,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": shape} for name, shape in parts.items()
        ],
        "requestBody": _json({"$ref": REFERENCE.format(name="Message")}),
        "responses": success(202, shapes.of(Taken), {})
        | problems((400, 401, 403, 408, 413, 415, 429, 503), name="Refusal"),
    }


def _batch(shapes: Shapes) -> Json:
    messages = {"type": "array", "minItems": 1, "items": {"$ref": REFERENCE.format(name="Message")}}
    body = _json({"type": "object", "required": ["messages"], "properties": {"messages": messages}})
    body["content"]["application/x-ndjson"] = {"schema": {"type": "string", "description": "A message on each line."}}
    return {
        "operationId": "send_batch",
        "tags": [TAG],
        "summary": "Send several messages, also of several devices; each has a result of its own",
        "security": _OF_DEVICES,
        "requestBody": body,
        "responses": success(202, shapes.of(BatchTaken), {}) | problems((400, 408, 413, 415, 503)),
    }


def _enrolment(name: str, summary: str, body: Json, responses: Json) -> Json:
    return {
        "operationId": name,
        "tags": [TAG],
        "summary": summary,
        "security": [],
        "requestBody": _json(body),
        "responses": responses,
    }


def _json(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
