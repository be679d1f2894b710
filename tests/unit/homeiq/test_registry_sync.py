"""The app's picture of the registries is theirs, whatever happens on the way."""

import json
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from homeassistant.config_entries import SOURCE_IGNORE
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import floor_registry as fr
from homeassistant.helpers import label_registry as lr

from custom_components.homeiq import registry_bodies, registry_sync
from custom_components.homeiq.registry_rows import encode
from custom_components.homeiq.registry_sync import RegistrySync
from tests.unit.homeiq.entries import Entry, app_entry, other_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.fake_store import Json
from tests.unit.homeiq.waiting import eventually


def add_device(hass: HomeAssistant, entry: Entry, name: str = "Door", **fields: Any) -> dr.DeviceEntry:  # noqa: ANN401
    return dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={("test", name)}, name=name, **fields
    )


def add_entity(hass: HomeAssistant, entry: Entry, device: dr.DeviceEntry | None, name: str) -> er.RegistryEntry:
    return er.async_get(hass).async_get_or_create(
        "sensor",
        "test",
        name,
        suggested_object_id=name,
        config_entry=entry,
        device_id=None if device is None else device.id,
        original_name=name.title(),
        has_entity_name=True,
    )


def sync_of(entry: Entry) -> RegistrySync:
    sync: RegistrySync = entry.runtime_data.registry
    return sync


def has_asked_since(app: FakeApp, times: int) -> bool:
    return app.store.asked > times


def rows(app: FakeApp, kind: str) -> dict[str, Json]:
    return app.store.rows[kind]


@pytest.fixture
async def told(entry: Entry, app: FakeApp) -> Entry:
    """An entry whose registries the app has, with nothing left to tell."""
    await eventually(lambda: app.store.snapshots and not marks_of(entry))
    return entry


def marks_of(entry: Entry) -> int:
    return len(sync_of(entry)._marks)


async def test_a_snapshot_has_everything_with_its_own_ids(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    floor = fr.async_get(hass).async_create("Ground", level=0)
    area = ar.async_get(hass).async_create("Hall", floor_id=floor.floor_id)
    label = lr.async_get(hass).async_create("Old")
    hub = add_device(hass, other, "Hub", manufacturer="Acme", sw_version="1.2", serial_number="s1")
    door = add_device(hass, other, "Door", via_device_id=hub.id, connections={("zigbee", "00:11")})
    dr.async_get(hass).async_update_device(door.id, area_id=area.id, labels={label.label_id}, name_by_user="Front door")
    part = dr.async_get(hass).async_get_or_create_child(
        config_entry_id=other.entry_id, parent_device_id=door.id, identifiers={("test", "lock")}, name="Lock"
    )
    battery = er.async_get(hass).async_get_or_create(
        "sensor",
        "test",
        "battery",
        config_entry=other,
        device_id=door.id,
        original_name="Battery",
        original_device_class="battery",
        unit_of_measurement="%",
        capabilities={"state_class": "measurement"},
        has_entity_name=True,
    )
    hass.states.async_set("sensor.of_yaml", "1", {"friendly_name": "Of YAML", "unit_of_measurement": "W"})
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.snapshots)

    assert rows(app, "floors") == {floor.floor_id: {"id": floor.floor_id, "name": "Ground", "level": 0}}
    assert rows(app, "areas") == {area.id: {"id": area.id, "name": "Hall", "floor_id": floor.floor_id}}
    assert rows(app, "labels") == {label.label_id: {"id": label.label_id, "name": "Old"}}
    assert rows(app, "config_entries")[other.entry_id]["domain"] == "test"
    assert rows(app, "devices")[door.id] == {
        "id": door.id,
        "name": "Door",
        "name_by_user": "Front door",
        "area_id": area.id,
        "integration": "test",
        "config_entry_id": other.entry_id,
        "via_device_id": hub.id,
        "labels": [label.label_id],
        "identifiers": [["test", "Door"]],
        "connections": [["zigbee", "00:11"]],
    }
    assert rows(app, "devices")[hub.id]["manufacturer"] == "Acme"
    assert rows(app, "devices")[part.id]["parent_id"] == door.id
    assert rows(app, "entities")[battery.id] == {
        "id": battery.id,
        "entity_id": battery.entity_id,
        "name": "Front door Battery",
        "device_id": door.id,
        "integration": "test",
        "config_entry_id": other.entry_id,
        "unique_id": "battery",
        "device_class": "battery",
        "state_class": "measurement",
        "unit": "%",
        "supported_features": 0,
        "capabilities": {"state_class": "measurement"},
    }
    assert rows(app, "entities")["sensor.of_yaml"] == {
        "id": "sensor.of_yaml",
        "entity_id": "sensor.of_yaml",
        "name": "Of YAML",
        "unit": "W",
        "registered": False,
    }


