"""Tenants, devices and their messages, as tests of ingest need them."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from homeiq_server.credentials import digest
from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Inbound, Refused
from homeiq_server.model import Intake, Receipt
from homeiq_server.store.changes import Change
from homeiq_server.store.known import KnownDevice, KnownTenant
from homeiq_server.store.pool import Conn

NOW_US = 1_790_000_000_000_000
TOKEN = "hid_of-the-device"
KEY = "hik_of-the-tenant"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def tenant(tenant_id: str = "acme", **more: Any) -> KnownTenant:  # noqa: ANN401 - each field has its own type
    """Return an active tenant whose devices do not register themselves."""
    fields: dict[str, Any] = {
        "tenant_id": tenant_id,
        "status": "ACTIVE",
        "auto_provision": False,
        "provisioning_key_hash": None,
        "messages_per_second": None,
        "messages_burst": None,
    }
    return KnownTenant(**fields | more)


def device(device_id: str = "d1", tenant_id: str = "acme", **more: Any) -> KnownDevice:  # noqa: ANN401 - the same
    """Return an active device whose token is ``TOKEN``."""
    fields: dict[str, Any] = {
        "tenant_id": tenant_id,
        "device_id": device_id,
        "site_id": "north",
        "status": "ACTIVE",
        "token_hash": digest(TOKEN),
        "provisioned_by": "api",
        "subscription_status": "ACTIVE",
        "heartbeat_s": None,
    }
    return KnownDevice(**fields | more)


def inbound(
    body: object = None,
    *,
    topic: str = "tenant/acme/device/d1/telemetry",
    **more: Any,  # noqa: ANN401 - the same
) -> Inbound:
    """Return a message by MQTT with the device's token: bytes as they are, all else as JSON."""
    if body is None:
        body = {"metrics": {"temperature": 21.5}}
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields: dict[str, Any] = {"transport": "mqtt", "token": TOKEN, "received_us": NOW_US}
    return Inbound(topic=topic, payload=payload, **fields | more)


class Changes:
    """Tells what a test wants to have changed."""

    def __init__(self) -> None:
        self.is_listening = True
        self.heard: Callable[[Change], None] = lambda _: None
        self.missed: Callable[[], None] = lambda: None

    def follow(self, heard: Callable[[Change], None], missed: Callable[[], None]) -> None:
        self.heard, self.missed = heard, missed


class SpoolOf:
    """Keeps what is put; refuses while told to."""

    def __init__(self) -> None:
        self.kept: list[Intake] = []
        self.error: Exception | None = None

    async def put(self, intake: Intake) -> Receipt:
        if self.error:
            raise self.error
        self.kept.append(intake)
        return Receipt()

    @property
    def received(self) -> int:
        return sum(intake.tally.received for intake in self.kept)


class Quarantined:
    """Keeps what is refused; is down while told to."""

    def __init__(self) -> None:
        self.kept: list[tuple[Inbound, Refused]] = []
        self.error: Exception | None = None

    async def keep(self, refused: Sequence[tuple[Inbound, Refused]]) -> None:
        if self.error:
            raise self.error
        self.kept += refused


class Counted:
    """Counts by tenant and outcome."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def add(self, tenant_id: str, outcome: str, *, metrics: int = 0, size: int = 0) -> None:  # noqa: ARG002 - as Counts
        self.counts[tenant_id, outcome] = self.counts.get((tenant_id, outcome), 0) + 1


class StoreOfNobody:
    """A store that is down."""

    def tenant(self, _tenant_id: str) -> AbstractAsyncContextManager[Conn]:
        @asynccontextmanager
        async def down() -> Any:  # noqa: ANN401 - it never gives one
            raise RetryLater("the store is down")
            yield

        return down()
