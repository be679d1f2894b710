"""The recorder's rows against the live events that they were, in a real recorder."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from homeassistant.components.recorder import db_schema
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.db_schema import RecorderRuns
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Context, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from custom_components.homeiq import recorder_history
from custom_components.homeiq.recorded_changes import RecordedChanges
from custom_components.homeiq.recorder_history import RecorderFault, RecorderHistory, async_recorder_history
from custom_components.homeiq.recorder_tables import STATES
from custom_components.homeiq.time_us import time_us
from custom_components.homeiq.wire import Change, as_change, serialise
from tests.unit.homeiq.changes import NOON
from tests.unit.homeiq.past import HOUR, NOON_US, SECOND, live_through, recorded
from tests.unit.homeiq.waiting import eventually


def listen(hass: HomeAssistant) -> list[Change]:
    """Return a list that every change from now on is added to, as the forwarder makes it."""
    changes: list[Change] = []

    def on_change(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        time = event.time_fired_timestamp if state is None else state.last_updated_timestamp
        context = event.context if state is None else state.context
        changes.append(as_change(event.data, context, time))

    hass.bus.async_listen(EVENT_STATE_CHANGED, callback(on_change))
    return changes


def as_sent(changes: list[Change]) -> list[Any]:
    body, kept = serialise(changes, lambda *_: None)
    assert len(kept) == len(changes)
    return sorted(json.loads(b"[%b]" % body), key=lambda event: (event[5], event[0]))


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["sensor.a", "climate.b", "light.c"]),
        st.none() | st.sampled_from(["on", "heat", "", "21.5", "unknown"]) | st.text(max_size=255),
        st.dictionaries(st.text(max_size=9), st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=9), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.filterwarnings("ignore:It looks like `register_random`:hypothesis.errors.HypothesisWarning")
async def test_a_recorded_change_is_the_live_event_to_the_microsecond(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    live = listen(hass)

    @settings(
        max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(_CHANGES)
    def change(steps: list[tuple[str, str | None, dict[str, Any]]]) -> None:
        for entity_id, state, attributes in steps:
            if state is None:
                hass.states.async_remove(entity_id)
            else:
                hass.states.async_set(
                    entity_id, state, {"friendly_name": "Name", **attributes}, context=Context(parent_id=Context().id)
                )

    change()
    rows = await recorded(recorder_mock)

    assert len(rows) > 200
    assert any(row.state is None for row in rows)
    assert as_sent(RecordedChanges(hass).async_changes(rows)) == as_sent(live)


@pytest.mark.filterwarnings("ignore:It looks like `register_random`:hypothesis.errors.HypothesisWarning")
async def test_any_time_comes_out_of_the_recorder_as_the_live_event_has_it(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    live = listen(hass)

    @settings(
        max_examples=500, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.floats(1e9, 4e9))
    def change(at: float) -> None:
        hass.states.async_set("sensor.a", "1", {"at": at}, timestamp=at)

    change()
    rows = await recorded(recorder_mock)

    assert sorted(row.time_us for row in rows) == sorted(change[5] for change in live)
    assert len(rows) > 100


async def test_the_first_state_after_a_removal_has_no_previous_one(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    hass.states.async_set("light.a", "on", {"friendly_name": "A"})
    hass.states.async_remove("light.a")
    hass.states.async_set("light.a", "off", {"friendly_name": "A"})
    on, removed, off = await recorded(recorder_mock)

    assert [(row.state, row.previous) for row in (on, removed, off)] == [("on", None), (None, "on"), ("off", None)]
    assert json.loads(removed.attributes or "") == {"friendly_name": "A"}


async def test_an_empty_state_is_a_state_and_no_removal(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    hass.states.async_set("input_text.a", "", {"friendly_name": "A"})
    (row,) = await recorded(recorder_mock)

    assert row.state == ""


async def test_the_state_before_the_stretch_is_the_previous_one(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    live_through(hass, 3)
    rows = await recorded(recorder_mock, NOON_US + SECOND, NOON_US + SECOND)

    assert [(row.state, row.previous, row.previous_changed_us) for row in rows] == [("1", "0", NOON_US)]


async def test_both_ends_of_a_stretch_belong_to_it(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    live_through(hass, 5)
    rows = await recorded(recorder_mock, NOON_US + SECOND, NOON_US + 3 * SECOND)
    inside = await recorded(recorder_mock, NOON_US + SECOND + 1, NOON_US + 3 * SECOND - 1)

    assert [row.state for row in rows] == ["1", "2", "3"]
    assert [row.state for row in inside] == ["2"]


@pytest.mark.parametrize("page", [1, 2, 7, 10])
async def test_pages_lose_and_repeat_nothing_even_of_one_instant(
    hass: HomeAssistant, recorder_mock: Recorder, page: int
) -> None:
    for number in range(10):
        hass.states.async_set(f"sensor.s{number}", "1", {"n": number}, timestamp=NOON + number // 5)
    table = replace(STATES, page=page)
    history = RecorderHistory(recorder_mock)
    await history.async_settle()
    pages = [rows async for rows in history.async_pages(table, 0, NOON_US + HOUR)]

    assert [row.entity_id for rows in pages for row in rows] == [f"sensor.s{number}" for number in range(10)]
    assert max(map(len, pages)) <= page


async def test_a_long_stretch_is_read_window_by_window(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    for hour in (0, 5, 6, 30, 100):
        hass.states.async_set("sensor.a", str(hour), {"n": 1}, timestamp=NOON + 3_600 * hour)
    history = RecorderHistory(recorder_mock)
    await history.async_settle()
    pages = [[row.state for row in rows] async for rows in history.async_pages(STATES, 0, NOON_US + 200 * HOUR)]

    assert pages == [["0", "5"], ["6"], ["30"], ["100"]]


async def test_only_the_entities_that_are_asked_for_are_read(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    for entity_id in ("sensor.a", "sensor.b", "sensor.c"):
        live_through(hass, 3, entity_id=entity_id)
    history = RecorderHistory(recorder_mock)
    await history.async_settle()
    pages = [rows async for rows in history.async_pages(STATES, 0, NOON_US + HOUR, ["sensor.a", "sensor.c"])]

    assert {row.entity_id for rows in pages for row in rows} == {"sensor.a", "sensor.c"}


async def test_what_has_happened_is_committed_before_it_is_read(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    expected = live_through(hass, 50)

    assert [(row.entity_id, row.state, row.time_us) for row in await recorded(recorder_mock)] == expected


async def test_a_recorder_that_is_locked_for_a_backup_is_waited_for(
    hass: HomeAssistant,
    recorder_mock: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(recorder_history, "PATIENCE_S", 0.01)
    caplog.set_level(logging.INFO)
    assert await recorder_mock.lock_database()
    live_through(hass, 3)
    settled = hass.async_create_task(RecorderHistory(recorder_mock).async_settle())
    await eventually(lambda: "Waiting for the recorder, which is busy or locked" in caplog.text)
    assert not settled.done()
    assert recorder_mock.unlock_database()
    await settled

    assert len(await recorded(recorder_mock)) == 3
    assert caplog.text.count("Waiting for the recorder") == 1


async def test_waiting_for_the_recorder_can_be_cancelled_without_harm_to_it(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    recorder_mock.async_db_ready = hass.loop.create_future()
    settled = hass.async_create_task(RecorderHistory(recorder_mock).async_settle())
    await asyncio.sleep(0)
    settled.cancel()
    await asyncio.wait([settled])

    assert not recorder_mock.async_db_ready.cancelled()


async def test_a_recorder_that_could_not_start_is_a_fault(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    recorder_mock.async_db_ready = hass.loop.create_future()
    recorder_mock.async_db_ready.set_result(False)

    with pytest.raises(RecorderFault):
        await RecorderHistory(recorder_mock).async_settle()


async def test_a_recorder_that_has_stopped_is_a_fault(recorder_mock: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_history, "PATIENCE_S", 0.01)
    await recorder_mock._async_shutdown(None)  # type: ignore[arg-type] # no event is read

    with pytest.raises(RecorderFault):
        await RecorderHistory(recorder_mock).async_settle()


async def test_a_database_that_fails_is_a_fault(recorder_mock: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise SQLAlchemyError

    monkeypatch.setattr(recorder_mock, "get_session", broken)
    with pytest.raises(RecorderFault, match="SQLAlchemyError"):
        await RecorderHistory(recorder_mock).async_count(0, 1)


async def test_an_empty_recorder_has_no_pages(recorder_mock: Recorder) -> None:
    assert await recorded(recorder_mock) == []


async def test_a_recorder_is_whole_from_its_oldest_change_on(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    history = RecorderHistory(recorder_mock)
    assert not await history.async_is_whole(NOON_US, NOON_US + HOUR)
    live_through(hass, 3)
    await history.async_settle()

    assert await history.async_is_whole(NOON_US, NOON_US + HOUR)
    assert not await history.async_is_whole(NOON_US - 1, NOON_US + HOUR)


async def test_a_recorder_that_crashed_may_have_lost_something(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    live_through(hass, 3)
    history = RecorderHistory(recorder_mock)
    await history.async_settle()
    noticed = dt_util.utc_from_timestamp(NOON + 60)

    def crash() -> None:
        with session_scope(session=recorder_mock.get_session()) as session:
            session.add(RecorderRuns(start=dt_util.utc_from_timestamp(NOON - 60), end=noticed, closed_incorrect=True))

    await recorder_mock.async_add_executor_job(crash)

    assert await history.async_is_whole(NOON_US, NOON_US + 59 * SECOND)
    assert not await history.async_is_whole(NOON_US, NOON_US + 61 * SECOND)
    assert await history.async_is_whole(NOON_US + 61 * SECOND, NOON_US + 90 * SECOND)


async def test_a_home_without_a_recorder_has_no_history(hass: HomeAssistant) -> None:
    assert async_recorder_history(hass) is None


async def test_a_renamed_entity_has_its_past_under_its_new_name(hass: HomeAssistant, recorder_mock: Recorder) -> None:
    live_through(hass, 2, entity_id="sensor.old")
    recorder_mock.async_update_states_metadata("sensor.old", "sensor.new")
    rows = await recorded(recorder_mock)

    assert {row.entity_id for row in rows} == {"sensor.new"}


def test_the_recorder_keeps_no_more_than_the_changes_are_made_for() -> None:
    """An entity that drops all attributes keeps those that its points are named by."""
    assert {"unit_of_measurement", "device_class", "state_class"} <= db_schema._MATCH_ALL_KEEP
    assert time_us(NOON) == NOON_US