async def test_the_state_of_a_config_entry_is_followed(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.snapshots)
    await eventually(lambda: rows(app, "config_entries")[entry.entry_id]["state"] == "loaded")
    hass.config_entries.async_update_entry(other, title="Another title")

    await eventually(lambda: rows(app, "config_entries")[other.entry_id]["title"] == "Another title")


async def test_a_config_entry_that_is_ignored_is_none(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    object.__setattr__(other, "source", SOURCE_IGNORE)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.snapshots)

    assert other.entry_id not in rows(app, "config_entries")


@pytest.mark.parametrize("odd", [object(), 2**64, "\0", {"at": "\ud800"}, "x" * 100_000])
def test_a_row_that_cannot_travel_costs_what_cannot_travel_alone(odd: object) -> None:
    row = {"id": "a", "name": "Odd\0 \ud800", "labels": ["\0b"], "supported_features": 1, "capabilities": {"odd": odd}}
    clean = {"id": "a", "name": "Odd ?", "labels": ["b"], "supported_features": 1}

    assert json.loads(encode(row)) == clean
    assert json.loads(encode(clean | {"capabilities": {"modes": ["a"]}}))["capabilities"] == {"modes": ["a"]}


async def test_a_reload_and_a_reconnection_are_one_snapshot_each_at_most(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.snapshots)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await eventually(lambda: len(app.store.snapshots) == 2)
    for _ in range(3):
        asked = app.store.asked
        is_back = partial(has_asked_since, app, asked)
        await app.stop()
        hass.states.async_set("light.kitchen", str(asked))
        await eventually(lambda: entry.runtime_data.forwarder._failures)
        await app.start()
        await eventually(is_back)
    await eventually(lambda: not marks_of(entry))

    assert len(app.store.snapshots) == 2


async def test_an_app_that_has_forgotten_is_told_everything_again(app: FakeApp, told: Entry) -> None:
    app.store.forget()
    sync_of(told).async_check()
    await eventually(lambda: len(app.store.snapshots) == 2)

    assert told.entry_id in rows(app, "config_entries")


async def test_the_app_has_what_changed_while_a_snapshot_was_on_its_way(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_bodies, "PART_BYTES", 500)
    other = other_entry(hass)
    devices = [add_device(hass, other, f"Device {number}") for number in range(10)]
    entity = add_entity(hass, other, devices[0], "first")
    registry, parts = dr.async_get(hass), []

    def meddle(body: Json) -> None:
        parts.append(body["part"])
        if body["part"] == 3:
            registry.async_update_device(devices[0].id, name_by_user="Newest")
            registry.async_remove_device(devices[1].id)
            er.async_get(hass).async_update_entity(entity.entity_id, new_entity_id="sensor.renamed")

    app.store.on_part = meddle
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.diffs)
    await eventually(lambda: not marks_of(entry))

    assert len(parts) > 4
    assert len(app.store.snapshots) == 1
    assert rows(app, "devices")[devices[0].id]["name_by_user"] == "Newest"
    assert devices[1].id not in rows(app, "devices")
    assert rows(app, "entities")[entity.id]["entity_id"] == "sensor.renamed"
    assert app.store.diffs[0]["revision"] > app.store.snapshots[0] == app.store.diffs[0]["base"]


