"""The entities of devices: at the device that they describe, for as long as it is there and they are wanted."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from tests.unit.homeiq.entries import Entry, app_entry, other_entry, set_up
from tests.unit.homeiq.fake_app import SERVER_ID, FakeApp
from tests.unit.homeiq.fake_store import device
from tests.unit.homeiq.test_registry_sync import add_device
from tests.unit.homeiq.waiting import eventually

WANTED: dict[str, Any] = {"devices": {"device_entities": True}}
BATTERY_END = {
    "level": 12.0,
    "expected": "2026-12-04T11:30:00+00:00",
    "earliest": "2026-11-30T23:00:00+00:00",
    "latest": "2026-12-09T01:00:00+00:00",
}


@pytest.fixture
async def other(hass: HomeAssistant) -> Entry:
    """The integration that the devices are of."""
    await hass.config.async_set_time_zone("UTC")
    return other_entry(hass)


@pytest.fixture
async def door(hass: HomeAssistant, other: Entry, app: FakeApp) -> dr.DeviceEntry:
    """A device that the app knows: fair, with a battery that ends."""
    found = add_device(hass, other)
    app.store.devices[found.id] = device(
        found.id,
        facts={"battery_level": 12.0, "last_reported_at": "2026-11-22T09:00:00+00:00"},
        health={
            "state": "fair",
            "score": 70,
            "confidence": 1.0,
            "deductions": [{"name": "battery", "points": 30, "since": "2026-11-20T00:00:00+00:00", "evidence": {}}],
            "battery_end": BATTERY_END,
        },
    )
    return found


async def showing(hass: HomeAssistant, app: FakeApp) -> Entry:
    """Set up an entry with the option on, whose source the app knows."""
    entry = await set_up(hass, app_entry(hass, app, options=WANTED))
    await eventually(lambda: app.store.snapshots)
    await poll(hass, entry)
    return entry


async def poll(hass: HomeAssistant, entry: Entry) -> None:
    await entry.runtime_data.devices.async_refresh()
    await hass.async_block_till_done()


def entities(hass: HomeAssistant, entry: Entry, device_id: str) -> dict[str, er.RegistryEntry]:
    """Return ours of a device, by key."""
    found = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    prefix = f"{SERVER_ID}_device_{device_id}_"
    return {one.unique_id.removeprefix(prefix): one for one in found if one.unique_id.startswith(prefix)}


def shown(hass: HomeAssistant, entity_id: str) -> State:
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state


async def test_they_are_at_the_device_and_leave_it_its_own(
    hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry, other: Entry
) -> None:
    entry = await showing(hass, app)
    found = entities(hass, entry, door.id)
    after = dr.async_get(hass).async_get(door.id)

    assert {one.device_id for one in found.values()} == {door.id}
    assert {key: one.disabled_by for key, one in found.items()} == {
        "health": None,
        "battery_empty": None,
        "last_reported": er.RegistryEntryDisabler.INTEGRATION,
    }
    assert after is not None
    assert after.config_entry_id == other.entry_id
    assert len(dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)) == 1  # HomeIQ's own
    assert shown(hass, "sensor.door_health").name == "Door Health"


async def test_the_app_is_not_told_of_them_or_they_would_speak_for_the_device(
    hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry
) -> None:
    entry = await showing(hass, app)
    own = {one.id for one in entities(hass, entry, door.id).values()}
    await eventually(lambda: app.store.rows["config_entries"][entry.entry_id]["state"] == "loaded")
    entry.runtime_data.registry._is_stale = True
    entry.runtime_data.registry.async_check()
    await eventually(lambda: len(app.store.snapshots) == 2)

    assert own
    assert own.isdisjoint(app.store.rows["entities"])
    assert "sensor.homeiq_devices" in {row["entity_id"] for row in app.store.rows["entities"].values()}


async def test_they_show_what_the_app_says(hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry) -> None:
    entry = await showing(hass, app)
    last_reported = entities(hass, entry, door.id)["last_reported"].entity_id
    er.async_get(hass).async_update_entity(last_reported, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    health, battery = shown(hass, "sensor.door_health"), shown(hass, "sensor.door_battery_empty")

    assert health.state == "70"
    assert health.attributes["health_state"] == "fair"
    assert health.attributes["deductions"] == [{"name": "battery", "points": 30, "since": "2026-11-20T00:00:00+00:00"}]
    assert battery.state == "2026-12-04T00:00:00+00:00"
    assert battery.attributes["earliest"].isoformat() == "2026-11-30T00:00:00+00:00"
    assert battery.attributes["latest"].isoformat() == "2026-12-09T00:00:00+00:00"
    assert shown(hass, last_reported).state == "2026-11-22T09:00:00+00:00"


async def test_a_device_of_which_little_is_known_has_no_number(hass: HomeAssistant, app: FakeApp, other: Entry) -> None:
    new = add_device(hass, other, "New")
    app.store.devices[new.id] = device(new.id)
    entry = await showing(hass, app)

    assert shown(hass, "sensor.new_health").state == "unknown"
    assert shown(hass, "sensor.new_health").attributes["health_state"] == "learning"
    assert "battery_empty" not in entities(hass, entry, new.id)


async def test_devices_come_and_go_without_a_restart(
    hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry, other: Entry
) -> None:
    entry = await showing(hass, app)
    new = add_device(hass, other, "New")
    app.store.devices[new.id] = device(new.id)
    await poll(hass, entry)
    assert set(entities(hass, entry, new.id)) == {"health", "last_reported"}

    dr.async_get(hass).async_remove_device(door.id)
    await hass.async_block_till_done()
    assert entities(hass, entry, door.id) == {}
    assert hass.states.get("sensor.door_health") is None

    await poll(hass, entry)  # the app still has it, as one that was removed a moment ago
    assert entities(hass, entry, door.id) == {}

    again = add_device(hass, other)
    assert again.id == door.id
    await poll(hass, entry)
    assert set(entities(hass, entry, door.id)) == {"health", "battery_empty", "last_reported"}


async def test_what_the_app_does_not_know_any_more_is_unavailable(
    hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry
) -> None:
    entry = await showing(hass, app)
    del app.store.devices[door.id]
    await poll(hass, entry)
    assert shown(hass, "sensor.door_health").state == "unavailable"

    app.store.state = "off"
    await entry.runtime_data.coordinator.async_refresh()
    await poll(hass, entry)
    assert shown(hass, "sensor.door_health").state == "unavailable"


async def test_a_device_that_went_while_nobody_watched_takes_its_entities_along(
    hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry
) -> None:
    entry = await showing(hass, app)
    assert await hass.config_entries.async_unload(entry.entry_id)
    dr.async_get(hass).async_remove_device(door.id)
    await hass.async_block_till_done()
    await set_up(hass, entry)

    assert entities(hass, entry, door.id) == {}


async def test_without_the_option_there_are_none_and_nobody_asks(
    hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry
) -> None:
    entry = await showing(hass, app)
    step = await hass.config_entries.options.async_init(entry.entry_id)
    chosen = {"include": {}, "exclude": {}, "devices": {"device_entities": False}}
    await hass.config_entries.options.async_configure(step["flow_id"], chosen)
    await hass.async_block_till_done()
    asked = app.store.requests["/devices"]
    await hass.config_entries.async_reload(entry.entry_id)

    assert entry.options == {}
    assert entities(hass, entry, door.id) == {}
    assert entry.runtime_data.devices is None
    assert app.store.requests["/devices"] == asked


async def test_the_option_is_off_until_it_is_chosen(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    step = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(step["flow_id"], {"include": {}, "exclude": {}, "devices": {}})
    await hass.async_block_till_done()
    assert entry.options == {}

    step = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(step["flow_id"], {"include": {}, "exclude": {}, **WANTED})
    await hass.async_block_till_done()
    assert entry.options == WANTED
    assert entry.runtime_data.devices is not None


@pytest.mark.parametrize(
    "changes",
    [{"entry_type": "service"}, {"disabled_by": "user"}, {"parent_id": "d1"}, {"source": "another"}],
    ids=lambda one: next(iter(one)),
)
async def test_what_is_no_device_in_use_here_has_none(
    hass: HomeAssistant, app: FakeApp, other: Entry, changes: dict[str, Any]
) -> None:
    one = add_device(hass, other, "Other")
    app.store.devices[one.id] = device(one.id, **changes)
    entry = await showing(hass, app)

    assert entities(hass, entry, one.id) == {}


async def test_many_devices_are_read_page_by_page(hass: HomeAssistant, app: FakeApp, other: Entry) -> None:
    app.store.pages = 2
    for number in range(5):
        one = add_device(hass, other, f"Device {number}")
        app.store.devices[one.id] = device(one.id)
    entry = await showing(hass, app)

    assert len(entry.runtime_data.devices.devices) == 5
    assert hass.states.get("sensor.device_4_health") is not None


async def test_an_answer_of_another_shape_is_no_device(hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry) -> None:
    entry = await showing(hass, app)
    app.store.devices[door.id]["facts"] = 7
    await poll(hass, entry)

    assert shown(hass, "sensor.door_health").state == "unavailable"


async def test_reloads_leave_no_listener(hass: HomeAssistant, app: FakeApp, door: dr.DeviceEntry) -> None:
    entry = await showing(hass, app)
    loaded = dict(hass.bus.async_listeners())
    for _ in range(3):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()

    assert dict(hass.bus.async_listeners()) == loaded
    assert set(entities(hass, entry, door.id)) == {"health", "battery_empty", "last_reported"}
