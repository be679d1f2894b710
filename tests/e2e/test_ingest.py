"""Devices that send to HomeIQ by MQTT, as a real Home Assistant shows them: from the broker to an automation."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from homeiq_demo.database import EmbeddedVictoriaMetrics
from homeiq_demo.home import Home, open_home
from homeiq_demo.process import wait_for
from homeiq_simulator.devices import encode
from homeiq_simulator.mqtt import Broker, Publisher
from tests.e2e.probe import PROBE
from tests.mosquitto import PROGRAM, Mosquitto

pytestmark = [
    pytest.mark.usefixtures("laws_hold", "quiet_log"),
    pytest.mark.skipif(not PROGRAM.exists(), reason="there is no Mosquitto here: scripts/setup brings it"),
]

LONG_S = 60
AWAY = ("HomeIQ does not take events", "Error fetching HomeIQ")
EVENT = "homeiq_alert"
SHOWN = {
    "sensor.greenhouse_1_temperature": ("21.5", "temperature", "°C", "measurement"),
    "sensor.greenhouse_1_signal_strength": ("-61", "signal_strength", "dBm", "measurement"),
    "sensor.greenhouse_1_battery_voltage": ("3.71", "voltage", "V", "measurement"),
    "sensor.greenhouse_1_ppfd": ("412.5", None, None, "measurement"),
    "sensor.greenhouse_1_mode": ("eco", None, None, None),
    "binary_sensor.greenhouse_1_door": ("off", "door", None, None),
}

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Devices:
    """Devices at the broker, and what their owner tells HomeIQ of them."""

    home: Home
    publisher: Publisher

    async def register(self, device_id: str, **fields: object) -> str:
        """Register a device, and return its token."""
        made = await self.home.server.ask(
            "POST", "/tenant/v1/devices", {"device_id": device_id, "token": True} | fields
        )
        return str(made["token"])

    async def send(self, device_id: str, token: str, *, msg_type: str = "telemetry", **message: object) -> None:
        """Return when the broker has a message."""
        topic = f"tenant/home/device/{device_id}/{msg_type}"
        await self.publisher.publish(topic, encode(message), token=token)

    @asynccontextmanager
    async def beating(self, device_id: str, token: str) -> AsyncIterator[None]:
        """Let the heart of a device beat."""

        async def beat() -> None:
            while True:
                await self.send(device_id, token, msg_type="heartbeat")
                await asyncio.sleep(0.3)

        task = asyncio.create_task(beat(), name=f"heart of {device_id}")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(open_folder: Path) -> AsyncIterator[Mosquitto]:
    mosquitto = Mosquitto(open_folder / "broker")
    await mosquitto.start()
    yield mosquitto
    await mosquitto.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home(open_folder: Path, broker: Mosquitto) -> AsyncIterator[Home]:
    """A home of its own, whose devices may send."""
    folder = open_folder / "ingest"
    folder.mkdir()
    options = {"HOMEIQ_INGEST": "on", "HOMEIQ_MQTT_URL": broker.url}
    async with open_home(
        folder, name="Ingest home", integrations=("probe",), custom_components=PROBE, options=options
    ) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def devices(home: Home, broker: Mosquitto) -> AsyncIterator[Devices]:
    publisher = await Publisher.connect(Broker(host="127.0.0.1", port=broker.port), client_id="devices")
    yield Devices(home, publisher)
    await publisher.close()


async def state(home: Home, entity_id: str) -> Json | None:
    states = {state["entity_id"]: state for state in await home.home_assistant.states()}
    return states.get(entity_id)


def what(shown: Json | None) -> tuple[str | None, ...]:
    """Return what a person sees of an entity: its value, class, unit, and what statistics are made of it."""
    assert shown is not None
    told = shown["attributes"]
    return (shown["state"], *(told.get(name) for name in ("device_class", "unit_of_measurement", "state_class")))


async def shows(home: Home, entity_id: str, value: str) -> Json:
    """Return the state of an entity once it has this value."""

    async def look() -> Json | None:
        found = await state(home, entity_id)
        return found if found and found["state"] == value else None

    return await wait_for(f"{entity_id} to be {value}", look, deadline_s=LONG_S)


async def tells(home: Home, entity_id: str, event_type: str, device_id: str) -> Json:
    """Return the attributes of an event entity once it tells this."""

    async def look() -> Json | None:
        found = await state(home, entity_id)
        told: Json = found["attributes"] if found else {}
        return told if (told.get("event_type"), told.get("device_id")) == (event_type, device_id) else None

    return await wait_for(f"{entity_id} to tell of {device_id}: {event_type}", look, deadline_s=LONG_S)


async def names(home: Home) -> set[str]:
    """Return the names of all devices of Home Assistant."""
    return set((await home.home_assistant.ask("probe", "devices")).values())


async def test_a_device_that_publishes_becomes_a_device_with_sensors_of_its_metrics(
    home: Home, devices: Devices
) -> None:
    made = await home.server.ask("POST", "/tenant/v1/tenant/provisioning-key", {})
    await home.server.ask("PATCH", "/tenant/v1/tenant", {"auto_provision": True})
    metrics = {"temperature": 21.5, "rssi_dbm": -61, "vbat": 3.71, "door": False, "mode": "eco", "ppfd": 412.5}
    assert "greenhouse-1" not in await names(home)
    await devices.send("greenhouse-1", made["provisioning_key"], metrics=metrics)
    await shows(home, "sensor.greenhouse_1_temperature", "21.5")

    assert "greenhouse-1" in await names(home)
    shown = {entity_id: await state(home, entity_id) for entity_id in SHOWN}
    assert {entity_id: what(one) for entity_id, one in shown.items()} == SHOWN

    await devices.send("greenhouse-1", made["provisioning_key"], metrics={"temperature": 22.25, "door": True})
    await shows(home, "sensor.greenhouse_1_temperature", "22.25")
    await shows(home, "binary_sensor.greenhouse_1_door", "on")
    assert what(await state(home, "sensor.greenhouse_1_mode")) == SHOWN["sensor.greenhouse_1_mode"]


async def test_its_telemetry_is_in_the_database_at_the_time_that_it_names(home: Home, devices: Devices) -> None:
    token = await devices.register("meter-1", site_id="cellar")
    at_ms = round(time.time() * 1_000) - 600_000
    sent = {at_ms + 1_000 * number: float(number) for number in range(5)}
    for ts, number in sent.items():
        await devices.send("meter-1", token, ts=ts, metrics={"power": number})

    async def stored() -> Json | None:
        found = await EmbeddedVictoriaMetrics(home.server).export('device="meter-1"')
        return found[0] if found and len(found[0]["values"]) == len(sent) else None

    series = await wait_for("the telemetry of meter-1", stored, deadline_s=LONG_S)
    assert dict(zip(series["timestamps"], series["values"], strict=True)) == sent
    named = {name: series["metric"][name] for name in ("__name__", "tenant", "device", "site")}
    assert named == {
        "__name__": "device_telemetry_power",
        "tenant": "home",
        "device": "meter-1",
        "site": "cellar",
    }


async def test_a_heart_that_stops_makes_a_device_unavailable_and_raises_an_alert_until_it_beats_again(
    home: Home, devices: Devices
) -> None:
    token = await devices.register("pump-1", name="Pump", heartbeat_s=2)
    silence = {
        "name": "Pump is silent",
        "kind": "NO_HEARTBEAT",
        "severity": 4,
        "silence_s": 5,
        "device_ids": ["pump-1"],
    }
    rule = await home.server.ask("POST", "/tenant/v1/alert-rules", silence)
    async with devices.beating("pump-1", token):
        await devices.send("pump-1", token, metrics={"pressure_bar": 2.5})
        await shows(home, "sensor.pump_pressure", "2.5")
    await shows(home, "sensor.pump_pressure", "unavailable")
    told = await tells(home, "event.homeiq_alert", "opened", "pump-1")
    assert (told["alert_kind"], told["severity"], told["severity_name"]) == ("NO_HEARTBEAT", 4, "high")
    assert "Pump" in told["summary"]
    own = await tells(home, "event.pump_alert", "opened", "pump-1")
    assert own["alert_id"] == told["alert_id"]

    async with devices.beating("pump-1", token):
        await shows(home, "sensor.pump_pressure", "2.5")
        cleared = await tells(home, "event.homeiq_alert", "cleared", "pump-1")
        assert cleared["alert_id"] == told["alert_id"]
    await home.server.ask("DELETE", f"/tenant/v1/alert-rules/{rule['id']}")


async def test_a_delivery_to_home_assistant_becomes_one_event_for_automations(home: Home, devices: Devices) -> None:
    heard = await home.home_assistant.ask("probe", "heard", event_type=EVENT)
    target = {"name": "Automations", "kind": "home_assistant"}
    integration = await home.server.ask("POST", "/tenant/v1/integrations", target)
    route = {"name": "All", "integration_id": integration["id"], "device_ids": ["freezer-1"]}
    await home.server.ask("POST", "/tenant/v1/routes", route)
    limit = {"name": "Freezer is warm", "kind": "THRESHOLD", "severity": 5, "device_ids": ["freezer-1"]}
    beyond = {"metric": "temperature", "operator": "GT", "threshold": -10}
    await home.server.ask("POST", "/tenant/v1/alert-rules", limit | beyond)
    token = await devices.register("freezer-1", name="Freezer")
    await devices.send("freezer-1", token, metrics={"temperature": -4.5})

    async def fired() -> list[Json]:
        answer = await home.home_assistant.ask("probe", "heard", event_type=EVENT)
        events: list[Json] = answer["events"]
        return events

    await wait_for("an event on the bus of Home Assistant", fired, deadline_s=LONG_S)
    await tells(home, "event.homeiq_alert", "opened", "freezer-1")
    told = [(event["device_id"], event["change"], event["severity"], event["kind"]) for event in await fired()]
    assert (heard["events"], told) == ([], [("freezer-1", "opened", 5, "THRESHOLD")])

    async def delivered() -> bool:
        return not (await home.server.ask("GET", "/tenant/v1/home-assistant-events"))["events"]

    await wait_for("the delivery to be told as done", delivered)


async def test_a_device_that_is_deleted_leaves_home_assistant(home: Home, devices: Devices) -> None:
    token = await devices.register("passer-by", name="Passer-by")
    await devices.send("passer-by", token, metrics={"humidity": 40})
    await shows(home, "sensor.passer_by_humidity", "40")
    assert "Passer-by" in await names(home)
    await home.server.ask("DELETE", "/tenant/v1/devices/passer-by")

    async def is_gone() -> bool:
        return "Passer-by" not in await names(home)

    await wait_for("the device to leave Home Assistant", is_gone, deadline_s=LONG_S)
    assert await state(home, "sensor.passer_by_humidity") is None
    assert await state(home, "event.passer_by_alert") is None


async def test_what_a_device_publishes_while_the_server_is_away_reaches_home_assistant_when_it_is_back(
    home: Home, devices: Devices, expected_complaints: list[str]
) -> None:
    expected_complaints.extend(AWAY)
    token = await devices.register("meter-2")
    await devices.send("meter-2", token, metrics={"power": 1})
    await shows(home, "sensor.meter_2_power", "1")
    await home.server.process.stop()
    await devices.send("meter-2", token, metrics={"power": 2})
    await home.server.start()

    await shows(home, "sensor.meter_2_power", "2")


async def test_what_happens_while_home_assistant_is_down_is_told_when_it_is_back(home: Home, devices: Devices) -> None:
    warm = {"name": "Cellar is warm", "kind": "THRESHOLD", "severity": 2, "device_ids": ["cellar-1"]}
    beyond = {"metric": "temperature", "operator": "GT", "threshold": 15}
    await home.server.ask("POST", "/tenant/v1/alert-rules", warm | beyond)
    tokens = {name: await devices.register(name) for name in ("cellar-1", "cellar-2")}
    for name, token in tokens.items():
        await devices.send(name, token, metrics={"temperature": 12.5})
    await shows(home, "sensor.cellar_1_temperature", "12.5")
    await shows(home, "sensor.cellar_2_temperature", "12.5")
    await home.home_assistant.stop()
    await devices.send("cellar-1", tokens["cellar-1"], metrics={"temperature": 16.5})
    await home.server.ask("DELETE", "/tenant/v1/devices/cellar-2")
    await home.home_assistant.start()

    told = await tells(home, "event.homeiq_alert", "opened", "cellar-1")
    assert (told["severity_name"], told["details"]["value"]) == ("low", 16.5)
    await tells(home, "event.cellar_1_alert", "opened", "cellar-1")
    await shows(home, "sensor.cellar_1_temperature", "16.5")

    async def is_gone() -> bool:
        return await names(home) & {"cellar-1", "cellar-2"} == {"cellar-1"}

    await wait_for("the device that was deleted to leave Home Assistant", is_gone, deadline_s=LONG_S)
