"""What Home Assistant shows of the app's findings: sensors and events."""

from typing import Any

import pytest
from homeassistant.core import CoreState, Event, EventStateChangedData, HomeAssistant, State
from homeassistant.helpers import entity_registry as er

from custom_components.homeiq import diagnostics
from tests.unit.homeiq.entries import Entry, app_entry, poll_insights, set_up
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.fake_store import finding
from tests.unit.homeiq.waiting import eventually

BATTERY = {
    "device_id": "d1",
    "name": "Door",
    "area": "Hall",
    "level": 12.0,
    "expected": "2026-12-04T00:00:00+00:00",
    "earliest": "2026-11-30T00:00:00+00:00",
    "latest": "2026-12-09T00:00:00+00:00",
}


def shown(hass: HomeAssistant, entity_id: str) -> State:
    state = hass.states.get(entity_id)
    assert state is not None, entity_id
    return state


async def test_the_sensors_sum_up_the_devices(hass: HomeAssistant, known: Entry, app: FakeApp) -> None:
    app.store.insights["batteries"] = [BATTERY]
    await poll_insights(known)
    batteries = shown(hass, "sensor.homeiq_batteries_ending_soon")

    assert shown(hass, "sensor.homeiq_devices").state == "5"
    assert shown(hass, "sensor.homeiq_unhealthy_devices").state == "2"
    assert batteries.state == "1"
    assert batteries.attributes["batteries"] == [{key: value for key, value in BATTERY.items() if key != "area"}]


@pytest.mark.parametrize("state", ["off", "starting", "unreachable"])
async def test_without_a_store_the_sensors_are_unavailable(
    hass: HomeAssistant, known: Entry, app: FakeApp, state: str
) -> None:
    app.store.state = state
    await known.runtime_data.coordinator.async_refresh()
    await poll_insights(known)
    assert shown(hass, "sensor.homeiq_devices").state == "unavailable"
    assert shown(hass, "sensor.homeiq_written").state == "7"

    app.store.state = "ok"
    await known.runtime_data.coordinator.async_refresh()
    await poll_insights(known)
    assert shown(hass, "sensor.homeiq_devices").state == "5"


async def test_a_store_that_has_not_come_up_yet_is_no_error(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app.store.state = "starting"
    entry = await set_up(hass, app_entry(hass, app))
    assert shown(hass, "sensor.homeiq_devices").state == "unavailable"
    assert "Error fetching" not in caplog.text

    app.store.state = "ok"
    await poll_insights(entry)
    assert shown(hass, "sensor.homeiq_devices").state == "5"


async def test_an_answer_of_another_shape_is_no_figure(hass: HomeAssistant, known: Entry, app: FakeApp) -> None:
    app.store.insights["devices_total"] = None
    await poll_insights(known)

    assert shown(hass, "sensor.homeiq_devices").state == "unavailable"


async def test_what_happens_after_the_first_answer_is_heard_even_if_nobody_listens_yet(
    hass: HomeAssistant, app: FakeApp
) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.snapshots)
    heard = Heard(hass)
    app.store.happen("opened", finding("f1"))
    await poll_insights(entry)
    await hass.async_block_till_done()

    assert heard.changes == [("opened", "f1")]


