"""What happens to either side of the link costs no event that the recorder has.

Each test is one misfortune, over a real connection and with a real recorder. A Home Assistant that is killed loses
what it holds, one that is stopped hands it over if somebody takes it; both begin a new stream when they are back.
"""

from typing import Any

import pytest
from aiohttp import web
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant

from custom_components.homeiq import forwarder
from custom_components.homeiq.wire import Stream, build_body, serialise
from tests.unit.homeiq.changes import change
from tests.unit.homeiq.entries import Entry, app_entry, buffer_of, of, set_states, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.past import kill
from tests.unit.homeiq.waiting import eventually

pytestmark = pytest.mark.usefixtures("recorder_mock")

type Pairs = list[tuple[str, str | None]]


def has_all(app: FakeApp, expected: Pairs) -> bool:
    """Return whether the app has every change, live or out of the recorder."""
    return {*of(app), *((event[0], event[1]) for event in app.past.events)} >= set(expected)


def at_one_time(app: FakeApp) -> bool:
    """Return whether every change has one time only, however often it came."""
    times: dict[tuple[str, str | None, int | None], set[int]] = {}
    for event in (*app.events, *app.past.events):
        if event[0] == "sensor.counter":
            times.setdefault((event[0], event[1], event[4]), set()).add(event[5])
    return all(len(found) == 1 for found in times.values())


@pytest.fixture
async def announced(entry: Entry, app: FakeApp) -> Entry:
    """An entry whose first stream is announced."""
    await eventually(lambda: app.started and not buffer_of(entry))
    return entry


async def test_an_app_that_is_down_for_longer_than_the_buffer_holds(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.homeiq.BUFFER_EVENTS", 50)
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.started and not buffer_of(entry))
    await app.stop()
    expected = set_states(hass, 200)
    await app.start()

    await eventually(lambda: has_all(app, expected))
    await eventually(lambda: app.past.completed)
    assert buffer_of(entry).lost >= 150
    assert at_one_time(app)


