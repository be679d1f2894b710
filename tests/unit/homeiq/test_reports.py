"""What the app is told every five minutes: who has spoken, and who has done what it was asked to."""

import time
from typing import Any

import pytest
from homeassistant.core import Context, HomeAssistant, ServiceCall

from custom_components.homeiq import commands, reports
from custom_components.homeiq.commands import Commands
from custom_components.homeiq.errors import AppError
from custom_components.homeiq.time_us import time_us
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.waiting import eventually

MINUTE = 60.0


async def report(entry: Entry) -> None:
    await entry.runtime_data.reports.async_report()


def reported(app: FakeApp, number: int = -1) -> dict[str, int]:
    times: dict[str, int] = app.store.reported[number]["reported"]
    return times


async def test_only_what_has_spoken_since_is_told(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    now = time.time()
    for name in ("a", "b"):
        hass.states.async_set(f"sensor.{name}", "1", timestamp=now - 100)
    await report(entry)
    hass.states.async_set("sensor.a", "1", timestamp=now)
    await report(entry)

    assert reported(app, 0)["sensor.a"] == time_us(now - 100)
    assert reported(app, 1)["sensor.a"] == time_us(now)
    assert "sensor.b" not in reported(app, 1)


async def test_a_report_names_its_source_and_the_stream_of_the_events(entry: Entry, app: FakeApp) -> None:
    await eventually(lambda: app.started)
    await report(entry)
    told = app.store.reported[0]

    assert told["source"] == entry.runtime_data.link.source
    assert told["stream"] in app.started
    assert abs(told["at_us"] - time_us(time.time())) < 10_000_000


async def test_an_entity_that_is_not_forwarded_is_not_reported(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, options={"exclude": {"domains": ["light"]}}))
    hass.states.async_set("sensor.a", "1")
    hass.states.async_set("light.a", "on")
    await report(entry)

    assert "sensor.a" in reported(app)
    assert "light.a" not in reported(app)


