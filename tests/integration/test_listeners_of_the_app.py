"""Which token opens what, at the API's port and behind Home Assistant's ingress, with device ingest on."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.integration.ingest_of_the_app import (
    Device,
    change,
    has_store,
    ingesting,
    open_folder,
    register,
    settle,
    telemetry,
    token_of,
)
from tests.postgres import PROGRAMS, Database
from tests.unit.homeiq_server.server_builders import Client, batch, event, eventually, serving

BY_THE_PAGE = {"X-HomeIQ-Page": "1"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


async def test_behind_ingress_only_the_page_itself_changes_something(folder: Path, database: Database) -> None:
    async with serving(ingesting(folder, None, database)) as client:
        await eventually(partial(has_store, client))
        devices = f"{client.page}/tenant/v1/devices"
        lamp = f"{devices}/lamp"
        changes: list[tuple[str, str, dict[str, object], int]] = [
            ("POST", devices, {"device_id": "lamp"}, 201),
            ("PATCH", lamp, {"name": "Lamp"}, 200),
            ("DELETE", lamp, {}, 204),
        ]
        for method, url, body, done in changes:
            for headers in ({}, {"X-HomeIQ-Page": "0"}, client.bearer, {"Origin": client.page}):
                refused = await client.ask(method, url, json=body, headers=headers)
                assert refused.status == 403, (method, headers)
            json = {"json": body} if body else {}
            made = await client.ask(method, url, headers=BY_THE_PAGE, **json)
            assert made.status == done, made
            assert (await client.ask("GET", devices)).status == 200


async def test_behind_ingress_nothing_is_taken_of_devices_and_another_peer_gets_nothing(
    folder: Path, database: Database
) -> None:
    async with serving(ingesting(folder, None, database)) as client:
        await eventually(partial(has_store, client))
        (device,) = await register(client, "d1")
        headers = {"X-Provision-Token": device.token or ""} | BY_THE_PAGE
        for path in (device.topic(), "batch", "activate", "provision"):
            answer = await client.ask("POST", f"{client.page}/ingest/v1/{path}", data=telemetry(), headers=headers)
            assert answer.status == 404, path
    async with serving(ingesting(folder, None, database, ingress_peer="172.30.32.2")) as client:
        await eventually(partial(has_store, client))
        for path in ("", "tenant/v1/devices", "operator/v1/tenants", "tenant/v1/openapi.json", "api/v1/status"):
            for more in ({}, client.bearer, {"X-Forwarded-For": "172.30.32.2"}):
                answer = await client.ask("GET", f"{client.page}/{path}", headers=BY_THE_PAGE | more)
                assert answer.status == 403, path


async def test_each_token_opens_its_own_part_of_the_api(folder: Path, database: Database) -> None:
    async with serving(ingesting(folder, None, database)) as client:
        await eventually(partial(has_store, client))
        (device,) = await settle(client, "acme", "d1")
        assert device.token
        api_token = await token_of(client, "acme")
        own_token = client.bearer["Authorization"].split()[1]
        own_by_basic = aiohttp.encode_basic_auth("any", own_token)
        of_acme, of_device = f"Bearer {api_token}", f"Bearer {device.token}"
        for path in ("/api/v1/status", "/api/v1/devices", "/metrics", "/api/v1/dead-letters", "/"):
            assert await _get(client, path, of_acme) == 401, path
            assert await _get(client, path, of_device) == 401, path
        assert await _post_events(client, of_acme) == 401
        assert await _post_events(client, of_device) == 401
        assert await _get(client, "/tenant/v1/devices", of_acme) == 200
        assert await _get(client, "/tenant/v1/alerts", of_acme) == 403  # a scope that it has not
        assert await _get(client, "/operator/v1/tenants", of_acme) == 403
        assert await _get(client, "/tenant/v1/devices", of_device) == 401
        assert await _get(client, "/tenant/v1/devices", aiohttp.encode_basic_auth("any", api_token)) == 401
        assert await _get(client, "/tenant/v1/devices", own_by_basic) == 200
        assert await _get(client, "/tenant/v1/devices", None) == 401
        devices = f"{client.api}/tenant/v1/devices"
        for more, status in (({}, 401), (BY_THE_PAGE, 201)):
            made = await client.ask(
                "POST", devices, json={"device_id": "new"}, headers={"Authorization": own_by_basic} | more
            )
            assert made.status == status
        for token in (own_token, api_token):
            sent = f"{client.api}/ingest/v1/{device.topic()}"
            answer = await client.ask("POST", sent, data=telemetry(), headers={"X-Provision-Token": token})
            assert (answer.status, answer.body["code"]) == (401, "TOKEN_INVALID")


async def test_nobody_sees_anything_of_another_tenant(folder: Path, database: Database) -> None:
    async with serving(ingesting(folder, None, database)) as client:
        await eventually(partial(has_store, client))
        (of_acme,) = await settle(client, "acme", "d1")
        (of_rival,) = await settle(client, "rival", "d2")
        token = await token_of(client, "acme")
        bearer = {"Authorization": f"Bearer {token}"}
        assert await _get(client, "/tenant/v1/devices/d2", bearer["Authorization"]) == 404
        listed = await client.ask("GET", f"{client.api}/tenant/v1/devices", headers=bearer)
        assert [each["device_id"] for each in listed.body["devices"]] == ["d1"]
        stolen = Device(device_id="d2", tenant_id="rival", token=of_acme.token)
        url = f"{client.api}/ingest/v1/{stolen.topic()}"
        answer = await client.ask("POST", url, data=telemetry(), headers={"X-Provision-Token": stolen.token or ""})
        assert answer.status == 401
        await change(client, "PATCH", "/operator/v1/tenants/acme", {"status": "SUSPENDED"})
        await eventually(partial(_is_shut_out, client, bearer["Authorization"]))
        url = f"{client.api}/ingest/v1/{of_rival.topic()}"
        answer = await client.ask("POST", url, data=telemetry(), headers={"X-Provision-Token": of_rival.token or ""})
        assert answer.status == 202


async def _is_shut_out(client: Client, authorization: str) -> bool:
    return await _get(client, "/tenant/v1/devices", authorization) == 403


async def _get(client: Client, path: str, authorization: str | None) -> int:
    headers = {"Authorization": authorization} if authorization else {}
    return (await client.ask("GET", client.api + path, headers=headers)).status


async def _post_events(client: Client, authorization: str) -> int:
    headers = {"Authorization": authorization}
    return (await client.ask("POST", f"{client.api}/api/v1/events", json=batch([event()]), headers=headers)).status


_RUNS = """
import asyncio, sys
from pathlib import Path
from homeiq_server import app
from homeiq_server.options import Options

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    await app.run(Options(data_dir=Path(sys.argv[1]), port=0, ingress_port=0, history=False, **eval(sys.argv[2])), stop)
    print(*sys.modules)

asyncio.run(main())
"""
_OF_INGEST = ("gmqtt", "aiosmtplib", *(f"homeiq_server.{name}" for name in ("ingest", "alerts", "delivery", "tenancy")))


@pytest.mark.parametrize("more", [{"store": False}, {"store": True, "postgresql": PROGRAMS}], ids=["alone", "store"])
def test_without_ingest_nothing_of_it_is_loaded_by_a_server_that_runs(folder: Path, more: dict[str, object]) -> None:
    command = [sys.executable, "-c", _RUNS, str(folder / "own"), repr(more).replace("PosixPath", "Path")]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    loaded = set(told.stdout.split())
    assert "homeiq_server.app" in loaded
    assert [name for name in loaded if name.startswith(_OF_INGEST)] == []
