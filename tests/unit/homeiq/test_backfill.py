"""Gaps are filled from a real recorder, over a real connection."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web
from homeassistant.components.recorder.core import Recorder
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.helpers import entity_registry as er

from custom_components.homeiq import backfill, diagnostics, forwarder, supply
from custom_components.homeiq.recorder_tables import STATES
from custom_components.homeiq.slow_lane import SlowLane
from tests.unit.homeiq.entries import Entry, app_entry, buffer_of, of, other_entry, set_states, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.past import FOR_EVER, HOUR, NOON_US, SECOND, filled, live_through
from tests.unit.homeiq.waiting import eventually

pytestmark = pytest.mark.usefixtures("recorder_mock")


@pytest.fixture
def gap(app: FakeApp) -> tuple[int, int]:
    """A gap that the app has known for an hour after noon."""
    app.past.covered_since, app.past.whole = 0, FOR_EVER[1]
    app.past.gaps.append((NOON_US, NOON_US + HOUR, None))
    return NOON_US, NOON_US + HOUR


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the past come in pages of 20 changes."""
    monkeypatch.setattr(supply, "STATES", replace(STATES, page=20))


async def test_a_gap_is_filled_with_what_the_recorder_has_of_it_and_closed(
    hass: HomeAssistant, app: FakeApp, gap: tuple[int, int]
) -> None:
    expected = live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected
    assert app.past.gaps == []
    assert [(told["start_us"], told["end_us"], told["missed"]) for told in app.past.completed] == [(*gap, 0)]


@pytest.mark.usefixtures("gap")
async def test_nothing_is_sent_of_what_the_app_has(hass: HomeAssistant, app: FakeApp) -> None:
    app.past.gaps[:] = [(NOON_US + 10 * SECOND, NOON_US + 20 * SECOND, None)]
    app.past.gaps += [(NOON_US + 30 * SECOND, NOON_US + 31 * SECOND, 2)]
    expected = live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: not app.past.gaps)

    assert filled(app) == expected[10:21] + expected[30:32]


async def test_what_was_before_homeiq_is_not_brought_in_unasked(hass: HomeAssistant, app: FakeApp) -> None:
    live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.asked)
    await hass.async_block_till_done()

    assert app.past.events == []
    assert app.past.completed == []


@pytest.mark.usefixtures("gap")
async def test_what_is_left_out_of_the_options_is_left_out_of_the_past(hass: HomeAssistant, app: FakeApp) -> None:
    live_through(hass, 5)
    live_through(hass, 5, entity_id="light.past")
    await set_up(hass, app_entry(hass, app, options={"exclude": {"domains": ["sensor"]}}))
    await eventually(lambda: app.past.completed)

    assert {event[0] for event in app.past.events} == {"light.past"}


@pytest.mark.usefixtures("gap", "small_pages")
async def test_many_pages_arrive_whole_in_order_and_one_at_a_time(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 200)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected
    assert len(app.past.streams) == 1
    assert app.past.in_flight == 1
    assert set(app.past.streams).isdisjoint(app.streams)


@pytest.mark.usefixtures("small_pages")
async def test_a_crash_in_the_middle_leaves_the_gap_open_and_the_same_points_come_again(
    hass: HomeAssistant, app: FakeApp, gap: tuple[int, int]
) -> None:
    expected = live_through(hass, 200)
    app.past.refuse = lambda body: problem(503, "full") if body["seq"] > 3 else None
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: len(app.past.events) == 60)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (*gap, None) in app.past.gaps
    assert app.past.completed == []

    app.past.refuse = lambda _: None
    await hass.config_entries.async_setup(entry.entry_id)
    await eventually(lambda: gap[0] in [told["start_us"] for told in app.past.completed])
    assert filled(app) == expected[:60] + expected


@pytest.mark.usefixtures("gap")
async def test_a_batch_whose_answer_is_lost_is_stored_once(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 20)
    app.past.lose_answers = 1
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected
    assert app.past.duplicates == 1


