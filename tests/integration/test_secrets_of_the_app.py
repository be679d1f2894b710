"""Nothing that is secret is told: not in the log, whatever its level, not by the status, the metrics or the API."""

import gc
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from homeiq_server.ingest.mqtt import link
from homeiq_server.options.declaring import Secret
from tests.integration.delivery.receivers import mailing, receiving
from tests.integration.ingest_of_the_app import (
    Device,
    brokering,
    change,
    ingesting,
    is_up,
    open_folder,
    send,
    sending,
    telemetry,
)
from tests.integration.store.own_server import OWNER_PASSWORD, PASSWORD, OwnServer, own_server
from tests.mosquitto import PROGRAM, Mosquitto
from tests.postgres import PROGRAMS
from tests.unit.homeiq_server.server_builders import Client, eventually, serving

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "postgres").exists() or not PROGRAM.exists(),
    reason="there is no PostgreSQL or no Mosquitto here: scripts/setup brings them",
)

GIVEN = {
    "mqtt_password": "marker-of-mqtt",
    "smtp_password": "marker-of-smtp",
    "database_url": PASSWORD,
    "database_owner_url": OWNER_PASSWORD,
}
IN_ADDRESS = "marker-of-the-address"
WRONG = ["hid_marker-wrong-of-mqtt", "hid_marker-wrong-of-http", "hid_marker-in-no-json", "hik_marker-of-no-tenant"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@dataclass
class _Story:
    """What was said to and by the server, and what of it must not be said again."""

    client: Client
    secrets: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    async def new(self, name: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Ask for something with a secret that is shown once, in a member of this name."""
        made = await change(self.client, method, path, body)
        assert made[name]
        self.secrets[f"{name} of {path}"] = made[name]
        return made

    async def ask(self, method: str, url: str, **more: Any) -> None:  # noqa: ANN401 - as aiohttp
        """Ask for what is refused, or shown to everybody."""
        answer = await self.client.ask(method, url, **more)
        self.told[f"{method} {url}: {answer.status}"] = json.dumps(answer.body) + str(dict(answer.headers))

    def found_in(self, text: str) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret in text]


@asynccontextmanager
async def _running(folder: Path, broker: Mosquitto, server: OwnServer, smtp_port: int) -> AsyncIterator[Client]:
    more = {"mqtt_username": "homeiq", "mqtt_password": Secret(GIVEN["mqtt_password"])}
    more |= {"smtp_host": "127.0.0.1", "smtp_port": smtp_port, "smtp_security": "off", "smtp_from": "a@example.org"}
    more |= {"smtp_username": "homeiq", "smtp_password": Secret(GIVEN["smtp_password"])}
    more |= {"webhook_allow": ("127.0.0.0/8",)}
    async with serving(ingesting(folder, broker, server, **more)) as client:
        await eventually(partial(is_up, client))
        yield client


async def test_in_a_whole_story_no_secret_is_told_twice(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_REFUSED_PAUSE_S", 0.2)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "aiohttp.access")  # of the receiver; the app has none
    with own_server() as server:
        server.start()
        async with (
            brokering(folder, users={"homeiq": GIVEN["mqtt_password"], "device": "x"}) as broker,
            mailing() as mailbox,
            receiving() as receiver,
            _running(folder, broker, server, mailbox.port) as client,
        ):
            story = _Story(client, dict(GIVEN))
            story.secrets["app"] = client.bearer["Authorization"].split()[1]
            await _make_devices(story)
            await _make_destinations(story, receiver.url)
            await _send(story, broker)
            await _be_refused(story)
            broker.users = {"homeiq": "another"}
            await broker.stop()
            await broker.start()
            await eventually(partial(_reason, client, "mqtt_refused"))
            await _read_everything(story)
            server.stop()
            await eventually(partial(_reason, client, "store_unreachable"))
            await _read_everything(story)
            reprs = _reprs()
            server.start()
    assert len(story.told) > 60
    story.secrets |= {word: word for word in WRONG}
    for where, text in story.told.items():
        assert story.found_in(text) == [], where
    assert story.found_in(reprs) == []
    assert all(IN_ADDRESS not in text for where, text in story.told.items() if ": 400" in where)
    story.secrets["address"] = IN_ADDRESS  # to its owner it is shown as he gave it
    assert story.found_in(caplog.text) == []
    log = "\n".join(str(record.__dict__) for record in caplog.records if record.name.startswith("homeiq"))
    assert "homeiq_server" in log
    assert story.found_in(log) == []


async def _make_devices(story: _Story) -> None:
    await story.new("provisioning_key", "POST", "/tenant/v1/tenant/provisioning-key")
    await story.new("token", "POST", "/tenant/v1/devices", {"device_id": "d1", "token": True})
    await story.new("activation_code", "POST", "/tenant/v1/devices", {"device_id": "d2"})
    await story.new("token", "POST", "/tenant/v1/devices/d1/rotate-token")
    code = await story.new("activation_code", "POST", "/tenant/v1/devices/d2/activation-code")
    activation = {"tenant_id": "home", "device_id": "d2", "activation_code": code["activation_code"]}
    await story.new("token", "POST", "/ingest/v1/activate", activation)
    await change(story.client, "POST", "/operator/v1/tenants", {"tenant_id": "acme", "name": "Acme"})
    of_token = {"name": "test", "scopes": ["devices:read"]}
    await story.new("token", "POST", "/operator/v1/tenants/acme/tokens", of_token)
    await story.new("token", "POST", "/tenant/v1/tokens", of_token)


async def _make_destinations(story: _Story, url: str) -> None:
    client = story.client
    ways: list[tuple[str, dict[str, object]]] = [
        ("webhook", {"url": f"{url}?key={IN_ADDRESS}"}),
        ("webhook", {"url": f"http://127.0.0.1:9/?key={IN_ADDRESS}"}),
        ("email", {"recipients": ["someone@example.org"]}),
        ("mqtt", {}),
        ("home_assistant", {}),
    ]
    for number, (kind, config) in enumerate(ways):
        body = {"name": f"{kind} {number}", "kind": kind, "config": config}
        if kind == "webhook":
            made = await story.new("secret", "POST", "/tenant/v1/integrations", body)
            await story.new("secret", "POST", f"/tenant/v1/integrations/{made['id']}/rotate-secret")
        else:
            made = await change(client, "POST", "/tenant/v1/integrations", body)
        await change(client, "POST", "/tenant/v1/routes", {"name": "all", "integration_id": made["id"]})
        await story.ask("POST", f"{client.api}/tenant/v1/integrations/{made['id']}/test", headers=client.bearer)
    rule = {"name": "hot", "kind": "THRESHOLD", "metric": "temperature", "operator": "GT", "threshold": 20}
    await change(client, "POST", "/tenant/v1/alert-rules", rule)
    named = {"name": "x", "kind": "webhook", "config": {"url": f"https://user:{IN_ADDRESS}@example.org/"}}
    await story.ask("POST", f"{client.api}/tenant/v1/integrations", json=named, headers=client.bearer)


async def _send(story: _Story, broker: Mosquitto) -> None:
    client = story.client
    token = story.secrets["token of /tenant/v1/devices/d1/rotate-token"]
    device = Device(device_id="d1", token=token)
    async with sending(broker, username="device", password="x") as sender:
        await sender.publish(device.topic(), telemetry(), token=token)
        await sender.publish(device.topic(), telemetry(token=token))
        await sender.publish(device.topic(), telemetry(token=token, device_id="d2"))
        await sender.publish(device.topic(), telemetry(), token=WRONG[0])
        await sender.publish(device.topic(), b'{"token": "' + WRONG[2].encode() + b'", "metrics": {')
        await sender.publish(device.topic(), b'{"provision_token": "' + token.encode() + b'", "metrics": NaN}')
        await sender.publish(f"tenant/{token}/device/d1/telemetry", telemetry())
        await sender.sent()
    assert (await send(client, device)).status == 202
    for wrong in (Device(device_id="d1", token=WRONG[1]), Device(device_id="d1", token=WRONG[3], tenant_id="nobody")):
        assert (await send(client, wrong)).status in (401, 404)
    body = {"messages": [json.loads(telemetry(tenant_id="home", device_id="d1", msg_type="x", token=token, seq="?"))]}
    await story.ask("POST", f"{client.api}/ingest/v1/batch", json=body)
    await eventually(partial(_has_alert, client))
    await eventually(partial(_has_tried, client))


async def _has_alert(client: Client) -> bool:
    return bool((await client.get("/tenant/v1/alerts")).body["alerts"])


async def _has_tried(client: Client) -> bool:
    """Tell whether all ways out were tried, that which fails with a remark."""
    tried = (await client.get("/tenant/v1/deliveries")).body["deliveries"]
    return sum(bool(each["attempts"]) for each in tried) >= 4


async def _be_refused(story: _Story) -> None:
    client, secrets = story.client, story.secrets
    for path in (
        "/api/v1/status",
        "/tenant/v1/devices",
        "/metrics",
        "/operator/v1/tenants",
        "/prometheus/api/v1/query",
    ):
        for name, token in secrets.items():
            if name != "app":
                for claim in (f"Bearer {token}", aiohttp.encode_basic_auth("any", token)):
                    await story.ask("GET", client.api + path, headers={"Authorization": claim})
    for name, token in secrets.items():
        activation = {"tenant_id": "home", "device_id": name, "activation_code": token}
        await story.ask("POST", f"{client.api}/ingest/v1/activate", json=activation)
        provision = {"tenant_id": "home", "device_id": "d9", "provisioning_key": token, "extra": token}
        await story.ask("POST", f"{client.api}/ingest/v1/provision", json=provision)
        body = {"device_id": "d9", "token": token}
        await story.ask("POST", f"{client.api}/tenant/v1/devices", json=body, headers=client.bearer)


async def _read_everything(story: _Story) -> None:
    """Ask each GET that there is, for each thing that is listed."""
    client = story.client
    described = (await client.get("/tenant/v1/openapi.json")).body["paths"]
    paths = [path for path, methods in described.items() if "get" in methods]
    for path in ["/api/v1/status", "/metrics", "/api/v1/devices", "/api/v1/findings", *paths]:
        for url in [path.format(**each) for each in await _names(client, path)] if "{" in path else [path]:
            await story.ask("GET", client.api + url, headers=client.bearer)
            await story.ask("GET", client.page + url)


async def _names(client: Client, path: str) -> list[dict[str, str]]:
    """Return what to put between the braces of an address: the ids of what the address before them lists."""
    base, name = path.split("/{", maxsplit=1)[0], path.split("{")[1].split("}", maxsplit=1)[0]
    listed = await client.get(base)
    if listed.status != 200:
        return []
    rows = next(rows for rows in listed.body.values() if isinstance(rows, list))
    keys = ("id", "device_id") if not base.startswith("/operator") else ("tenant_id",)
    return [{name: str(next(row[key] for key in keys if key in row))} for row in rows[:20]]


async def _reason(client: Client, code: str) -> bool:
    return code in {reason["code"] for reason in (await client.status())["reasons"]}


def _reprs() -> str:
    """Return how all things of ours that are alive show themselves, with what they hold."""
    ours = [each for each in gc.get_objects() if str(type(each).__module__).startswith("homeiq_server")]
    assert len(ours) > 100
    return "\n".join(repr(each) for each in ours)