async def test_what_the_app_did_not_take_is_in_the_next_report(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    hass.states.async_set("sensor.a", "1")
    hass.states.async_set("light.a", "off")
    await call(hass, "light", "turn_on", entity_id="light.a", answer="on")
    app.store.state = "starting"
    with pytest.raises(AppError):
        await report(entry)
    app.store.state = "ok"
    await report(entry)

    assert "sensor.a" in reported(app)
    assert [one[0] for one in app.store.reported[0]["commands"]] == ["light.a"]


async def test_many_entities_are_several_reports(
    hass: HomeAssistant, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MOST_ENTITIES", 10)
    for number in range(35):
        hass.states.async_set(f"sensor.n{number}", "1")
    await report(entry)

    assert len(app.store.reported) >= 4
    assert max(len(one["reported"]) for one in app.store.reported) == 10


async def test_reports_go_by_themselves_and_survive_what_goes_wrong(
    hass: HomeAssistant, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "INTERVAL_S", 0.01)
    app.store.state = "starting"
    entry = await set_up(hass, app_entry(hass, app))
    running = entry.runtime_data.reports
    await eventually(lambda: running.trouble)
    with monkeypatch.context() as broken:
        broken.setattr(running, "_news", lambda: 1 / 0)
        await eventually(lambda: running.counts["faults"])
    app.store.state = "ok"

    await eventually(lambda: len(app.store.reported) > 2)
    assert running.trouble is None


async def call(
    hass: HomeAssistant,
    domain: str,
    service: str,
    *,
    answer: str | None = None,
    **data: Any,  # noqa: ANN401 - any JSON
) -> None:
    """Call a service whose device answers at once, with the context of the call, or does not."""

    async def handle(asked: ServiceCall) -> None:
        if answer is not None:
            hass.states.async_set(data["entity_id"], answer, context=asked.context)

    hass.services.async_register(domain, service, handle)
    await hass.services.async_call(domain, service, data, blocking=True)


@pytest.fixture
def listening(hass: HomeAssistant) -> Commands:
    """Commands that are listened to."""
    found = Commands(hass)
    found.async_listen()
    return found


def told(listening: Commands, *, later: float = 0) -> list[tuple[str, bool]]:
    """Return the entities that are judged by then, and whether they answered."""
    return [(entity_id, at is not None) for entity_id, _, at in listening.async_take(time_us(time.time() + later))]


@pytest.mark.parametrize(
    ("service", "before", "after"),
    [
        ("light.turn_on", "off", "on"),
        ("light.toggle", "on", "off"),
        ("switch.turn_off", "on", "off"),
        ("fan.toggle", "off", "on"),
        ("climate.turn_on", "off", "heat"),
        ("cover.open_cover", "closed", "opening"),
        ("cover.close_cover", "open", "closed"),
        ("valve.close_valve", "open", "closing"),
        ("lock.lock", "unlocked", "locking"),
        ("lock.unlock", "locked", "unlocked"),
    ],
)
async def test_a_command_is_answered_or_not(
    hass: HomeAssistant, listening: Commands, service: str, before: str, after: str
) -> None:
    domain, _, name = service.partition(".")
    for entity_id, answer in ((f"{domain}.good", after), (f"{domain}.dead", None)):
        hass.states.async_set(entity_id, before)
        await call(hass, domain, name, entity_id=entity_id, answer=answer)

    assert told(listening) == [(f"{domain}.good", True)]
    assert told(listening, later=MINUTE + 1) == [(f"{domain}.dead", False)]
    assert told(listening, later=10 * MINUTE) == []


@pytest.mark.parametrize(
    ("service", "state", "data"),
    [
        ("light.turn_on", "on", {"entity_id": "light.a"}),
        ("light.turn_on", "unavailable", {"entity_id": "light.a"}),
        ("light.turn_on", "unknown", {"entity_id": "light.a"}),
        ("light.turn_on", "off", {"area_id": "hall"}),
        ("light.turn_on", "off", {"entity_id": "all"}),
        ("light.turn_on", "off", {"entity_id": None}),
        ("light.reload", "off", {"entity_id": "light.a"}),
        ("homeassistant.turn_on", "off", {"entity_id": "light.a"}),
        ("script.turn_on", "off", {"entity_id": "light.a"}),
    ],
)
async def test_a_call_that_asks_no_device_to_change_is_not_judged(
    hass: HomeAssistant, listening: Commands, service: str, state: str, data: dict[str, Any]
) -> None:
    domain, _, name = service.partition(".")
    hass.states.async_set("light.a", state)
    await call(hass, domain, name, **data)

    assert told(listening, later=MINUTE + 1) == []


async def test_a_slow_device_has_answered_when_it_does_what_was_asked(hass: HomeAssistant, listening: Commands) -> None:
    hass.states.async_set("light.a", "off")
    await call(hass, "light", "turn_on", entity_id="light.a")
    hass.states.async_set("light.a", "unavailable")
    hass.states.async_set("light.a", "off", context=Context())
    assert told(listening) == []

    hass.states.async_set("light.a", "on", context=Context())
    assert told(listening) == [("light.a", True)]


async def test_an_answer_after_a_minute_is_none(hass: HomeAssistant, listening: Commands) -> None:
    hass.states.async_set("light.a", "off")
    await call(hass, "light", "turn_on", entity_id="light.a")
    hass.states.async_set("light.a", "on", timestamp=time.time() + 61)

    assert told(listening) == [("light.a", False)]


async def test_a_command_that_is_followed_by_another_is_not_judged(hass: HomeAssistant, listening: Commands) -> None:
    hass.states.async_set("light.a", "off")
    await call(hass, "light", "turn_on", entity_id="light.a")
    await call(hass, "light", "turn_off", entity_id="light.a")

    assert told(listening, later=MINUTE + 1) == []


async def test_several_entities_of_one_call_are_judged_each(hass: HomeAssistant, listening: Commands) -> None:
    for name in "abc":
        hass.states.async_set(f"light.{name}", "off")
    await call(hass, "light", "turn_on", entity_id=["light.a", "light.b"])
    await call(hass, "light", "turn_on", entity_id="light.b, light.c")

    assert told(listening, later=MINUTE + 1) == [("light.a", False), ("light.b", False), ("light.c", False)]


async def test_what_is_remembered_is_bounded(
    hass: HomeAssistant, listening: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MOST_COMMANDS", 3)
    for number in range(10):
        hass.states.async_set(f"light.n{number}", "off")
        await call(hass, "light", "turn_on", entity_id=f"light.n{number}")

    assert len(told(listening, later=MINUTE + 1)) == 3


async def test_nobody_listens_after_the_end(hass: HomeAssistant) -> None:
    before = dict(hass.bus.async_listeners())
    listening = Commands(hass)
    stop = listening.async_listen()
    hass.states.async_set("light.a", "off")
    await call(hass, "light", "turn_on", entity_id="light.a")
    stop()

    assert dict(hass.bus.async_listeners()) == before
