"""The whole app with device ingest, and devices that send to it."""

import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from homeiq_server.options import Options
from homeiq_server.options.declaring import Secret
from tests.mosquitto import Mosquitto
from tests.mqtt_sender import Sender
from tests.postgres import PROGRAMS
from tests.unit.homeiq_server.server_builders import Answer, Client, Json, options

UNLIMITED: dict[str, Any] = {
    "ingest_device_rate": 10_000,
    "ingest_device_burst": 100_000,
    "ingest_tenant_rate": 100_000,
    "ingest_tenant_burst": 1_000_000,
}
"""Options of a server that takes as much as comes."""


class Urls(Protocol):
    """A PostgreSQL of a test."""

    @property
    def url(self) -> str: ...

    @property
    def owner_url(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device with a token, unless it is none's."""

    device_id: str
    token: str | None = field(repr=False)
    tenant_id: str = "home"

    def topic(self, msg_type: str = "telemetry") -> str:
        return f"tenant/{self.tenant_id}/device/{self.device_id}/{msg_type}"


@contextmanager
def open_folder() -> Iterator[Path]:
    """Give a folder that every user may look into, unlike those that pytest makes: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        path.chmod(0o711)
        yield path


def ingesting(folder: Path, broker: Mosquitto | None, store: Urls | None, **more: Any) -> Options:  # noqa: ANN401
    """Return options for a server with ingest, its own PostgreSQL unless there is a ``store``, and no history."""
    where: dict[str, Any] = {"postgresql": PROGRAMS}
    if store:
        where = {"database_url": Secret(store.url), "database_owner_url": Secret(store.owner_url)}
    if broker:
        where["mqtt_url"] = broker.url
    return options(folder / "own", **{"store": True, "ingest": True, "history": False} | where | more)


@asynccontextmanager
async def brokering(folder: Path, **more: Any) -> AsyncIterator[Mosquitto]:  # noqa: ANN401 - as Mosquitto
    """Give a broker that runs."""
    broker = Mosquitto(folder / "mosquitto", **more)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@asynccontextmanager
async def sending(broker: Mosquitto, **more: Any) -> AsyncIterator[Sender]:  # noqa: ANN401 - as Sender
    """Give a client of the broker."""
    sender = await Sender.connect(broker.port, **more)
    try:
        yield sender
    finally:
        await sender.close()


async def is_up(client: Client) -> bool:
    """Tell whether broker and PostgreSQL are reached."""
    status = await client.status()
    return (status["store"]["state"], status["ingest"]["mqtt"]["state"]) == ("ok", "connected")


async def has_store(client: Client) -> bool:
    """Tell whether PostgreSQL is reached."""
    return bool((await client.status())["store"]["state"] == "ok")


async def reasons(client: Client) -> set[str]:
    """Return why all is not well."""
    return {reason["code"] for reason in (await client.status())["reasons"]}


async def accepted(client: Client) -> int:
    """Return how many messages were taken, since the start."""
    return int((await client.status())["ingest"]["accepted"])


async def change(client: Client, method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401
    """Ask for something that must be done; return the answer's body."""
    given = {"json": body} if body is not None else {}
    answer = await client.ask(method, client.api + path, headers=client.bearer | headers, **given)
    assert answer.status in (200, 201, 204), answer
    return answer.body


async def register(
    client: Client, *device_ids: str, bearer: str | None = None, tenant_id: str = "home"
) -> list[Device]:
    """Register devices of the home, or of the tenant whose token is given."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    body = {"devices": [{"device_id": each} for each in device_ids], "token": True}
    made = await change(client, "POST", "/tenant/v1/devices/batch", body, **headers)
    return [Device(device_id=each["device_id"], token=each["token"], tenant_id=tenant_id) for each in made["results"]]


async def settle(client: Client, tenant_id: str, *device_ids: str) -> list[Device]:
    """Make a tenant with devices."""
    await change(client, "POST", "/operator/v1/tenants", {"tenant_id": tenant_id, "name": tenant_id})
    token = await token_of(client, tenant_id)
    return await register(client, *device_ids, bearer=token, tenant_id=tenant_id)


async def token_of(client: Client, tenant_id: str, scopes: Sequence[str] = ("devices:read", "devices:write")) -> str:
    """Return a new token for the API of a tenant."""
    body = {"name": "test", "scopes": list(scopes)}
    made = await change(client, "POST", f"/operator/v1/tenants/{tenant_id}/tokens", body)
    return str(made["token"])


def telemetry(**more: object) -> bytes:
    """Return a message."""
    return json.dumps({"metrics": {"temperature": 21.5}} | more).encode()


async def send(client: Client, device: Device, body: bytes = b"", msg_type: str = "telemetry") -> Answer:
    """Send a message by HTTP."""
    token = {"X-Provision-Token": device.token} if device.token else {}
    url = f"{client.api}/ingest/v1/{device.topic(msg_type)}"
    return await client.ask("POST", url, data=body or telemetry(), headers=token)


def channel(status: Json) -> Json:
    """Return the counts of the channel of devices' messages."""
    found: Json = status["intake"].get("telemetry", {"received": 0, "converted": 0})
    return found
