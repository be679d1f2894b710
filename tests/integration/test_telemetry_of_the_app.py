"""What devices say arrives in the database as they said it: series, types, times."""

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.options.declaring import Secret
from tests.integration.ingest_of_the_app import (
    Device,
    brokering,
    change,
    channel,
    has_store,
    ingesting,
    is_up,
    open_folder,
    register,
    send,
    sending,
    settle,
    telemetry,
)
from tests.integration.real_influxd import RealInfluxd
from tests.mosquitto import PROGRAM
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import Client, eventually, laws_hold, serving

_VICTORIA = Path(__file__).parents[2] / ".tools/bin/victoria-metrics"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="there is no Mosquitto here: scripts/setup brings it")

# Not now: VictoriaMetrics leaves the newest seconds out of answers.
AT_S = int(time.time()) - 120
SAID = {"temperature": 21, "relay": True, "mode": "eco"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


async def _is_all_up(client: Client) -> bool:
    return await is_up(client) and (await client.status())["database"]["state"] == "ok"


async def _say(client: Client, broker: Any, tenants: tuple[Device, Device]) -> None:  # noqa: ANN401
    """Let one device speak by MQTT and its namesake of another tenant by HTTP, each about its own place."""
    home, acme = tenants
    async with sending(broker) as sender:
        body = telemetry(ts=AT_S, metrics=SAID, lat=48.1, lng=11.5)
        await sender.publish(home.topic(), body, token=home.token)
        await sender.publish(home.topic("boiler"), telemetry(ts=AT_S, metrics={"flow": 0.25}), token=home.token)
        await sender.publish(home.topic("heartbeat"), b"{}", token=home.token)
        await sender.sent()
    assert (await send(client, acme, telemetry(ts=AT_S + 1, metrics={"temperature": 5.5}))).status == 202


async def _replay(client: Client, device: Device) -> int:
    """Have a message refused, then replayed; return the microsecond in which it came."""
    path = f"/tenant/v1/devices/{device.device_id}"
    await change(client, "POST", f"{path}/suspend")
    await eventually(partial(_is_answered, client, device, 403))
    (kept,) = (await client.get("/tenant/v1/quarantine?reason=DEVICE_INACTIVE&limit=1")).body["quarantine"]
    await change(client, "POST", f"{path}/reactivate")
    done = await change(client, "POST", "/tenant/v1/quarantine/replay", {"ids": [kept["id"]]})
    assert done["accepted"] == 1, done
    return _us(kept["received_at"])


async def _is_answered(client: Client, device: Device, status: int) -> bool:
    return (await send(client, device, telemetry(metrics={"replayed": 7}))).status == status


def _us(moment: str) -> int:
    from datetime import datetime

    at = datetime.fromisoformat(moment)
    return int(at.timestamp()) * 1_000_000 + at.microsecond


@pytest.mark.skipif(not _VICTORIA.exists(), reason="there is no victoria-metrics here: scripts/setup brings it")
async def test_in_the_embedded_database_devices_are_series_of_their_tenants(folder: Path, database: Database) -> None:
    async with brokering(folder) as broker:
        chosen = ingesting(folder, broker, database, history=True, victoria_metrics=_VICTORIA)
        async with serving(chosen) as client:
            await eventually(partial(_is_all_up, client))
            (home,) = await register(client, "d-1")
            (acme,) = await settle(client, "acme", "d-1")
            await _say(client, broker, (home, acme))
            came_us = await _replay(client, home)

            await eventually(partial(_is_stored, client, 8))
            found = await _exported(client)
            print(found)
            assert found == {}
            status = await client.status()
            assert laws_hold(status)


async def _is_stored(client: Client, series: int) -> bool:
    return len(await _exported(client)) >= series


async def _exported(client: Client) -> dict[tuple[str, ...], Any]:
    url = client.api + '/prometheus/api/v1/export?match[]={__name__=~"device_telemetry.*"}'
    async with client.session.get(url, headers=client.bearer) as answer:
        rows = [json.loads(line) for line in (await answer.text()).splitlines()]
    return {tuple(sorted(row["metric"].items())): (row["values"], row["timestamps"]) for row in rows}


async def test_in_influxdb_numbers_are_floats_texts_are_strings_and_a_replay_has_its_own_time(
    folder: Path, database: Database, influxd: RealInfluxd
) -> None:
    async with brokering(folder) as broker:
        chosen = ingesting(
            folder,
            broker,
            database,
            history=True,
            influx_url=influxd.url,
            influx_bucket="home",
            influx_username="writer",
            influx_password=Secret("secret-of-the-writer"),
        )
        async with serving(chosen) as client:
            await eventually(partial(_is_all_up, client))
            (home,) = await register(client, "d-1")
            (acme,) = await settle(client, "acme", "d-1")
            await _say(client, broker, (home, acme))
            came_us = await _replay(client, home)
            rows = 'SELECT * FROM device_telemetry WHERE tenant=\'{}\''
            await eventually(partial(_has_rows, influxd, rows.format("home"), 3))
            print(await influxd.values(rows.format("home")))
            print(await influxd.values(rows.format("acme")))
            print(await influxd.values("SHOW FIELD KEYS FROM device_telemetry"))
            print(await influxd.values("SHOW SERIES FROM device_telemetry"))
            print(came_us)
            print(channel(await client.status()))
            assert 0


async def _has_rows(influxd: RealInfluxd, query: str, number: int) -> bool:
    return len(await influxd.values(query)) >= number


async def test_without_history_messages_are_counted_as_skipped_and_devices_have_their_states(
    folder: Path, database: Database
) -> None:
    async with serving(ingesting(folder, None, database)) as client:
        await eventually(partial(has_store, client))
        (device,) = await register(client, "d1")
        assert (await send(client, device)).status == 202
        status = await client.status()
        assert channel(status)["skipped_by_reason"] == {"history is off": 1}
        assert laws_hold(status)
        await eventually(partial(_has_state, client))


async def _has_state(client: Client) -> bool:
    (device,) = (await client.get("/tenant/v1/device-states")).body["devices"]
    return bool(device["metrics"].get("temperature", {}).get("value") == 21.5)
