"""Homes, devices, entities and events, as little of each as a test needs."""

import msgspec

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Condition, Evaluation, Report
from homeiq_server.insights.home import Home
from homeiq_server.model import Event
from homeiq_server.registry import Area, ConfigEntry, Device, Entity, Floor, Rows

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
START_US = 1_790_035_200 * 1_000_000
"""A midnight, UTC."""


def home(
    *things: Device | Entity | Area | Floor | ConfigEntry,
) -> Home:
    """Return a home of these things; config entries that devices name and nobody gave are made."""
    entries = {each.id: each for each in things if isinstance(each, ConfigEntry)}
    for each in things:
        if isinstance(each, Device) and each.config_entry_id and each.config_entry_id not in entries:
            entries[each.config_entry_id] = config_entry(each.config_entry_id, domain=each.integration or "mqtt")
    return Home.of(
        Rows(
            floors=tuple(each for each in things if isinstance(each, Floor)),
            areas=tuple(each for each in things if isinstance(each, Area)),
            config_entries=tuple(entries.values()),
            devices=tuple(each for each in things if isinstance(each, Device)),
            entities=tuple(each for each in things if isinstance(each, Entity)),
        )
    )


def config_entry(
    id: str = "entry",  # noqa: A002
    *,
    domain: str = "mqtt",
    state: str = "loaded",
    disabled_by: str | None = None,
) -> ConfigEntry:
    return ConfigEntry(id=id, domain=domain, title=domain, state=state, disabled_by=disabled_by)


def device(id: str = "device", **fields: object) -> Device:  # noqa: A002
    """Return a device of the config entry ``entry`` of mqtt, in the area ``area``, unless told otherwise."""
    start = {"name": id, "config_entry_id": "entry", "integration": "mqtt", "area_id": "area"}
    return msgspec.convert({"id": id, **start, **fields}, Device)


def entity(entity_id: str = "sensor.temperature", device_id: str | None = "device", **fields: object) -> Entity:
    """Return a registered entity, whose id is its entity id with a ``#`` before it."""
    return msgspec.convert({"id": f"#{entity_id}", "entity_id": entity_id, "device_id": device_id, **fields}, Entity)


def temperature(entity_id: str = "sensor.temperature", device_id: str | None = "device", **fields: object) -> Entity:
    """Return a sensor that speaks by itself."""
    about = {"device_class": "temperature", "state_class": "measurement", "unit": "°C"}
    return entity(entity_id, device_id, **{**about, **fields})


def motion(entity_id: str = "binary_sensor.motion", device_id: str | None = "device", **fields: object) -> Entity:
    """Return a sensor that people set off."""
    return entity(entity_id, device_id, **{"device_class": "motion", **fields})


def event(
    entity_id: str = "sensor.temperature",
    at_us: int = START_US,
    state: str | None = "21.5",
    previous: str | None = "21.4",
) -> Event:
    return Event(
        entity_id=entity_id,
        state=state,
        attributes=msgspec.Raw(b"{}"),
        previous=previous,
        previous_changed_us=at_us - MINUTE_US,
        time_us=at_us,
        context_id="01K",
        parent_id=None,
    )


def report(at_us: int, *, stream: str = "run", reported: dict[str, int] | None = None) -> Report:
    return Report(stream=stream, at_us=at_us, reported=reported or {})


def kinds(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what holds as (kind, subject), without what is merely untidy."""
    return [(each.kind.value, each.subject) for each in evaluation.conditions if each.severity > 1 or _house(each)]


def _house(condition: Condition) -> bool:
    return condition.subject_type == "house"


class Life:
    """Lets a home live: every entity speaks in its own rhythm, a report comes every five minutes.

    Attributes:
        periods: How often each entity speaks, in seconds.
        mute: Entities that have stopped to speak.
        now_us: How far life has come.
        found: All that was found since it was last cleared, as (kind, subject).
    """

    def __init__(self, engine: Engine, home: Home, periods: dict[str, int], *, start_us: int = START_US) -> None:
        self.engine = engine
        self.home = home
        self.periods = periods
        self.mute: set[str] = set()
        self.now_us = start_us
        self.stream = "run"
        self.found: dict[tuple[str, str], int] = {}
        engine.place(home)

    def go(self, *, days: float = 0, hours: float = 0, each_s: int = 300) -> Evaluation:
        """Let time pass, and evaluate after every five minutes of it."""
        end_us = self.now_us + round(days * DAY_US + hours * HOUR_US)
        evaluation = self.engine.evaluate(self.now_us)
        while self.now_us < end_us:
            before_us, self.now_us = self.now_us, self.now_us + each_s * 1_000_000
            self.engine.observe(self._spoken(before_us))
            self.engine.hear(report(self.now_us, stream=self.stream))
            evaluation = self.engine.evaluate(self.now_us)
            for each in kinds(evaluation):
                self.found.setdefault(each, self.now_us)
        return evaluation

    def say(self, entity_id: str, state: str | None, previous: str | None, *, after_s: float = 0) -> None:
        """Let one entity change."""
        self.engine.observe([event(entity_id, self.now_us + round(after_s * 1e6), state, previous)])

    def drop(self, *entity_ids: str) -> None:
        """Let entities become unavailable."""
        self.mute.update(entity_ids)
        for each in entity_ids:
            self.say(each, "unavailable", "20.5")

    def come_back(self, *entity_ids: str) -> None:
        """Let entities become available again."""
        self.mute.difference_update(entity_ids)
        for each in entity_ids:
            self.say(each, "20.5", "unavailable")

    def restart(self, *, away_s: int = 60, back: bool = True) -> None:
        """Restart Home Assistant: all is published anew, by another run of the forwarder."""
        self.now_us += away_s * 1_000_000
        self.stream += "+"
        self.engine.begin(self.stream, self.now_us)
        for each in self.periods:
            self.say(each, "unavailable", None, after_s=1)
            if back:
                self.say(each, "20.5", "unavailable", after_s=30)

    def _spoken(self, before_us: int) -> list[Event]:
        events = []
        for number, (entity_id, period_s) in enumerate(self.periods.items()):
            if entity_id in self.mute:
                continue
            first = -(-(before_us + 1 - number * 7_000_000) // (period_s * 1_000_000))
            last = (self.now_us - number * 7_000_000) // (period_s * 1_000_000)
            for turn in range(first, last + 1):
                state, previous = (str(20 + (turn - back) * 7 % 10 / 10) for back in (0, 1))
                events.append(event(entity_id, turn * period_s * 1_000_000 + number * 7_000_000, state, previous))
        return sorted(events, key=lambda each: each.time_us)
