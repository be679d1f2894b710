"""Messages for tests."""

from typing import Any

from homeiq_server.delivery.message import Message


def payload(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - each field has its own type
    """Return what is told of an alert."""
    values: dict[str, Any] = {
        "id": 7,
        "tenant_id": "home",
        "change": "opened",
        "severity": 5,
        "severity_name": "critical",
        "summary": "Too hot",
        "kind": "THRESHOLD",
        "device_id": "boiler",
        "site_id": "home",
        "opened_at": "2026-11-22T12:00:00+00:00",
        "at": "2026-11-22T12:00:00+00:00",
        "details": {"value": 91.5},
    }
    return values | fields


def message(kind: str = "webhook", config: dict[str, Any] | None = None, **fields: Any) -> Message:  # noqa: ANN401
    values: dict[str, Any] = {
        "message_id": "msg_1",
        "tenant_id": "home",
        "kind": kind,
        "config": config or {},
        "secrets": (),
        "payload": payload(),
    }
    return Message(**values | fields)