@pytest.mark.usefixtures("gap")
async def test_an_app_whose_spool_is_full_is_waited_for(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 20)
    refusals = 3

    def full(_: dict[str, object]) -> web.Response | None:
        nonlocal refusals
        refusals -= 1
        return problem(503, "the queue is over half of its limit", retry_after="0") if refusals >= 0 else None

    app.past.refuse = full
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected


@pytest.mark.usefixtures("gap", "small_pages")
async def test_an_app_that_forgets_the_stream_gets_a_new_one(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 200)
    forgotten = False

    def forget_once(body: dict[str, object]) -> None:
        nonlocal forgotten
        if body["seq"] == 2 and not forgotten:
            forgotten = True
            app.past.streams.clear()

    app.past.refuse = forget_once
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected


@pytest.mark.usefixtures("gap")
async def test_one_bad_change_costs_only_itself(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 20)
    app.past.reject = lambda event: event[1] == "7"
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected[:7] + expected[8:]
    await eventually(lambda: entry.runtime_data.backfill.counts["sent"] == 20)


@pytest.mark.usefixtures("gap", "small_pages")
async def test_live_events_go_first(hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarder, "GATHER_EVENTS", 50)
    asked = 0

    class Counting(SlowLane):
        """Counts how often it has asked whether live events wait."""

        def __init__(self, is_live_behind: Callable[[], bool]) -> None:
            def counted() -> bool:
                nonlocal asked
                asked += 1
                return is_live_behind()

            super().__init__(counted)

    monkeypatch.setattr("custom_components.homeiq.SlowLane", Counting)
    expected = live_through(hass, 200)
    app.past.hold.clear()
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.in_flight)
    app.hold.clear()
    live = set_states(hass, 150)
    await eventually(lambda: buffer_of(entry).in_flight)
    app.past.hold.set()
    asked = 0
    await eventually(lambda: asked > 5)
    assert filled(app) == expected[:20]

    app.hold.set()
    await eventually(lambda: app.past.completed)
    assert filled(app) == expected
    assert of(app) == live


async def test_a_gap_that_opens_while_all_runs_is_filled(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.homeiq.BUFFER_EVENTS", 100)
    entry = await set_up(hass, app_entry(hass, app, options={"include": {"entities": ["sensor.counter"]}}))
    await eventually(lambda: app.started)
    await app.stop()
    expected = set_states(hass, 250)
    await app.start()
    await eventually(lambda: app.past.completed)

    assert buffer_of(entry).lost
    assert sorted({*of(app), *((e[0], e[1]) for e in app.past.events)}) == sorted(expected)
    assert [told["missed"] for told in app.past.completed] == [0]


@pytest.mark.usefixtures("gap")
async def test_what_the_recorder_does_not_have_of_a_counted_gap_is_missed(hass: HomeAssistant, app: FakeApp) -> None:
    app.past.gaps[:] = [(NOON_US, NOON_US + HOUR, 70)]
    live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert [told["missed"] for told in app.past.completed] == [20]


@pytest.mark.usefixtures("gap")
async def test_of_a_stretch_before_the_recorders_oldest_change_nobody_knows_what_is_missed(
    hass: HomeAssistant, app: FakeApp
) -> None:
    app.past.gaps[:] = [(NOON_US - HOUR, NOON_US + HOUR, None)]
    live_through(hass, 5)
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert [told["missed"] for told in app.past.completed] == [None]
    await eventually(lambda: entry.runtime_data.backfill.counts["uncertain"] == 1)


@pytest.mark.usefixtures("gap")
@pytest.mark.parametrize("recorder_config", [{"exclude": {"entities": ["sensor.unrecorded"]}}])
async def test_of_an_entity_that_is_not_recorded_nobody_knows_what_is_missed(hass: HomeAssistant, app: FakeApp) -> None:
    live_through(hass, 5)
    live_through(hass, 5, entity_id="sensor.unrecorded")
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert [told["missed"] for told in app.past.completed] == [None]


@pytest.mark.usefixtures("gap")
async def test_nothing_is_read_before_home_assistant_has_started(hass: HomeAssistant, app: FakeApp) -> None:
    live_through(hass, 5)
    hass.set_state(CoreState.starting)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.started)
    await hass.async_block_till_done()
    assert app.past.asked == 0

    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await eventually(lambda: app.past.completed)


