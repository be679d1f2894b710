"""From the event bus into the app, over a real connection."""

import json
from typing import Any

import pytest
from aiohttp import ClientTimeout, web
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import Context, CoreState, HomeAssistant

from custom_components.homeiq import forwarder
from custom_components.homeiq.buffer import Buffer
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.waiting import eventually


@pytest.fixture
async def entry(hass: HomeAssistant, app: FakeApp) -> Entry:
    """A loaded entry."""
    return await set_up(hass, app_entry(hass, app))


@pytest.fixture
async def late_entry(hass: HomeAssistant, app: FakeApp) -> Entry:
    """An entry that was loaded while the app was away."""
    await app.stop()
    return await set_up(hass, app_entry(hass, app))


def buffer_of(entry: Entry) -> Buffer:
    buffer: Buffer = entry.runtime_data.forwarder.buffer
    return buffer


def is_accounted_for(buffer: Buffer) -> bool:
    return buffer.added == len(buffer) + buffer.delivered + buffer.lost + buffer.refused


def set_states(hass: HomeAssistant, count: int, entity_id: str = "sensor.counter") -> list[tuple[str, str | None]]:
    """Change a state ``count`` times; return what the app should have of it in the end."""
    for number in range(count):
        hass.states.async_set(entity_id, str(number))
    return [(entity_id, str(number)) for number in range(count)]


def of(app: FakeApp, entity_id: str = "sensor.counter") -> list[tuple[str, str | None]]:
    return [pair for pair in app.states if pair[0] == entity_id]


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


