"""Devices that send to the app: as devices and entities of Home Assistant, as long as the app has them."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from custom_components.homeiq import (
    async_remove_config_entry_device,
    device_follower,
    diagnostics,
    ingest_client,
    ingest_places,
)
from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import Entry, app_entry, listeners, of, set_up
from tests.unit.homeiq.fake_app import SERVER_ID, FakeApp, problem
from tests.unit.homeiq.fake_ingest import FakeIngest, sender
from tests.unit.homeiq.waiting import eventually

LATER = "2026-11-22T09:00:05+00:00"


@pytest.fixture
def ingest(app: FakeApp) -> FakeIngest:
    """The app's device ingest, switched on."""
    app.ingest.is_on = True
    return app.ingest


def shown(hass: HomeAssistant, entity_id: str) -> State:
    state = hass.states.get(entity_id)
    assert state is not None, (entity_id, sorted(hass.states.async_entity_ids()))
    return state


def is_state(hass: HomeAssistant, entity_id: str, value: str) -> bool:
    state = hass.states.get(entity_id)
    return state is not None and state.state == value


def device_of(hass: HomeAssistant, entry: Entry, device_id: str) -> dr.DeviceEntry | None:
    identifier = (DOMAIN, f"{SERVER_ID}:ingest:{device_id}")
    return dr.async_get(hass).async_get_device_by_identifier(identifier, entry.entry_id)


def entities_of(hass: HomeAssistant, entry: Entry, device_id: str) -> dict[str, er.RegistryEntry]:
    """Return the entities of a device by the end of their unique ids: a metric's name."""
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    prefix = f"{SERVER_ID}_ingest_{device_id}/"
    return {one.unique_id.removeprefix(prefix): one for one in found if one.unique_id.startswith(prefix)}