@pytest.mark.usefixtures("gap")
async def test_an_app_that_knows_no_backfill_is_said_once_and_asked_again_later(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfill, "INTERVAL_S", 0.01)
    live_through(hass, 5)
    app.past.refuse = lambda _: problem(404, "no such page")
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.asked > 3)
    assert caplog.text.count("does not let them be filled") == 1
    assert entry.runtime_data.backfill.trouble

    app.past.refuse = lambda _: None
    await eventually(lambda: app.past.completed)
    await eventually(lambda: entry.runtime_data.backfill.trouble is None)


@pytest.mark.usefixtures("gap")
async def test_a_recorder_that_fails_leaves_the_gap_open_until_it_does_not(
    hass: HomeAssistant,
    app: FakeApp,
    recorder_mock: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(backfill, "INTERVAL_S", 0.01)
    expected = live_through(hass, 5)

    def broken() -> None:
        raise RuntimeError("no database")

    with monkeypatch.context() as patched:
        patched.setattr(recorder_mock, "get_session", broken)
        await set_up(hass, app_entry(hass, app))
        await eventually(lambda: app.past.asked > 3)
        assert app.past.completed == []
    await eventually(lambda: app.past.completed)

    assert filled(app) == expected
    assert caplog.text.count("the recorder cannot fill them") == 1


@pytest.mark.usefixtures("gap")
async def test_an_unforeseen_error_is_logged_counted_and_survived(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfill, "INTERVAL_S", 0.01)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(backfill, "Supply", broken)
        entry = await set_up(hass, app_entry(hass, app))
        await eventually(lambda: entry.runtime_data.backfill.counts["faults"])
    await eventually(lambda: app.past.completed)

    assert "Unforeseen error" in caplog.text


@pytest.mark.usefixtures("gap")
async def test_the_log_tells_when_a_gap_is_filled_and_with_how_much(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    live_through(hass, 5)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: "Filled the gap" in caplog.text)

    assert "Filling the gap from 2025-11-22 12:00:00+00:00 to 2025-11-22 13:00:00+00:00" in caplog.text
    assert "with 5 changes, 0 are missing" in caplog.text


@pytest.mark.usefixtures("gap")
async def test_the_past_goes_with_the_labels_of_the_registries(
    hass: HomeAssistant, app: FakeApp, entry_of_a_lamp: str
) -> None:
    live_through(hass, 5, entity_id=entry_of_a_lamp)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)

    assert app.past.labels[entry_of_a_lamp]["integration"] == "test"


@pytest.fixture
def entry_of_a_lamp(hass: HomeAssistant) -> str:
    return er.async_get(hass).async_get_or_create("light", "test", "1", config_entry=other_entry(hass)).entity_id


@pytest.mark.usefixtures("gap")
async def test_the_diagnostics_tell_what_is_filled_and_what_came_of_it(hass: HomeAssistant, app: FakeApp) -> None:
    live_through(hass, 5)
    app.past.hold.clear()
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.in_flight)
    during = await diagnostics.async_get_config_entry_diagnostics(hass, entry)
    app.past.hold.set()
    await eventually(lambda: entry.runtime_data.backfill.counts["sent"])
    after = await diagnostics.async_get_config_entry_diagnostics(hass, entry)

    assert during["backfill"]["filling"] == {"start_us": NOON_US, "end_us": NOON_US + HOUR, "events": None}
    assert after["backfill"] == {
        "filling": None,
        "trouble": None,
        "closed": 1,
        "sent": 5,
        "missed": 0,
        "uncertain": 0,
    }


async def test_a_second_look_finds_nothing_left_to_do(hass: HomeAssistant, app: FakeApp, gap: tuple[int, int]) -> None:
    live_through(hass, 5)
    entry: Entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.completed)
    asked = app.past.asked
    entry.runtime_data.backfill.async_wake()
    await eventually(lambda: app.past.asked > asked)
    await hass.async_block_till_done()

    assert len(app.past.completed) == 1
    assert (*gap, None) not in app.past.gaps