async def test_a_batch_whose_answer_is_lost_is_sent_again_to_the_byte_and_stored_once(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    await eventually(lambda: app.started)
    app.lose_answers = 2
    expected = set_states(hass, 20)
    await eventually(lambda: app.duplicates)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert any(first == second for first, second in zip(app.bodies, app.bodies[1:], strict=False))
    assert len(app.streams) == 1


async def test_another_body_after_a_lost_answer_goes_under_a_new_stream(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    await eventually(lambda: not buffer_of(entry))

    def lose_one_then_refuse(body: dict[str, Any]) -> web.Response | None:
        stored = any(event[0] == "sensor.counter" for event in app.events)
        return problem(413, "too many") if stored and len(body["events"]) > 5 else None

    app.lose_answers = 1
    app.refuse = lose_one_then_refuse
    expected = set_states(hass, 20)
    await eventually(lambda: not buffer_of(entry))

    # Under the old stream the halves would have passed for the batch that was stored; now they are stored again,
    # as the same points.
    assert len(app.streams) == 2
    assert of(app) == expected * 2


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


async def test_a_slow_answer_is_a_lost_one(
    hass: HomeAssistant, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.homeiq.client._SEND_TIMEOUT", ClientTimeout(total=0.1))
    await eventually(lambda: app.started)
    app.hold.clear()
    expected = set_states(hass, 20)
    await eventually(lambda: buffer_of(entry).in_flight and buffer_of(entry).in_flight[-1].attempts > 1)
    app.hold.set()
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected


@pytest.mark.usefixtures("entry")
async def test_an_app_that_has_forgotten_the_stream_gets_a_new_one_with_the_labels(
    hass: HomeAssistant, app: FakeApp
) -> None:
    hass.states.async_set("light.kitchen", "on")
    await eventually(lambda: of(app, "light.kitchen"))
    last_us = max(event[5] for event in app.events)
    app.forget()
    hass.states.async_set("light.kitchen", "off")
    await eventually(lambda: len(of(app, "light.kitchen")) == 2)

    _, (second, started) = app.started.items()
    assert app.streams == {second: 1}
    assert started >= last_us  # it is from the acknowledged changes on that the new stream is whole
    assert len(app.labels["light.kitchen"]) == 2


async def test_an_app_that_takes_no_new_stream_is_not_pestered(hass: HomeAssistant, app: FakeApp) -> None:
    app.refuse = lambda _: problem(409, "made up", expected=7)
    entry = await set_up(hass, app_entry(hass, app))
    expected = set_states(hass, 3)
    await eventually(lambda: len(app.bodies) >= 3)
    app.refuse = None
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected


async def test_a_batch_over_the_apps_limit_is_halved(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    app.refuse = lambda body: problem(413, "too many") if len(body["events"]) > 10 else None
    expected = set_states(hass, 95)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert buffer_of(entry).refused == 0


async def test_a_batch_over_four_mebibytes_is_never_sent(hass: HomeAssistant, late_entry: Entry, app: FakeApp) -> None:
    for number in range(60):
        hass.states.async_set("sensor.counter", str(number), {"long": "x" * 100_000, "number": number})
    await app.start()
    await eventually(lambda: not buffer_of(late_entry))

    assert len(of(app)) == 60
    assert max(map(len, app.bodies)) <= 4 * 1024 * 1024


async def test_an_event_over_four_mebibytes_costs_only_itself(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    hass.states.async_set("sensor.huge", "1", {"long": "x" * 5_000_000})
    expected = set_states(hass, 3)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert buffer_of(entry).refused_by_entity == {"sensor.huge": 1}


async def test_an_event_for_which_whole_batches_are_refused_is_found_and_left_out(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    app.refuse = lambda body: problem(400, "bad") if any(e[0] == "sensor.odd" for e in body["events"]) else None
    expected = set_states(hass, 40)
    hass.states.async_set("sensor.odd", "1")
    expected += set_states(hass, 40)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert buffer_of(entry).refused_by_entity == {"sensor.odd": 1}
    assert is_accounted_for(buffer_of(entry))


async def test_an_app_that_refuses_everything_costs_no_event(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    await eventually(lambda: app.started)
    app.refuse = lambda _: problem(400, "a proxy in a bad mood")
    expected = set_states(hass, 8)
    await eventually(lambda: sum(not json.loads(body)["events"] for body in app.bodies) > 3)
    app.refuse = None
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert buffer_of(entry).refused == 0


async def test_events_that_the_app_rejects_are_counted_by_entity(
    hass: HomeAssistant, entry: Entry, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app.reject = lambda event: event[0] == "sensor.odd"
    for number in range(3):
        hass.states.async_set("sensor.odd", str(number))
    await eventually(lambda: buffer_of(entry).refused == 3)

    assert buffer_of(entry).refused_by_entity == {"sensor.odd": 3}
    assert caplog.text.count("A state of sensor.odd is left out") == 1
    assert is_accounted_for(buffer_of(entry))


async def test_a_state_that_cannot_be_serialised_costs_only_itself(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    hass.states.async_set("sensor.odd", "1", {"odd": object()})
    expected = set_states(hass, 3)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert buffer_of(entry).refused_by_entity == {"sensor.odd": 1}


async def test_a_busy_app_is_asked_again_when_it_said(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    await eventually(lambda: app.started)
    refusals = iter([problem(503, "full", retry_after="0"), problem(429, "slow"), problem(500, "oops")])
    app.refuse = lambda _: next(refusals, None)
    expected = set_states(hass, 3)
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected


async def test_the_wait_that_a_busy_app_asks_for_is_kept(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    await eventually(lambda: not buffer_of(entry))
    app.refuse = lambda _: problem(503, "full", retry_after="300")
    hass.states.async_set("sensor.counter", "first")
    await eventually(lambda: any(b"first" in body for body in app.bodies))
    sent = len(app.bodies)
    set_states(hass, 600)
    for _ in range(20):  # as many answers of the same app take longer than any wait that this test has shortened
        await entry.runtime_data.coordinator.async_refresh()

    assert len(app.bodies) == sent


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


async def test_a_batch_of_a_stream_that_nobody_knows_any_more_goes_under_the_present_one(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    await eventually(lambda: not buffer_of(entry))
    app.hold.clear()
    expected = set_states(hass, 20)
    await eventually(lambda: buffer_of(entry).in_flight)
    await app.stop()
    app.hold.set()
    assert await hass.config_entries.async_reload(entry.entry_id)
    app.forget()
    await app.start()
    await eventually(lambda: not buffer_of(entry))

    assert of(app) == expected
    assert len(app.streams) == 1


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

    assert {entity_id.split(".")[0] for entity_id, _ in app.states} <= {"light", "binary_sensor"}
