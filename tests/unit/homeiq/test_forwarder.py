"""From the event bus into the app, over a real connection."""

import json

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Context, CoreState, HomeAssistant

from custom_components.homeiq import forwarder
from tests.unit.homeiq.entries import Entry, app_entry, buffer_of, is_accounted_for, of, set_states, set_up
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.waiting import eventually


@pytest.mark.usefixtures("entry")
async def test_creation_change_unavailability_and_removal_arrive_in_order(hass: HomeAssistant, app: FakeApp) -> None:
    for state in ("on", "off", "unknown", "unavailable", "x" * 255, "21 °C 🌡"):
        hass.states.async_set("light.kitchen", state, {"friendly_name": "Küche"})
    hass.states.async_remove("light.kitchen")
    await eventually(lambda: ("light.kitchen", None) in app.states)

    events = [event for event in app.events if event[0] == "light.kitchen"]
    assert [event[1] for event in events] == ["on", "off", "unknown", "unavailable", "x" * 255, "21 °C 🌡", None]
    assert [event[3] for event in events] == [None, "on", "off", "unknown", "unavailable", "x" * 255, "21 °C 🌡"]
    assert all(event[2] == {"friendly_name": "Küche"} for event in events)
    assert [event[5] for event in events] == sorted(event[5] for event in events)


@pytest.mark.usefixtures("entry")
async def test_the_context_of_a_change_goes_with_it(hass: HomeAssistant, app: FakeApp) -> None:
    cause = Context()
    context = Context(parent_id=cause.id)
    hass.states.async_set("light.kitchen", "on", context=context)
    await eventually(lambda: of(app, "light.kitchen"))

    (event,) = [event for event in app.events if event[0] == "light.kitchen"]
    assert event[6:] == [context.id, cause.id]


@pytest.mark.usefixtures("entry")
async def test_a_state_that_is_only_reported_again_is_no_event(hass: HomeAssistant, app: FakeApp) -> None:
    for _ in range(3):
        hass.states.async_set("light.kitchen", "on")
    hass.states.async_set("light.kitchen", "off")
    await eventually(lambda: ("light.kitchen", "off") in app.states)

    assert of(app, "light.kitchen") == [("light.kitchen", "on"), ("light.kitchen", "off")]


async def test_a_change_between_the_start_of_setup_and_the_first_answer_is_delivered(
    hass: HomeAssistant, app: FakeApp
) -> None:
    app.hold.clear()
    app.before_info = lambda: hass.states.async_set("light.early", "on")
    entry = await set_up(hass, app_entry(hass, app))
    assert entry.state is ConfigEntryState.LOADED
    app.hold.set()
    await eventually(lambda: ("light.early", "on") in app.states)

    (started,) = app.started.values()
    (event,) = [event for event in app.events if event[0] == "light.early"]
    assert started <= event[5]


async def test_the_stream_is_announced_before_anything_changes(hass: HomeAssistant, app: FakeApp) -> None:
    await set_up(hass, app_entry(hass, app, options={"include": {"domains": ["nothing"]}}))
    await eventually(lambda: app.started)

    assert json.loads(app.bodies[0])["events"] == []


