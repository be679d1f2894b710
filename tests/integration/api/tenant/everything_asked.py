"""For each operation a request about the rows of a tenant: he is answered, and another tenant learns nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import Mock

from homeiq_server.api.cursor import cursor_of
from homeiq_server.api.tenant import routes
from homeiq_server.api.tenant.caller import Scope
from homeiq_server.api.tenant.operation import AnyOperation
from homeiq_server.options.ingest import IngestOptions
from tests.integration.api.tenant.everything_rows import Rows

type Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request about somebody's rows.

    Attributes:
        parts: The open parts of the address.
        shows: Whose rows they are is answered their secret.
        stranger: What another tenant is answered who asks just this; not found, where an address names a row.
    """

    parts: Mapping[str, object] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    shows: bool = False
    stranger: int = 404


type _About = Callable[[Rows], Asked]


def _list(*, shows: bool = True, **query: Callable[[Rows], object]) -> _About:
    return lambda rows: Asked(query={name: str(of(rows)) for name, of in query.items()}, shows=shows, stranger=200)


def _make(body: Callable[[Rows], Json], *, shows: bool = False, stranger: int = 201) -> _About:
    return lambda rows: Asked(body=body(rows), shows=shows, stranger=stranger)


def _one(row: str, *, body: Json | None = None, shows: bool = True, name: str = "id") -> _About:
    return lambda rows: Asked(parts={name: getattr(rows, row)}, body=body, shows=shows)


def _device(*, body: Json | None = None, shows: bool = True) -> _About:
    return _one("device_id", name="device_id", body=body, shows=shows)


def _tenant(body: Json | None = None, *, shows: bool = True) -> _About:
    return lambda rows: Asked(parts={"tenant": rows.tenant_id}, body=body, shows=shows, stranger=403)


def _renewal(rows: Rows) -> Asked:
    return Asked(
        parts={"id": rows.subscription_id},
        body={"expected_term_end": rows.term_end.isoformat(), "term_days": 365},
        headers={"Idempotency-Key": "fresh"},
        shows=True,
    )


def _of_subscription(rows: Rows) -> Asked:
    return Asked(
        parts={"tenant": rows.tenant_id, "id": rows.subscription_id},
        body={"device_limit": 500},
        shows=True,
        stranger=403,
    )


_THRESHOLD: Final[Json] = {"name": "r", "kind": "THRESHOLD", "metric": "m", "operator": "GT", "threshold": 1}
_HOOK: Final[Json] = {"name": "w", "kind": "webhook", "config": {"url": "https://example.com/hook"}}
_TOKEN: Final[Json] = {"name": "t", "scopes": ["devices:read"]}

