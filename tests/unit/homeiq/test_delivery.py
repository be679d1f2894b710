"""What becomes of a batch, whatever the app answers."""

import json
from typing import Any

import pytest
from aiohttp import ClientTimeout, web
from homeassistant.core import HomeAssistant

from tests.unit.homeiq.entries import Entry, app_entry, buffer_of, is_accounted_for, of, set_states, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.waiting import eventually


@pytest.fixture
async def late_entry(hass: HomeAssistant, app: FakeApp) -> Entry:
    """An entry that was loaded while the app was away."""
    await app.stop()
    return await set_up(hass, app_entry(hass, app))


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
