"""Alerts in Home Assistant: event entities for what happens to them, and events of the bus for what is routed here."""

import logging
from typing import Any

import pytest
from homeassistant.core import CoreState, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import SERVER_ID, FakeApp, problem
from tests.unit.homeiq.fake_ingest import AT, FakeIngest, alert, sender
from tests.unit.homeiq.waiting import eventually

HOME = "event.homeiq_alert"


@pytest.fixture
def ingest(app: FakeApp) -> FakeIngest:
    """The app's device ingest, switched on."""
    app.ingest.is_on = True
    return app.ingest


class Heard:
    """What automations hear of event entities, and of the bus."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.changes: list[tuple[str, str, Any]] = []
        self.newest: dict[str, Any] = {}
        self.fired: list[dict[str, Any]] = []
        hass.bus.async_listen("state_changed", self._hear)
        hass.bus.async_listen("homeiq_alert", self._hear_bus)

    @callback
    def _hear(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.domain == "event" and "alert_id" in state.attributes:
            self.newest[state.entity_id] = dict(state.attributes)
            self.changes.append((state.entity_id, state.attributes["event_type"], state.attributes["alert_id"]))

    @callback
    def _hear_bus(self, event: Event[dict[str, Any]]) -> None:
        self.fired.append(dict(event.data))

    def of(self, entity_id: str = HOME) -> list[tuple[str, Any]]:
        return [(change, number) for name, change, number in self.changes if name == entity_id]


async def following(hass: HomeAssistant, app: FakeApp, entry: Entry | None = None) -> Entry:
    """Set up an entry that hears of alerts from now on."""
    asked = app.ingest.requests["/alert-changes"]
    entry = await set_up(hass, entry or app_entry(hass, app))
    await eventually(lambda: app.ingest.requests["/alert-changes"] > asked + 1)
    await hass.async_block_till_done()
    return entry


async def test_what_happens_to_an_alert_is_an_event_of_the_home_and_of_its_device(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    ingest.say(sender("a", name="A"), sender("b", name="B"))
    await following(hass, app)
    await eventually(lambda: hass.states.get("event.b_alert"))
    heard = Heard(hass)
    happened = ["opened", "raised", "acknowledged", "unacknowledged", "cleared"]
    for change in happened:
        ingest.happen(change, alert(7, "a"))
    await eventually(lambda: len(heard.changes) == 10)

    assert heard.of() == heard.of("event.a_alert") == [(change, 7) for change in happened]
    assert heard.of("event.b_alert") == []
    assert (
        heard.newest[HOME]
        | {
            "alert_id": 7,
            "alert_kind": "THRESHOLD",
            "severity": 4,
            "severity_name": "high",
            "summary": "Alert 7",
            "device_id": "a",
            "site_id": "home",
            "actor": "rule",
            "at": AT,
            "details": {"value": 31.5},
        }
        == heard.newest[HOME]
    )


async def test_an_alert_of_no_device_and_one_of_an_insight_are_events_of_the_home(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    await following(hass, app)
    heard = Heard(hass)
    ingest.happen("opened", alert(1))
    ingest.happen("opened", alert(2, "4c8a3c1d", kind="INSIGHT", severity=1))
    await eventually(lambda: len(heard.changes) == 2)

    assert heard.of() == [("opened", 1), ("opened", 2)]
    assert heard.newest[HOME]["severity_name"] == "info"


async def test_a_burst_is_heard_in_order_and_nothing_of_it_twice(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    ingest.page = 20
    await following(hass, app)
    heard = Heard(hass)
    for number in range(100):
        ingest.happen("opened", alert(number))
    await eventually(lambda: len(heard.changes) >= 100)

    assert heard.of() == [("opened", number) for number in range(100)]


async def test_what_came_while_nobody_was_there_is_heard_once(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    ingest.say(sender("a", name="A"))
    ingest.happen("opened", alert(1, "a"))
    entry = await following(hass, app)
    assert await hass.config_entries.async_unload(entry.entry_id)
    heard = Heard(hass)
    ingest.happen("opened", alert(2, "a"))
    ingest.happen("cleared", alert(2, "a"))
    await following(hass, app, entry)
    await eventually(lambda: len(heard.changes) == 4)
    assert heard.of() == heard.of("event.a_alert") == [("opened", 2), ("cleared", 2)]
    await eventually(lambda: ("alert-changes", "3") in ingest.cursors)

    assert await hass.config_entries.async_unload(entry.entry_id)
    heard.changes.clear()
    await following(hass, app, entry)
    assert [one for one in heard.changes if one[1:] == ("opened", 2)] == []


async def test_changes_wait_until_there_are_automations_to_hear_of_them(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await following(hass, app)
    assert await hass.config_entries.async_unload(entry.entry_id)
    heard = Heard(hass)
    hass.set_state(CoreState.not_running)
    ingest.say(sender("a", {"temp": 1}, name="A"))
    ingest.happen("opened", alert(1))
    ingest.send(1, id=1)
    await set_up(hass, entry)
    await eventually(lambda: hass.states.get("sensor.a_temperature"))
    assert not heard.changes
    assert not heard.fired

    hass.set_state(CoreState.running)
    hass.bus.async_fire("homeassistant_started")
    await eventually(lambda: heard.changes and heard.fired)


async def test_the_first_alert_of_a_new_device_is_heard_at_the_device(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    await following(hass, app)
    heard = Heard(hass)
    ingest.happen("opened", alert(1, "new"))
    ingest.say(sender("new", name="New"))
    await eventually(lambda: heard.of("event.new_alert") == [("opened", 1)])


async def test_a_disabled_entity_holds_up_nobody(hass: HomeAssistant, app: FakeApp, ingest: FakeIngest) -> None:
    er.async_get(hass).async_get_or_create(
        "event", DOMAIN, f"{SERVER_ID}_alert", disabled_by=er.RegistryEntryDisabler.USER
    )
    ingest.say(sender("a", name="A"))
    await following(hass, app)
    heard = Heard(hass)
    for number in range(30):
        ingest.happen("opened", alert(number, "a"))
    await eventually(lambda: len(heard.changes) == 30)

    assert hass.states.get(HOME) is None


async def test_an_app_that_begins_anew_is_followed_from_its_beginning(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    entry = await following(hass, app)
    heard = Heard(hass)
    for number in range(5):
        ingest.happen("opened", alert(number))
    await eventually(lambda: len(heard.changes) == 5)
    assert await hass.config_entries.async_unload(entry.entry_id)
    ingest.changes.clear()
    heard.changes.clear()
    await following(hass, app, entry)
    ingest.happen("opened", alert(70))
    await eventually(lambda: heard.of()[-1:] == [("opened", 70)])
    assert ("opened", 0) not in heard.of()


async def test_a_cursor_that_the_app_refuses_is_forgotten(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    await following(hass, app)
    heard = Heard(hass)
    refused: list[str] = []

    def refuse_once(path: str) -> Any:  # noqa: ANN401 - a response or none
        if path == "/alert-changes" and not refused:
            refused.append(path)
            return problem(400, "after: no such cursor")
        return None

    ingest.refuse = refuse_once
    await eventually(lambda: refused and ingest.cursors.count(("alert-changes", None)) == 2)
    ingest.happen("opened", alert(1))
    await eventually(lambda: heard.of() == [("opened", 1)])


async def test_a_change_that_is_not_known_yet_is_no_event(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    await following(hass, app)
    heard = Heard(hass)
    for change in ("silenced", "opened"):
        ingest.happen(change, alert(1))
    await eventually(lambda: heard.changes)

    assert heard.of() == [("opened", 1)]


async def test_alerts_that_are_routed_here_are_events_of_the_bus_and_acknowledged(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest
) -> None:
    heard = Heard(hass)
    ingest.send(11, id=7, change="opened", severity=4, summary="Too hot", device_id="a")
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: ingest.delivered == [11])
    ingest.send(12, id=8)
    ingest.send(13, id=9)
    await eventually(lambda: ingest.delivered == [11, 12, 13])

    assert heard.fired == [
        {"id": 7, "change": "opened", "severity": 4, "summary": "Too hot", "device_id": "a"},
        {"id": 8},
        {"id": 9},
    ]


async def test_an_event_of_which_the_app_has_not_heard_that_it_arrived_is_not_fired_again(
    hass: HomeAssistant, app: FakeApp, ingest: FakeIngest, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard(hass)
    ingest.refuse = lambda path: problem(503, "busy") if path.endswith("/delivered") else None
    ingest.send(11, id=7)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: ingest.requests["/home-assistant-events/delivered"] > 3)
    assert heard.fired == [{"id": 7}]

    ingest.refuse = lambda _: None
    await eventually(lambda: ingest.delivered == [11])
    assert heard.fired == [{"id": 7}]
    assert [one for one in caplog.records if one.levelno >= logging.WARNING and one.name.endswith("following")] == []


async def test_removing_the_entry_forgets_where_the_changes_were(
    hass: HomeAssistant, hass_storage: dict[str, Any], app: FakeApp, ingest: FakeIngest
) -> None:
    ingest.happen("opened", alert(1))
    entry = await following(hass, app)
    kept = f"homeiq.alerts.{entry.entry_id}"
    await eventually(lambda: kept in hass_storage)
    assert hass_storage[kept]["data"] == {"cursor": "1"}
    assert await hass.config_entries.async_remove(entry.entry_id)

    assert kept not in hass_storage


@pytest.mark.parametrize("path", ["/alert-changes", "/home-assistant-events"])
async def test_an_answer_of_another_shape_is_said_once(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    ingest, app.ingest.is_on = app.ingest, True
    if path == "/alert-changes":
        await following(hass, app)
        ingest.changes.append({"change": "opened"})
        ingest._tell()
    else:
        ingest.events[1] = ["no", "object"]  # type: ignore[assignment] # that is the point
        await set_up(hass, app_entry(hass, app))
    asked = ingest.requests[path]
    await eventually(lambda: ingest.requests[path] > asked + 2)

    assert caplog.text.count("HomeIQ does not tell of") == 1