_ABOUT: Final[Mapping[str, _About]] = {
    "GET /tenant/v1/devices": _list(subscription_id=lambda rows: rows.subscription_id),
    "POST /tenant/v1/devices": _make(
        lambda rows: {"device_id": "new", "subscription_id": str(rows.subscription_id)}, stranger=404
    ),
    "POST /tenant/v1/devices/batch": _make(
        lambda rows: {"devices": [{"device_id": "new"}], "subscription_id": str(rows.subscription_id)}, stranger=404
    ),
    "GET /tenant/v1/devices/{device_id}": _device(),
    "PATCH /tenant/v1/devices/{device_id}": _device(body={"sw_version": "2"}),
    "DELETE /tenant/v1/devices/{device_id}": _device(shows=False),
    "POST /tenant/v1/devices/{device_id}/revoke": _device(),
    "POST /tenant/v1/devices/{device_id}/suspend": _device(),
    "POST /tenant/v1/devices/{device_id}/reactivate": _device(),
    "POST /tenant/v1/devices/{device_id}/rotate-token": _device(shows=False),
    "POST /tenant/v1/devices/{device_id}/activation-code": _device(shows=False),
    "GET /tenant/v1/device-states": _list(after=lambda _: cursor_of((0, ""))),
    "GET /tenant/v1/quarantine": _list(device_id=lambda rows: rows.device_id),
    "GET /tenant/v1/quarantine/summary": _list(shows=False),
    "GET /tenant/v1/quarantine/{id}": _one("quarantine_id"),
    "POST /tenant/v1/quarantine/replay": _make(lambda rows: {"ids": [rows.quarantine_id]}, stranger=200),
    "POST /tenant/v1/quarantine/discard": _make(lambda rows: {"ids": [rows.quarantine_id]}, stranger=200),
    "GET /operator/v1/quarantine": lambda _: Asked(stranger=403),
    "GET /tenant/v1/alert-rules": _list(),
    "POST /tenant/v1/alert-rules": _make(lambda rows: _THRESHOLD | {"device_ids": [rows.device_id]}),
    "GET /tenant/v1/alert-rules/{id}": _one("rule_id"),
    "PATCH /tenant/v1/alert-rules/{id}": _one("rule_id", body={"enabled": False}),
    "DELETE /tenant/v1/alert-rules/{id}": _one("rule_id", shows=False),
    "GET /tenant/v1/alerts": _list(rule=lambda rows: rows.rule_id),
    "GET /tenant/v1/alerts/trend": _list(shows=False),
    "GET /tenant/v1/alerts/{id}": _one("alert_id"),
    "POST /tenant/v1/alerts/{id}/acknowledge": _one("alert_id"),
    "POST /tenant/v1/alerts/{id}/unacknowledge": _one("alert_id"),
    "POST /tenant/v1/alerts/{id}/clear": _one("alert_id"),
    "POST /tenant/v1/alerts/{id}/silence": _one("alert_id", body={"until": None}),
    "GET /tenant/v1/alert-changes": _list(after=lambda _: cursor_of(0)),
    "GET /tenant/v1/integrations": _list(),
    "POST /tenant/v1/integrations": _make(lambda _: _HOOK),
    "GET /tenant/v1/integrations/{id}": _one("integration_id"),
    "PATCH /tenant/v1/integrations/{id}": _one("integration_id", body={"enabled": False}),
    "DELETE /tenant/v1/integrations/{id}": _one("integration_id", shows=False),
    "POST /tenant/v1/integrations/{id}/rotate-secret": _one("integration_id"),
    "POST /tenant/v1/integrations/{id}/retire-secret": _one("integration_id"),
    "POST /tenant/v1/integrations/{id}/test": _one("fetched_id", shows=False),
    "GET /tenant/v1/routes": _list(integration_id=lambda rows: rows.integration_id),
    "POST /tenant/v1/routes": _make(
        lambda rows: {"name": "r", "integration_id": str(rows.integration_id)}, stranger=400
    ),
    "GET /tenant/v1/routes/{id}": _one("route_id"),
    "PATCH /tenant/v1/routes/{id}": _one("route_id", body={"enabled": False}),
    "DELETE /tenant/v1/routes/{id}": _one("route_id", shows=False),
    "GET /tenant/v1/deliveries": _list(route_id=lambda rows: rows.route_id),
    "GET /tenant/v1/deliveries/{id}": _one("delivery_id"),
    "POST /tenant/v1/deliveries/replay": _make(lambda rows: {"ids": [rows.delivery_id]}, stranger=200),
    "POST /tenant/v1/deliveries/discard": _make(lambda rows: {"route_id": str(rows.route_id)}, stranger=200),
    "GET /tenant/v1/home-assistant-events": _list(),
    "POST /tenant/v1/home-assistant-events/delivered": _make(lambda rows: {"ids": [rows.waiting_id]}, stranger=200),
    "GET /tenant/v1/usage": _list(shows=False),
    "GET /tenant/v1/tenant": _list(),
    "PATCH /tenant/v1/tenant": _make(lambda _: {"auto_provision": False}, shows=True, stranger=200),
    "POST /tenant/v1/tenant/provisioning-key": lambda _: Asked(stranger=201),
    "DELETE /tenant/v1/tenant/provisioning-key": lambda _: Asked(stranger=204),
    "GET /tenant/v1/tokens": _list(),
    "POST /tenant/v1/tokens": _make(lambda _: _TOKEN),
    "DELETE /tenant/v1/tokens/{id}": _one("other_token_id", shows=False),
    "GET /tenant/v1/subscriptions": _list(),
    "GET /tenant/v1/subscriptions/{id}": _one("subscription_id"),
    "POST /tenant/v1/subscriptions/{id}/renewals": _renewal,
    "GET /tenant/v1/subscriptions/{id}/audit": _one("subscription_id"),
    "POST /operator/v1/tenants": _make(lambda rows: {"tenant_id": rows.device_id, "name": "n"}, stranger=403),
    "GET /operator/v1/tenants": lambda _: Asked(shows=True, stranger=403),
    "GET /operator/v1/tenants/{tenant}": _tenant(),
    "PATCH /operator/v1/tenants/{tenant}": _tenant({"messages_burst": 7}),
    "DELETE /operator/v1/tenants/{tenant}": _tenant(shows=False),
    "POST /operator/v1/tenants/{tenant}/tokens": _tenant(_TOKEN, shows=False),
    "GET /operator/v1/tenants/{tenant}/subscriptions": _tenant(),
    "POST /operator/v1/tenants/{tenant}/subscriptions": _tenant({"kind": "MAIN"}, shows=False),
    "PATCH /operator/v1/tenants/{tenant}/subscriptions/{id}": _of_subscription,
}


def key_of(operation: AnyOperation) -> str:
    return f"{operation.method} {operation.path}"


def about(operation: AnyOperation, rows: Rows) -> Asked:
    """Return what is asked; ``KeyError`` for an operation that nobody has thought of here."""
    return _ABOUT[key_of(operation)](rows)


def offered() -> tuple[AnyOperation, ...]:
    """Return all operations, with nothing behind them."""
    behind = routes.Served(
        store=Mock(), changes=Mock(), waking=Mock(), gate=Mock(), sender=Mock(), options=IngestOptions()
    )
    return routes.operations(behind)


def known() -> frozenset[str]:
    return frozenset(_ABOUT)


def is_of_operator(operation: AnyOperation) -> bool:
    return operation.scope is Scope.OPERATOR