class Heard:
    """What automations hear of the event entity."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.changes: list[tuple[str, str]] = []
        self.newest: dict[str, Any] = {}
        hass.bus.async_listen("state_changed", self._hear)

    async def _hear(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if event.data["entity_id"] == "event.homeiq_finding" and state is not None and "finding_id" in state.attributes:
            self.newest = dict(state.attributes)
            self.changes.append((state.attributes["event_type"], state.attributes["finding_id"]))


async def test_a_finding_is_an_event_when_it_is_opened_and_when_it_is_resolved(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    heard = Heard(hass)
    await poll_insights(known)
    app.store.happen("opened", finding("f1", entity_id="sensor.door_battery"))
    await poll_insights(known)
    await hass.async_block_till_done()
    assert heard.changes == [("opened", "f1")]
    assert (
        heard.newest
        | {
            "finding_type": "battery",
            "title": "battery of f1",
            "explanation": "What is normal, what is seen, what to do.",
            "severity": 3,
            "device_id": "d1",
            "device_name": "Door",
            "entity_id": "sensor.door_battery",
            "evidence": {"level_percent": 7.5},
        }
        == heard.newest
    )

    app.store.happen("resolved", app.store.findings["f1"])
    await poll_insights(known)
    await poll_insights(known)
    await hass.async_block_till_done()
    assert heard.changes == [("opened", "f1"), ("resolved", "f1")]


async def test_every_change_of_a_burst_is_an_event_of_its_own_in_order(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    heard = Heard(hass)
    await poll_insights(known)
    for number in range(450):
        app.store.happen("opened", finding(f"f{number}"))
    await poll_insights(known)
    await hass.async_block_till_done()

    assert heard.changes == [("opened", f"f{number}") for number in range(450)]


async def test_changes_that_came_while_homeiq_was_not_there_are_heard_once(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    await poll_insights(known)
    assert await hass.config_entries.async_unload(known.entry_id)
    heard = Heard(hass)
    app.store.happen("opened", finding("f1"))
    app.store.happen("resolved", app.store.findings["f1"])
    await set_up(hass, known)
    await poll_insights(known)
    await hass.async_block_till_done()
    assert heard.changes == [("opened", "f1"), ("resolved", "f1")]

    assert await hass.config_entries.async_unload(known.entry_id)
    heard.changes.clear()
    await set_up(hass, known)
    await poll_insights(known)
    await hass.async_block_till_done()
    assert [change for change in heard.changes if change == ("opened", "f1")] == []


async def test_changes_wait_until_there_are_automations_to_hear_of_them(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.store.snapshots)
    await poll_insights(entry)
    heard = Heard(hass)
    hass.set_state(CoreState.not_running)
    app.store.happen("opened", finding("f1"))
    await poll_insights(entry)
    await hass.async_block_till_done()
    assert heard.changes == []

    hass.set_state(CoreState.running)
    await poll_insights(entry)
    await hass.async_block_till_done()
    assert heard.changes == [("opened", "f1")]


async def test_a_disabled_event_entity_misses_what_happens_meanwhile(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    await poll_insights(known)
    registry = er.async_get(hass)
    registry.async_update_entity("event.homeiq_finding", disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done()
    app.store.happen("opened", finding("f1"))
    await poll_insights(known)
    registry.async_update_entity("event.homeiq_finding", disabled_by=None)
    await hass.config_entries.async_reload(known.entry_id)
    heard = Heard(hass)
    await poll_insights(known)
    await hass.async_block_till_done()

    assert ("opened", "f1") not in heard.changes


async def test_an_app_that_begins_anew_is_followed_from_its_beginning(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    for number in range(5):
        app.store.happen("opened", finding(f"f{number}"))
    await poll_insights(known)
    app.store.changes.clear()
    await poll_insights(known)
    heard = Heard(hass)
    app.store.happen("opened", finding("new"))
    await poll_insights(known)
    await hass.async_block_till_done()

    assert heard.changes == [("opened", "new")]


async def test_what_people_do_to_a_finding_is_no_event(hass: HomeAssistant, known: Entry, app: FakeApp) -> None:
    heard = Heard(hass)
    await poll_insights(known)
    for change in ("opened", "muted", "unmuted", "acknowledged", "resolved"):
        app.store.happen(change, finding("f1"))
    await poll_insights(known)
    await hass.async_block_till_done()

    assert heard.changes == [("opened", "f1"), ("resolved", "f1")]


async def test_findings_of_another_home_assistant_are_not_shown(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    heard = Heard(hass)
    await poll_insights(known)
    app.store.happen("opened", finding("f1", source="another"))
    await poll_insights(known)
    await hass.async_block_till_done()

    assert heard.changes == []


async def test_the_diagnostics_count_and_name_nobody(hass: HomeAssistant, known: Entry, app: FakeApp) -> None:
    app.store.insights["batteries"] = [BATTERY]
    app.store.put(finding("f1"))
    await poll_insights(known)
    told = await diagnostics.async_get_config_entry_diagnostics(hass, known)

    assert told["registry"]["snapshots"] == 1
    assert told["registry"]["revision"] == app.store.revision
    assert told["insights"] == {
        "reachable": True,
        "findings_by_type": {"battery": 1},
        "devices": 5,
        "device_entities_of": None,
    }
    assert "Door" not in str(told)
