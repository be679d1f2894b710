"""What devices say arrives in the database as they said it: series, types, times."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.ingest import known
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
SAID = {"temperature": 21, "relay": True, "state": "eco"}


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
    refused = await send(client, device, telemetry(site_id="north", metrics={"replayed": 7}))
    assert refused.body["code"] == "SITE_MISMATCH"
    (kept,) = (await client.get("/tenant/v1/quarantine")).body["quarantine"]
    await change(client, "PATCH", f"/tenant/v1/devices/{device.device_id}", {"site_id": "north"})
    done = await change(client, "POST", "/tenant/v1/quarantine/replay", {"ids": [kept["id"]]})
    assert done["accepted"] == 1, done
    return _us(kept["received_at"])


def _us(moment: str) -> int:
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

            at, later, came = AT_S * 1_000, AT_S * 1_000 + 1_000, came_us // 1_000
            expected = {
                _series("temperature"): ([21], [at]),
                _series("relay"): ([1], [at]),
                _series("state", state="eco"): ([1], [at]),
                _series("latitude"): ([48.1], [at]),
                _series("longitude"): ([11.5], [at]),
                _series("flow", type="boiler"): ([0.25], [at]),
                _series("temperature", tenant="acme"): ([5.5], [later]),
                _series("replayed", site="north"): ([7], [came]),
            }
            await eventually(partial(_is_stored, client, len(expected)))
            assert await _exported(client) == expected
            status = await client.status()
            assert channel(status)["skipped_by_reason"] == {"no metrics": 1}
            assert laws_hold(status)


def _series(metric: str, **labels: str) -> tuple[tuple[str, str], ...]:
    own = {"__name__": f"device_telemetry_{metric}", "tenant": "home", "device": "d-1", "site": "home"}
    return tuple(sorted((own | labels).items()))


async def _is_stored(client: Client, series: int) -> bool:
    return len(await _exported(client)) >= series


async def _exported(client: Client) -> dict[tuple[tuple[str, str], ...], Any]:
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
            await eventually(partial(_has_rows, influxd, 4))
            said = ["temperature", "relay", "state", "latitude", "longitude"]
            assert await _told(influxd, "home", *said) == [[AT_S * 1_000_000, 21, True, "eco", 48.1, 11.5]]
            assert await _told(influxd, "home", "flow", "type") == [[AT_S * 1_000_000, 0.25, "boiler"]]
            assert await _told(influxd, "home", "replayed", "site") == [[came_us, 7, "north"]]
            assert await _told(influxd, "acme", "temperature") == [[(AT_S + 1) * 1_000_000, 5.5]]
            assert dict(await influxd.values("SHOW FIELD KEYS FROM device_telemetry")) == {
                **dict.fromkeys(("temperature", "latitude", "longitude", "flow", "replayed"), "float"),
                "relay": "boolean",
                "state": "string",
            }
            assert laws_hold(await client.status())


async def _told(influxd: RealInfluxd, tenant_id: str, *fields: str) -> list[list[Any]]:
    names = ",".join(f'"{field}"' for field in fields)
    return await influxd.values(f"SELECT {names} FROM device_telemetry WHERE tenant='{tenant_id}'")  # noqa: S608


async def _has_rows(influxd: RealInfluxd, number: int) -> bool:
    return len(await influxd.values("SELECT * FROM device_telemetry")) >= number


async def test_a_replay_depends_on_nothing_that_is_remembered(
    folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known.Known, "_heard", lambda *_: None)  # the news has not come yet
    async with serving(ingesting(folder, None, database)) as client:
        await eventually(partial(has_store, client))
        (device,) = await register(client, "d1")
        await change(client, "POST", "/tenant/v1/devices/d1/suspend")
        assert (await send(client, device)).body["code"] == "DEVICE_INACTIVE"
        await change(client, "POST", "/tenant/v1/devices/d1/reactivate")
        done = await change(client, "POST", "/tenant/v1/quarantine/replay", {"reason": "DEVICE_INACTIVE"})
        assert done["accepted"] == 1, done


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