async def test_an_entity_that_is_renamed_while_a_snapshot_is_built_is_in_it_once(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_bodies, "PART_BYTES", 1)
    entity = add_entity(hass, other_entry(hass), None, "first")
    free = {f"sensor.n{number}" for number in range(50)}
    for entity_id in free:
        hass.states.async_set(entity_id, "1")
    ids: list[str] = []
    async for body in registry_bodies.RegistryBodies(hass, "home").async_snapshot(1):
        ids += [row["id"] for row in json.loads(body)["rows"].get("entities", [])]
        if ids[-1:] == [entity.id]:
            left = free.difference(ids)
            for entity_id in left:
                hass.states.async_remove(entity_id)
            if left:
                er.async_get(hass).async_update_entity(entity.entity_id, new_entity_id=left.pop())

    assert ids.count(entity.id) == 1
    assert len(ids) == len(set(ids))


@pytest.mark.usefixtures("told")
async def test_a_burst_of_changes_is_one_diff_of_what_they_name(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    door = add_device(hass, other)
    entity = add_entity(hass, other, door, "battery")
    area = ar.async_get(hass).async_create("Hall")
    dr.async_get(hass).async_update_device(door.id, area_id=area.id)
    await eventually(lambda: door.id in rows(app, "devices"))

    (diff,) = [one for one in app.store.diffs if "devices" in one["rows"]]
    assert [row["id"] for row in diff["rows"]["devices"]] == [door.id]
    assert rows(app, "devices")[door.id]["area_id"] == area.id
    assert area.id in rows(app, "areas")
    assert entity.id in rows(app, "entities")
    assert len(app.store.snapshots) == 1


@pytest.mark.usefixtures("told")
async def test_a_device_that_is_renamed_renames_its_entities(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    door = add_device(hass, other)
    entity = add_entity(hass, other, door, "battery")
    await eventually(lambda: entity.id in rows(app, "entities"))
    dr.async_get(hass).async_update_device(door.id, name_by_user="Gate")

    await eventually(lambda: rows(app, "entities")[entity.id]["name"] == "Gate Battery")


@pytest.mark.usefixtures("told")
async def test_a_renamed_entity_keeps_its_id_and_leaves_nothing_behind(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    first, second = (add_entity(hass, other, None, name) for name in ("first", "second"))
    await eventually(lambda: second.id in rows(app, "entities"))
    registry = er.async_get(hass)
    registry.async_update_entity(first.entity_id, new_entity_id="sensor.between")
    registry.async_update_entity(second.entity_id, new_entity_id=first.entity_id)
    registry.async_update_entity("sensor.between", new_entity_id=second.entity_id)
    await eventually(lambda: rows(app, "entities")[first.id]["entity_id"] == second.entity_id)

    assert rows(app, "entities")[second.id]["entity_id"] == first.entity_id
    assert not [one for diff in app.store.diffs for one in diff["removed"].get("entities", []) if one == first.id]

    registry.async_remove(second.entity_id)  # the first one, by now
    await eventually(lambda: first.id not in rows(app, "entities"))
    assert second.id in rows(app, "entities")


@pytest.mark.usefixtures("told")
async def test_what_is_removed_is_named_by_its_id(hass: HomeAssistant, app: FakeApp) -> None:
    other = other_entry(hass)
    door = add_device(hass, other)
    entity = add_entity(hass, other, door, "battery")
    floor = fr.async_get(hass).async_create("Attic")
    await eventually(lambda: entity.id in rows(app, "entities"))
    dr.async_get(hass).async_remove_device(door.id)
    fr.async_get(hass).async_delete(floor.floor_id)
    await hass.config_entries.async_remove(other.entry_id)
    await eventually(lambda: entity.id not in rows(app, "entities"))

    assert door.id not in rows(app, "devices")
    assert floor.floor_id not in rows(app, "floors")
    assert other.entry_id not in rows(app, "config_entries")


@pytest.mark.usefixtures("told")
async def test_an_entity_without_an_entry_comes_gets_one_and_goes(hass: HomeAssistant, app: FakeApp) -> None:
    hass.states.async_set("sensor.plain", "1")
    await eventually(lambda: "sensor.plain" in rows(app, "entities"))
    entity = add_entity(hass, other_entry(hass), None, "plain")
    er.async_get(hass).async_update_entity(entity.entity_id, new_entity_id="sensor.other")
    hass.states.async_remove("sensor.plain")
    await eventually(lambda: entity.id in rows(app, "entities"))
    await eventually(lambda: "sensor.plain" not in rows(app, "entities"))


@pytest.mark.usefixtures("told")
async def test_a_stale_revision_is_answered_with_a_newer_snapshot(hass: HomeAssistant, app: FakeApp) -> None:
    theirs = (app.store.revision or 0) + 3_600_000_000  # the clock of Home Assistant was set back
    app.store.revision = theirs
    fr.async_get(hass).async_create("Attic")
    await eventually(lambda: len(app.store.snapshots) == 2)

    assert app.store.refused == 1
    assert app.store.snapshots[1] == theirs + 1
    assert rows(app, "floors")


@pytest.mark.usefixtures("told")
async def test_more_changes_than_are_worth_naming_are_a_snapshot(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_sync, "MOST_MARKS", 5)
    app.store.diffs.clear()
    for number in range(10):
        fr.async_get(hass).async_create(f"Floor {number}")
    await eventually(lambda: len(rows(app, "floors")) == 10)

    assert len(app.store.snapshots) == 2


@pytest.mark.parametrize("status", [413, 500, 503])
async def test_what_the_app_did_not_take_is_told_again(
    hass: HomeAssistant, app: FakeApp, told: Entry, status: int
) -> None:
    left = 3

    def refuse(_: Json) -> web.Response | None:
        nonlocal left
        left -= 1
        return problem(status, "made up", retry_after="0") if left >= 0 else None

    app.store.refuse = refuse
    fr.async_get(hass).async_create("Attic")

    await eventually(lambda: rows(app, "floors"))
    await eventually(lambda: sync_of(told).trouble is None)


async def test_what_changes_while_the_app_is_away_is_told_when_it_is_back(
    hass: HomeAssistant, app: FakeApp, told: Entry
) -> None:
    await app.stop()
    hass.states.async_set("light.kitchen", "on")
    fr.async_get(hass).async_create("Attic")
    await eventually(lambda: sync_of(told).trouble)
    await app.start()

    await eventually(lambda: rows(app, "floors"))
    assert len(app.store.snapshots) == 1


async def test_a_store_that_is_off_is_asked_nothing_until_it_is_on(hass: HomeAssistant, app: FakeApp) -> None:
    app.store.state = "off"
    entry = await set_up(hass, app_entry(hass, app))
    fr.async_get(hass).async_create("Attic")
    for _ in range(3):
        sync_of(entry).async_check()
        await entry.runtime_data.coordinator.async_refresh()
        await entry.runtime_data.insights.async_refresh()
        await entry.runtime_data.reports.async_report()
    await hass.async_block_till_done()
    assert dict(app.store.requests) == {}

    app.store.state = "ok"
    await entry.runtime_data.coordinator.async_refresh()
    await eventually(lambda: rows(app, "floors"))


async def test_nothing_is_told_before_home_assistant_has_started(hass: HomeAssistant, app: FakeApp) -> None:
    hass.set_state(CoreState.not_running)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.started)
    assert app.store.asked == 0

    await hass.async_start()
    await eventually(lambda: app.store.snapshots)


async def test_an_unforeseen_fault_is_counted_and_survived(
    hass: HomeAssistant, app: FakeApp, told: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = sync_of(told)
    with monkeypatch.context() as broken:
        broken.setattr(sync, "_next_revision", lambda: 1 / 0)
        fr.async_get(hass).async_create("Attic")
        await eventually(lambda: sync.counts["faults"])

    await eventually(lambda: rows(app, "floors"))


async def test_a_refusal_that_stays_is_said_once(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    refused = 0

    def refuse(_: Json) -> web.Response:
        nonlocal refused
        refused += 1
        return problem(400, "made up")

    app.store.refuse = refuse
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: refused > 3)

    assert caplog.text.count("does not take what the registries have") == 1