async def test_an_app_that_restarts_between_two_batches(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    expected = set_states(hass, 30)
    await eventually(lambda: len(of(app)) == 30)
    await app.stop()
    await app.start()
    expected += set_states(hass, 30)

    await eventually(lambda: not buffer_of(announced))
    assert of(app) == expected
    assert len(app.streams) == 1


async def test_an_app_that_restarts_in_the_middle_of_a_backfill(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.started and not buffer_of(entry))
    expected = set_states(hass, 30)
    await kill(hass, entry)
    app.past.hold.clear()
    await set_up(hass, entry)
    await eventually(lambda: app.past.in_flight)
    await app.stop()
    app.past.hold.set()
    await app.start()

    await eventually(lambda: app.past.completed)
    assert has_all(app, expected)


async def test_an_app_that_is_upgraded_to_a_version_that_does_not_fit_and_back(
    hass: HomeAssistant, app: FakeApp, announced: Entry
) -> None:
    await app.stop()
    expected = set_states(hass, 30)
    await eventually(lambda: not announced.runtime_data.coordinator.last_update_success)
    sent, app.api_version = len(app.bodies), 0
    await app.start()
    announced.runtime_data.backfill.async_wake()
    asked = app.asked_info
    await eventually(lambda: app.asked_info > asked + 2)
    assert (len(app.bodies), app.past.events) == (sent, [])

    app.api_version = 1
    await eventually(lambda: has_all(app, expected))


async def test_an_app_that_is_slow(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    app.hold.clear()
    expected = set_states(hass, 30)
    await eventually(lambda: buffer_of(announced).in_flight)
    expected += set_states(hass, 30)
    app.hold.set()

    await eventually(lambda: not buffer_of(announced))
    assert of(app) == expected
    assert app.in_flight == 1


async def test_an_app_that_refuses_for_a_while(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    refused = 0

    def full(_: dict[str, Any]) -> web.Response | None:
        nonlocal refused
        refused += 1
        return problem(503, "the spool is full", retry_after="0") if refused < 5 else None

    app.refuse = full
    expected = set_states(hass, 30)

    await eventually(lambda: not buffer_of(announced))
    assert of(app) == expected


async def test_home_assistant_is_killed(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    app.hold.clear()
    expected = set_states(hass, 30)
    await kill(hass, announced)
    expected += set_states(hass, 30, "sensor.counter")
    app.hold.set()
    await set_up(hass, announced)

    await eventually(lambda: has_all(app, expected))
    await eventually(lambda: app.past.completed)
    assert app.past.gaps == []
    assert at_one_time(app)


async def test_home_assistant_is_restarted(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    expected = set_states(hass, 30)
    assert await hass.config_entries.async_unload(announced.entry_id)
    hass.states.async_set("sensor.between", "1")
    await set_up(hass, announced)

    await eventually(lambda: app.past.completed)
    assert of(app) == expected
    assert ("sensor.between", "1") in [(event[0], event[1]) for event in app.past.events]
    assert len(app.streams) == 2


async def test_home_assistant_is_stopped_while_the_app_is_away(
    hass: HomeAssistant, app: FakeApp, announced: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "FLUSH_S", 0.05)
    await app.stop()
    expected = set_states(hass, 30)
    await announced.runtime_data.forwarder.async_flush()  # at FINAL_WRITE
    assert buffer_of(announced)
    await kill(hass, announced)
    await app.start()
    await set_up(hass, announced)

    await eventually(lambda: has_all(app, expected))
    await eventually(lambda: app.past.completed)
    assert at_one_time(app)


async def test_home_assistant_is_restored_from_a_backup(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    expected = set_states(hass, 30)
    await eventually(lambda: len(of(app)) == 30)
    whole = app.past.whole
    await kill(hass, announced)
    expected += set_states(hass, 5)
    await set_up(hass, announced)

    await eventually(lambda: app.past.completed)
    assert has_all(app, expected)
    assert [told["start_us"] for told in app.past.completed] == [whole]
    assert len(app.streams) == 2


async def test_the_app_is_restored_from_a_backup(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    backup = app.past.whole
    expected = set_states(hass, 30)
    await eventually(lambda: len(of(app)) == 30)
    await app.stop()
    app.forget()
    app.events.clear()
    app.past.whole = backup
    await app.start()
    expected += set_states(hass, 30)

    await eventually(lambda: not buffer_of(announced))
    await eventually(lambda: has_all(app, expected))
    await eventually(lambda: app.past.completed)
    assert len(app.streams) == 1  # the old one is unknown to it, the new one is not
    assert at_one_time(app)


async def test_two_home_assistants_with_one_uuid(hass: HomeAssistant, app: FakeApp, announced: Entry) -> None:
    """A clone has the uuid of the original, but streams of its own: neither makes the other's events look old."""
    source = announced.runtime_data.link.source
    clone = Stream(source, app.past.whole or 0)
    expected = set_states(hass, 10)
    await eventually(lambda: len(of(app)) == 10)
    for number in range(10):
        part, _ = serialise([change(number, str(number), entity_id="sensor.clone")], lambda *_: None)
        await announced.runtime_data.link.client.send(build_body(clone, (), {}, [part]))
        clone.seq += 1
        hass.states.async_set("sensor.counter", f"{number} more")
        expected.append(("sensor.counter", f"{number} more"))

    await eventually(lambda: not buffer_of(announced))
    assert of(app) == expected
    assert len(of(app, "sensor.clone")) == 10
    assert len(app.streams) == 2


async def test_the_last_flush_is_the_last_that_is_sent(
    hass: HomeAssistant, app: FakeApp, announced: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "GATHER_S", 3_600)
    expected = set_states(hass, 30)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()

    assert of(app) == expected
    assert not buffer_of(announced)
