"""The route table of device ingest: every noun of the tenants' API, its document, and the ways in for devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from aiohttp import web
from msgspec import json

from homeiq_server import VERSION
from homeiq_server.alerts.waking import Waking
from homeiq_server.api import ingest, provision
from homeiq_server.delivery.dispatch import Sender
from homeiq_server.ingest.message import Inbound, Outcome
from homeiq_server.options.ingest import IngestOptions
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Workers

from . import (
    alert_routes,
    alert_rules,
    alerts,
    deliveries,
    device_states,
    devices,
    home_assistant_events,
    integrations,
    own_tenant,
    quarantine,
    subscriptions,
    tenant_subscriptions,
    tenants,
    tokens,
    usage,
)
from .openapi import document
from .operation import AnyOperation
from .serving import Access
from .serving import serve as serve_operations

OPENAPI: str = "/tenant/v1/openapi.json"


class Gate(Protocol):
    """Takes messages of devices."""

    async def take(self, messages: Sequence[Inbound]) -> list[Outcome]:
        """Return what became of them, once that is on disk; RetryLater when nothing can be kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The parts that requests are answered from.

    Attributes:
        gate: Decides over messages.
        sender: Sends tests.
        waking: Wakes who waits for devices and alerts.
    """

    store: Workers
    changes: Changes
    waking: Waking
    gate: Gate
    sender: Sender
    options: IngestOptions


def operations(served: Served) -> tuple[AnyOperation, ...]:
    """Return all of them, in the order in which people read them."""
    return tuple(
        chain(
            devices.operations(),
            device_states.operations(served.waking),
            quarantine.operations(served.gate),
            alert_rules.operations(),
            alerts.operations(served.waking),
            integrations.operations(served.sender),
            alert_routes.operations(),
            deliveries.operations(),
            home_assistant_events.operations(served.changes, served.waking),
            usage.operations(served.options),
            own_tenant.operations(),
            tokens.operations(),
            subscriptions.operations(),
            tenants.operations(),
            tenant_subscriptions.operations(),
        )
    )


def serve(app: web.Application, served: Served, access: Access) -> None:
    """Serve tenants and their operator, those whom ``access`` knows, and the document to everybody."""
    every = operations(served)
    described = json.encode(document(every, version=VERSION))

    async def get_document(_request: web.Request) -> web.Response:
        return web.Response(body=described, content_type="application/json")

    app.router.add_get(OPENAPI, get_document)
    serve_operations(app.router, every, served.store, access)


def take_in(app: web.Application, served: Served) -> None:
    """Take in what devices send, and give them their tokens."""
    options = served.options
    ingest.serve(
        app,
        served.gate,
        ingest.BodyLimits(payload_bytes=options.ingest_payload_bytes, batch=options.ingest_batch),
    )
    provision.add_routes(app)