async def poll_status(hass: HomeAssistant, entry: Entry) -> None:
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged of trouble, but for what is said of every custom integration."""
    found = [one for one in caplog.records if one.levelno >= logging.WARNING]
    return [one.getMessage() for one in found if one.name not in ("asyncio", "homeassistant.loader")]


async def in_use(hass: HomeAssistant, app: FakeApp, *devices: dict[str, Any]) -> Entry:
    """Set up an entry whose app has these devices."""
    app.ingest.say(*devices)
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: ("device-states", None) in app.ingest.cursors)
    await eventually(lambda: all(device_of(hass, entry, one["device_id"]) for one in devices))
    await hass.async_block_till_done()
    return entry


@pytest.mark.usefixtures("ingest")
async def test_a_device_is_a_device_behind_homeiq(hass: HomeAssistant, app: FakeApp) -> None:
    one = sender("esp-1", {"temp": 21.5}, name="Cellar", manufacturer="Espressif", model="C3", sw_version="1.2")
    entry = await in_use(hass, app, one)
    device, own = device_of(hass, entry, "esp-1"), device_of_app(hass, entry)

    assert device is not None
    assert own is not None
    assert (device.name, device.manufacturer, device.model, device.sw_version) == ("Cellar", "Espressif", "C3", "1.2")
    assert device.via_device_id == own.id
    assert device.entry_type is None


def device_of_app(hass: HomeAssistant, entry: Entry) -> dr.DeviceEntry | None:
    return dr.async_get(hass).async_get_device_by_identifier((DOMAIN, SERVER_ID), entry.entry_id)


@pytest.mark.usefixtures("ingest")
async def test_metrics_are_sensors_with_what_the_catalogue_knows(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = {"temp_c": 21.5, "vbat": 3.7, "rssi": -70, "spins": 7, "mode": "eco", "soil_temp": 11, "count": "12"}
    entry = await in_use(hass, app, sender("a", metrics, name="Cellar"))
    found = entities_of(hass, entry, "a")
    temperature, spins = shown(hass, "sensor.cellar_temperature"), shown(hass, "sensor.cellar_spins")

    assert temperature.state == "21.5"
    assert temperature.attributes["device_class"] == "temperature"
    assert temperature.attributes["state_class"] == "measurement"
    assert temperature.attributes["unit_of_measurement"] == "°C"
    assert shown(hass, "sensor.cellar_battery_voltage").attributes["unit_of_measurement"] == "V"
    assert found["rssi"].entity_category == "diagnostic"
    assert found["temp_c"].entity_category is None
    assert spins.state == "7"
    assert spins.attributes == {"state_class": "measurement", "friendly_name": "Cellar Spins"}
    assert shown(hass, "sensor.cellar_mode").state == "eco"
    assert shown(hass, "sensor.cellar_mode").attributes == {"friendly_name": "Cellar Mode"}
    assert shown(hass, "sensor.cellar_soil_temp").attributes["unit_of_measurement"] == "°C"
    assert shown(hass, "sensor.cellar_count").state == "12"
    assert warned(caplog) == []


@pytest.mark.usefixtures("ingest")
async def test_a_yes_or_no_is_a_binary_sensor_in_whichever_way_firmware_says_it(
    hass: HomeAssistant, app: FakeApp
) -> None:
    metrics = {"motion": True, "door": "open", "leak": 0, "relay": False, "window": 1, "battery_low": False}
    entry = await in_use(hass, app, sender("a", metrics, name="Hall"))

    assert shown(hass, "binary_sensor.hall_motion").state == "on"
    assert shown(hass, "binary_sensor.hall_motion").attributes["device_class"] == "motion"
    assert shown(hass, "binary_sensor.hall_door").state == "on"
    assert shown(hass, "binary_sensor.hall_moisture").state == "off"
    assert shown(hass, "binary_sensor.hall_window").state == "on"
    assert shown(hass, "binary_sensor.hall_relay").state == "off"
    assert "device_class" not in shown(hass, "binary_sensor.hall_relay").attributes
    assert set(entities_of(hass, entry, "a")) == set(metrics)
    assert entities_of(hass, entry, "a")["battery_low"].entity_category == "diagnostic"


async def test_a_value_of_another_sort_than_before_is_unknown_and_not_an_error(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    await in_use(hass, app, sender("a", {"temp": 1, "spins": 2, "mode": "x", "relay": True}, name="A"))
    ingest.say(sender("a", {"temp": "21.5", "spins": "broken", "mode": 5, "relay": "?"}, at=LATER, name="A"))
    await eventually(lambda: is_state(hass, "sensor.a_spins", "unknown"))
    values = {"temp": None, "spins": True, "mode": None, "relay": None}
    ingest.say(sender("b", values, name="B"), sender("a", values, name="A"))
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "unknown"))
    assert shown(hass, "binary_sensor.a_relay").state == "unknown"
    assert shown(hass, "sensor.a_mode").state == "unknown"
    assert shown(hass, "sensor.a_spins").state == "1"
    assert "Traceback" not in caplog.text


async def test_numbers_that_come_as_text_are_numbers_and_others_are_unknown(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    await in_use(hass, app, sender("a", {"temp": 1, "spins": 2, "mode": "x", "relay": True}, name="A"))
    ingest.say(sender("a", {"temp": "21.5", "spins": "broken", "mode": 5, "relay": "?"}, at=LATER, name="A"))
    await eventually(lambda: is_state(hass, "sensor.a_spins", "unknown"))

    assert shown(hass, "sensor.a_temperature").state == "21.5"
    assert shown(hass, "sensor.a_mode").state == "5"
    assert shown(hass, "binary_sensor.a_relay").state == "unknown"
    assert "Traceback" not in caplog.text


async def test_new_devices_and_new_metrics_appear_without_a_restart(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"))
    ingest.say(sender("b", {"hum": 50}, name="B"))
    await eventually(lambda: is_state(hass, "sensor.b_humidity", "50"))
    ingest.say(sender("a", {"temp": 1, "hum": 40}, name="A"))
    await eventually(lambda: is_state(hass, "sensor.a_humidity", "40"))

    assert set(entities_of(hass, entry, "a")) == {"temp", "hum"}


async def test_a_state_is_written_when_the_device_has_spoken_and_not_when_it_has_not(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    await in_use(hass, app, sender("a", {"temp": 1}, name="A"))
    first = shown(hass, "sensor.a_temperature").last_reported
    ingest.say(sender("a", {"temp": 1}, name="A", model="another"))
    ingest.say(sender("b", {"temp": 1}, name="B"))
    await eventually(lambda: hass.states.get("sensor.b_temperature"))
    assert shown(hass, "sensor.a_temperature").last_reported == first

    ingest.say(sender("a", {"temp": 1}, name="A", at=LATER))
    await eventually(lambda: shown(hass, "sensor.a_temperature").last_reported > first)
    assert shown(hass, "sensor.a_temperature").last_updated == first


async def test_a_rename_is_followed_unless_the_user_has_given_another_name(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", name="Old"), sender("b", name="Old too"))
    given = device_of(hass, entry, "b")
    assert given is not None
    dr.async_get(hass).async_update_device(given.id, name_by_user="Mine")
    ingest.say(sender("a", name="New"), sender("b", name="New too", sw_version="2"))
    await eventually(lambda: (one := device_of(hass, entry, "b")) and one.sw_version == "2")
    renamed, kept = device_of(hass, entry, "a"), device_of(hass, entry, "b")

    assert renamed is not None
    assert renamed.name == "New"
    assert kept is not None
    assert (kept.name, kept.name_by_user) == ("New too", "Mine")


@pytest.mark.parametrize("status", ["DELETED", "REVOKED"])
async def test_a_device_that_is_no_more_goes_with_its_entities(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, status: str
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"), sender("b", {"temp": 1}, name="B"))
    ingest.say(sender("a", {"temp": 1}, name="A", status=status))
    await eventually(lambda: device_of(hass, entry, "a") is None)
    await hass.async_block_till_done()
    assert entities_of(hass, entry, "a") == {}
    assert hass.states.get("sensor.a_temperature") is None
    assert device_of(hass, entry, "b") is not None

    ingest.say(sender("a", {"temp": 2}, name="A"))
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "2"))


async def test_a_device_that_went_while_nobody_watched_goes_at_the_start(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"), sender("b", {"temp": 1}, name="B"))
    assert await hass.config_entries.async_unload(entry.entry_id)
    ingest.forget("a")
    await set_up(hass, entry)

    await eventually(lambda: device_of(hass, entry, "a") is None)
    assert set(entities_of(hass, entry, "b")) == {"temp"}


async def test_an_app_that_does_not_answer_takes_no_device_away(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"))
    assert await hass.config_entries.async_unload(entry.entry_id)
    ingest.refuse = lambda path: problem(503, "starting") if path == "/device-states" else None
    asked = ingest.requests["/device-states"]
    await set_up(hass, entry)
    await eventually(lambda: ingest.requests["/device-states"] > asked + 2)
    assert device_of(hass, entry, "a") is not None

    await app.stop()
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert device_of(hass, entry, "a") is not None
    assert shown(hass, "sensor.a_temperature").state == "unavailable"


async def test_a_device_that_the_states_leave_out_but_that_is_there_stays(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"), sender("b", name="B"))
    assert await hass.config_entries.async_unload(entry.entry_id)
    ingest.hidden.add("a")  # as a page may leave out what is being written
    ingest.forget("b")
    await set_up(hass, entry)
    await eventually(lambda: device_of(hass, entry, "b") is None)

    assert device_of(hass, entry, "a") is not None


async def test_a_list_of_devices_of_another_shape_removes_none(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"))
    assert await hass.config_entries.async_unload(entry.entry_id)
    ingest.hidden.add("a")
    ingest.refuse = lambda path: web.json_response({"devices": [7]}) if path == "/devices" else None
    await set_up(hass, entry)
    await eventually(lambda: entry.runtime_data.ingest.counts["states"].get("failures", 0) > 1)

    assert device_of(hass, entry, "a") is not None


async def test_whatever_devices_and_metrics_are_called_they_are_shown(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["m" * 128, "a/b", "a b", "Größe", "温度", "🌡", "..", "__", "-", "1", "temp.", "TEMP", "tEmP", "{x}", "<b>"]
    device = "d" * 128
    entry = await in_use(hass, app, sender(device, dict.fromkeys(names, 1), name="N" * 255))
    await eventually(lambda: len(entities_of(hass, entry, device)) == len(names))
    await hass.async_block_till_done()

    assert {hass.states.get(one.entity_id) is not None for one in entities_of(hass, entry, device).values()} == {True}
    assert warned(caplog) == []
    assert ingest.requests["/device-states"]


async def test_many_devices_are_read_page_by_page(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_follower, "PAGE", 3)
    monkeypatch.setattr(ingest_client, "PAGE", 3)
    names = [f"d{number}" for number in range(10)]
    entry = await in_use(hass, app, *(sender(name, {"temp": 1}) for name in names))
    assert await hass.config_entries.async_unload(entry.entry_id)
    ingest.forget("d4")
    await set_up(hass, entry)
    await eventually(lambda: device_of(hass, entry, "d4") is None)

    assert [name for name in names if device_of(hass, entry, name)] == [name for name in names if name != "d4"]


async def test_availability_is_what_the_app_says(hass: HomeAssistant, app: FakeApp, ingest: FakeIngest) -> None:
    await in_use(hass, app, sender("a", {"temp": 1}, name="A", available=True), sender("b", {"temp": 1}, name="B"))
    assert shown(hass, "sensor.a_temperature").state == "1"
    assert shown(hass, "sensor.b_temperature").state == "1"

    ingest.say(sender("a", {"temp": 1}, name="A", available=False))
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "unavailable"))
    ingest.say(sender("a", {"temp": 1}, name="A", available=True))
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "1"))
    ingest.say(sender("a", {"temp": 1}, name="A", status="INACTIVE"))
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "unavailable"))


async def test_a_device_that_falls_silent_becomes_unavailable_though_the_app_tells_nothing_new(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    seen = (datetime.now(UTC) - timedelta(seconds=29.5)).isoformat()
    silent = sender("a", {"temp": 1}, name="A", available=True, heartbeat_s=10, last_seen_at=seen)
    entry = await in_use(hass, app, silent)
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "unavailable"))
    assert entry.runtime_data.ingest.devices.counts["late"] == 1

    ingest.say(silent | {"last_seen_at": datetime.now(UTC).isoformat()})
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "1"))


@pytest.mark.usefixtures("ingest")
async def test_an_app_whose_clock_is_behind_is_believed(hass: HomeAssistant, app: FakeApp) -> None:
    seen = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    await in_use(hass, app, sender("a", {"temp": 1}, name="A", available=True, heartbeat_s=600, last_seen_at=seen))

    assert shown(hass, "sensor.a_temperature").state == "1"


async def test_while_the_app_is_away_nothing_is_available_and_its_return_is_enough(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1}, name="A"))
    await app.stop()
    await poll_status(hass, entry)
    assert shown(hass, "sensor.a_temperature").state == "unavailable"

    told = caplog.text.count("custom_components.homeiq.following")
    await app.start()
    ingest.say(sender("a", {"temp": 2}, name="A"))
    await poll_status(hass, entry)
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "2"))
    assert told == 0


@pytest.mark.parametrize("is_known", [True, False], ids=["off", "older"])
async def test_an_app_without_ingest_is_asked_nothing_and_nothing_is_made_or_said(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture, *, is_known: bool
) -> None:
    app.ingest.is_known = is_known
    entry = await set_up(hass, app_entry(hass, app))
    await poll_status(hass, entry)

    assert not app.ingest.requests
    assert hass.states.get("event.homeiq_alert") is None
    assert len(dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)) == 1
    assert warned(caplog) == []


async def test_switching_it_on_and_off_needs_no_reload(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    app.ingest.say(sender("a", {"temp": 1}, name="A"))
    app.ingest.is_on = True
    await poll_status(hass, entry)
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "1"))

    app.ingest.is_on = False
    await poll_status(hass, entry)
    assert shown(hass, "sensor.a_temperature").state == "unavailable"
    assert not entry.runtime_data.ingest.is_on
    assert device_of(hass, entry, "a") is not None

    app.ingest.is_on = True
    await poll_status(hass, entry)
    await eventually(lambda: is_state(hass, "sensor.a_temperature", "1"))
    assert warned(caplog) == []


async def test_the_same_entities_are_found_again_after_a_restart(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 1, "relay": True}, name="A"))
    before = {key: one.id for key, one in entities_of(hass, entry, "a").items()}
    ingest.say(sender("a", {"temp": 1, "relay": 0}, name="A"))
    assert await hass.config_entries.async_reload(entry.entry_id)
    await eventually(lambda: is_state(hass, "binary_sensor.a_relay", "off"))

    assert {key: one.id for key, one in entities_of(hass, entry, "a").items()} == before


@pytest.mark.usefixtures("ingest")
async def test_two_metrics_whose_ids_could_run_together_are_two_entities(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await in_use(hass, app, sender("a", {"b_temp": 1}), sender("a_b", {"temp": 2}))

    assert len(entities_of(hass, entry, "a")) == 1
    assert len(entities_of(hass, entry, "a_b")) == 1


async def test_a_device_that_makes_up_names_is_shown_in_part_and_the_rest_counted(
    hass: HomeAssistant,
    app: FakeApp,
    ingest: FakeIngest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(ingest_places, "MOST_METRICS", 5)
    entry = await in_use(hass, app, sender("a", {f"m{number}": number for number in range(20)}))
    ingest.say(sender("a", {f"m{number}": 1 for number in range(20)}, at=LATER))
    await eventually(lambda: is_state(hass, "sensor.a_m1", "1"))

    assert len(entities_of(hass, entry, "a")) == 5
    assert entry.runtime_data.ingest.devices.counts["left_out"] == 15
    assert caplog.text.count("more metrics than are shown") == 1


async def test_there_is_an_end_to_the_number_of_entities_and_room_again_when_some_go(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_places, "MOST_ENTITIES", 6)
    ingest.say(*(sender(f"d{number}", {"temp": number}) for number in range(5)))
    entry = await set_up(hass, app_entry(hass, app))
    counts = entry.runtime_data.ingest.devices
    await eventually(lambda: counts.counts["devices"] == 3)
    assert counts.counts | {"entities": 6, "left_out": 2} == counts.counts
    assert device_of(hass, entry, "d4") is None

    ingest.say(sender("d0", status="DELETED"), sender("d4", {"temp": 4}))
    await eventually(lambda: device_of(hass, entry, "d4"))


async def test_a_device_that_waits_for_its_activation_is_not_shown_yet(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await in_use(hass, app, sender("a"))
    ingest.say(sender("b", status="PENDING"), sender("c"))
    await eventually(lambda: device_of(hass, entry, "c"))
    assert device_of(hass, entry, "b") is None

    ingest.say(sender("b"))
    await eventually(lambda: device_of(hass, entry, "b"))


async def test_what_devices_say_is_forwarded_and_told_to_the_app_but_not_what_homeiq_says_of_them(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    ingest.say(sender("a", {"temp": 21.5}, name="A"))
    entry = await set_up(hass, app_entry(hass, app, options={"devices": {"device_entities": True}}))
    await eventually(lambda: device_of(hass, entry, "a"))
    device = device_of(hass, entry, "a")
    assert device is not None
    app.store.devices[device.id] = {
        "id": device.id,
        "source": None,
        "entry_type": None,
        "disabled_by": None,
        "parent_id": None,
        "facts": {"battery_level": None, "last_reported_at": None},
        "health": {"state": "good", "score": 100, "deductions": [], "battery_end": None},
    }
    await entry.runtime_data.devices.async_refresh()
    await hass.async_block_till_done()
    assert shown(hass, "sensor.a_health").state == "100"
    entry.runtime_data.registry._is_stale = True
    entry.runtime_data.registry.async_check()
    await eventually(lambda: device.id in app.store.rows["devices"])
    await eventually(
        lambda: any(row["entity_id"] == "sensor.a_temperature" for row in app.store.rows["entities"].values())
    )
    await eventually(lambda: of(app, "sensor.a_temperature"))
    entities = {row["entity_id"]: row for row in app.store.rows["entities"].values()}

    assert entities["sensor.a_temperature"]["device_id"] == device.id
    assert app.store.rows["devices"][device.id]["name"] == "A"
    assert "sensor.homeiq_devices" in entities
    assert "event.homeiq_alert" in entities
    assert "sensor.a_health" not in entities
    assert "event.a_alert" not in entities
    assert ("sensor.a_temperature", "21.5") in app.states


@pytest.mark.usefixtures("ingest")
async def test_a_device_that_the_app_has_cannot_be_removed_by_hand_and_one_that_it_has_not_can(
    hass: HomeAssistant, app: FakeApp
) -> None:
    entry = await in_use(hass, app, sender("a"))
    registry = dr.async_get(hass)
    old = registry.async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, f"{SERVER_ID}:ingest:old")}
    )
    here, own = device_of(hass, entry, "a"), device_of_app(hass, entry)
    assert here is not None
    assert own is not None

    assert await async_remove_config_entry_device(hass, entry, old)
    assert not await async_remove_config_entry_device(hass, entry, here)
    assert not await async_remove_config_entry_device(hass, entry, own)


async def test_an_answer_of_another_shape_is_said_once_and_asked_again(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    ingest.say(sender("a") | {"metrics": [7]})
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: ingest.requests["/device-states"] > 3)
    assert caplog.text.count("does not tell of its devices") == 1
    assert "states of devices" in entry.runtime_data.ingest.counts["states"]["trouble"]

    ingest.say(sender("a"))
    await eventually(lambda: device_of(hass, entry, "a"))
    await eventually(lambda: entry.runtime_data.ingest.counts["states"]["trouble"] is None)


async def test_a_fault_of_ours_is_logged_once_counted_and_survived(
    hass: HomeAssistant,
    app: FakeApp,
    ingest: FakeIngest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await in_use(hass, app, sender("a"))
    running = entry.runtime_data.ingest
    with monkeypatch.context() as broken:
        broken.setattr(running.devices, "async_apply", lambda _: 1 / 0)
        ingest.say(sender("b"))
        await eventually(lambda: running.counts["states"].get("faults", 0) > 2)
    await eventually(lambda: device_of(hass, entry, "b"))

    assert caplog.text.count("Unforeseen error while HomeIQ was asked") == 1


@pytest.mark.usefixtures("ingest")
async def test_the_diagnostics_count_and_tell_no_value(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await in_use(hass, app, sender("a", {"temp": 21.567, "mode": "hidden"}, name="Cellar"))
    told = await diagnostics.async_get_config_entry_diagnostics(hass, entry)

    assert told["ingest"] | {"on": True, "devices": 1, "entities": 3, "left_out": 0, "late": 0} == told["ingest"]
    assert "21.567" not in str(told)
    assert "hidden" not in str(told)
    assert "Cellar" not in str(told)


@pytest.mark.usefixtures("ingest")
async def test_reloads_leave_no_task_listener_or_timer(hass: HomeAssistant, app: FakeApp) -> None:
    late = sender(
        "a", {"temp": 1}, name="A", available=True, heartbeat_s=600, last_seen_at=datetime.now(UTC).isoformat()
    )
    entry = await in_use(hass, app, late)
    loaded = listeners(hass)
    for _ in range(5):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await eventually(lambda: is_state(hass, "sensor.a_temperature", "1"))
    assert listeners(hass) == loaded
    devices = entry.runtime_data.ingest.devices
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert not {task.get_name() for task in asyncio.all_tasks() if "homeiq" in task.get_name().lower()}
    assert devices._timer is None
    assert not devices._told


async def test_a_long_wait_for_news_is_no_timeout(hass: HomeAssistant, app: FakeApp, ingest: FakeIngest) -> None:
    entry = await in_use(hass, app, sender("a"))
    ingest.longest_wait_s = 30
    await eventually(lambda: entry.runtime_data.ingest.counts["states"]["answers"] >= 1)
    asked = ingest.requests["/device-states"]
    await asyncio.sleep(0.5)
    assert ingest.requests["/device-states"] <= asked + 1

    ingest.say(sender("b"))
    await eventually(lambda: device_of(hass, entry, "b"))


async def test_six_hundred_devices_at_once_let_the_event_loop_go_on(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    ingest.say(*(sender(f"d{number}", {"temp": number, "hum": 1}) for number in range(600)))
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: is_state(hass, "sensor.d599_temperature", "599"))

    assert entry.runtime_data.ingest.devices.counts["entities"] == 1_800