async def test_what_changes_while_the_app_is_away_arrives_when_it_is_back(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    await app.stop()
    entry = await set_up(hass, app_entry(hass, app))
    assert entry.state is ConfigEntryState.LOADED
    expected = set_states(hass, 1_200)
    await eventually(lambda: "does not take events" in caplog.text)
    await app.start()
    await eventually(lambda: len(of(app)) == 1_200)

    assert of(app) == expected
    assert len(app.bodies) <= 4  # in large batches, not 500 at a time
    assert app.gaps == []
    await eventually(lambda: "takes events again" in caplog.text)
    assert caplog.text.count("does not take events") == 1


async def test_an_outage_in_the_middle_loses_nothing_and_repeats_nothing(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    expected = set_states(hass, 600)
    await eventually(lambda: len(of(app)) == 600)
    await app.stop()
    expected += set_states(hass, 600)
    await app.start()
    await eventually(lambda: len(of(app)) == 1_200)

    assert of(app) == expected
    assert len(app.streams) == 1
    assert is_accounted_for(buffer_of(entry))


async def test_when_the_buffer_is_full_the_oldest_go_and_a_gap_is_reported(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.homeiq.BUFFER_EVENTS", 100)
    await app.stop()
    entry = await set_up(
        hass,
        app_entry(
            hass, app, options={"include": {"domains": ["sensor"]}, "exclude": {"entity_globs": ["sensor.homeiq*"]}}
        ),
    )
    buffer = buffer_of(entry)
    expected = set_states(hass, 250)
    await app.start()
    await eventually(lambda: ("sensor.counter", "249") in app.states)

    assert of(app) == expected[150:]
    assert buffer.lost == 150
    ((start, end, count),) = app.gaps
    assert count == 150
    assert start < end <= app.events[0][5]
    assert is_accounted_for(buffer)


async def test_the_wait_ends_as_soon_as_the_app_answers_again(
    hass: HomeAssistant, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "BACKOFF_S", 3_600)
    monkeypatch.setattr(forwarder, "LONGEST_BACKOFF_S", 3_600)
    await eventually(lambda: not buffer_of(entry))
    await app.stop()
    expected = set_states(hass, 20)
    await eventually(lambda: not entry.runtime_data.coordinator.last_update_success)
    await app.start()
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected


async def test_an_app_that_is_back_in_another_version_ends_the_probing_but_gets_nothing(
    hass: HomeAssistant, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "BACKOFF_S", 3_600)
    await eventually(lambda: not buffer_of(entry))
    await app.stop()
    expected = set_states(hass, 20)
    await eventually(lambda: not entry.runtime_data.coordinator.last_update_success)
    sent, app.api_version = len(app.bodies), 0
    await app.start()
    asked = app.asked_info
    await eventually(lambda: app.asked_info > asked + 2)
    assert len(app.bodies) == sent

    app.api_version = 1
    await eventually(lambda: not buffer_of(entry))
    assert of(app) == expected


async def test_two_requests_are_never_in_flight(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    await eventually(lambda: app.started)
    app.hold.clear()
    expected = set_states(hass, 2_000)
    await eventually(lambda: len(app.bodies) > 1)
    sender = entry.runtime_data.forwarder
    flushes = [hass.async_create_task(sender.async_flush()) for _ in range(3)]
    app.hold.set()
    for flush in flushes:
        await flush

    assert of(app) == expected
    assert app.in_flight == 1


@pytest.mark.usefixtures("entry")
async def test_what_waits_is_flushed_when_home_assistant_writes_for_the_last_time(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: app.started)
    monkeypatch.setattr(forwarder, "GATHER_S", 3_600)
    expected = set_states(hass, 50)
    await hass.async_stop(force=True)

    assert of(app) == expected


@pytest.mark.usefixtures("entry")
async def test_a_stop_does_not_wait_for_an_app_that_is_away(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    await eventually(lambda: app.started)
    await app.stop()
    set_states(hass, 50)
    await hass.async_stop(force=True)

    assert hass.state is CoreState.stopped
    assert "events that the app does not have" in caplog.text


@pytest.mark.usefixtures("entry")
async def test_a_stop_waits_for_a_slow_app_no_longer_than_it_may(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await eventually(lambda: app.started)
    monkeypatch.setattr(forwarder, "FLUSH_S", 0.05)
    app.hold.clear()
    set_states(hass, 50)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await hass.async_block_till_done()

    assert "events that the app does not have" in caplog.text


async def test_a_reload_while_the_app_is_away_keeps_what_waits(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    await eventually(lambda: app.started)
    app.lose_answers = 1
    expected = set_states(hass, 20)
    await eventually(lambda: not app.lose_answers)
    await app.stop()
    expected += set_states(hass, 20)
    assert await hass.config_entries.async_reload(entry.entry_id)
    expected += set_states(hass, 20)
    await app.start()
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert len(app.streams) == 2


async def test_an_unforeseen_error_is_logged_counted_and_survived(
    hass: HomeAssistant, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await eventually(lambda: app.started)

    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("custom_components.homeiq.delivery.build_body", broken)
        expected = set_states(hass, 5)
        await eventually(lambda: entry.runtime_data.forwarder.faults)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert "Unforeseen error" in caplog.text


async def test_what_the_options_leave_out_is_not_forwarded(hass: HomeAssistant, app: FakeApp) -> None:
    await set_up(hass, app_entry(hass, app, options={"exclude": {"entity_globs": ["sensor.*"]}}))
    set_states(hass, 5)
    hass.states.async_set("light.kitchen", "on")
    await eventually(lambda: of(app, "light.kitchen"))

    assert {entity_id.split(".")[0] for entity_id, _ in app.states} <= {"light", "binary_sensor", "event"}
