"""How devices speak: each regime gives the messages of one local day.

A message is when it is sent, and the states of some of the device's entities by the names of their suffixes. Numbers
are rounded as such devices round them; what is sent and what is measured differ: a thermometer tells only what has
moved. ``Distort`` is where a fault of the sensor itself comes in, before anything is rounded or left out.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Final, Protocol

from .household import HOUR_S, Household

type Message = tuple[float, Mapping[str, str]]
type Distort = Callable[[float, str, float], float]
"""What a sensor measures, from when, which of its entities, and the true value."""

STEP_S: Final = 300.0


class Regime(Protocol):
    """A way to speak."""

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day, in order; the last ones may lie a little after midnight."""
        ...


class Room:
    """The true climate of a room in steps of five minutes: heating by day, sun, weather, and windows opened to air.

    All its sensors share it; they differ in where they hang and by errors of their own.
    """

    def __init__(self, seed: str, name: str, household: Household) -> None:
        chance = Random(f"{seed} room {name}")  # noqa: S311
        self._household = household
        self._seed = f"{seed} air {name}"
        self._base = chance.uniform(18.5, 22)
        self._swing = chance.uniform(0.3, 1.2)
        self._phase = chance.uniform(13, 19)
        self._leak = chance.uniform(0.02, 0.08)
        self._aired = chance.choice((0.05, 0.3, 0.8))
        self._humidity = chance.uniform(42, 55)
        self.climate = cache(self._climate)

    def _climate(self, day: int) -> list[tuple[float, float, float, float]]:
        """Return when, temperature (°C), relative humidity (%), and how sunny it is just then (0 to 1)."""
        calendar, chance = self._household.calendar, Random(f"{self._seed} {day}")  # noqa: S311
        start_s, end_s = calendar.at(day, 0), calendar.at(day, 24)
        base = self._base - (2.0 if self._household.is_away(day) else 0)
        outside, change = _today(self._household.outside, day)
        damp, damper = _today(self._household.dampness, day)
        steps = round((end_s - start_s) / STEP_S)
        opened_s = calendar.at(day, chance.uniform(7, 10)) if chance.random() < self._aired else math.inf
        sun, shift = self._household.sun(day), calendar.hour(start_s + HOUR_S) - 1
        found, air = [], 0.0
        for step in range(steps):
            at_s = start_s + step * STEP_S
            hour = step * STEP_S / HOUR_S + shift
            air = 0.85 * air + (-0.6 if 0 <= at_s - opened_s < 20 * 60 else 0)
            shine = sun * max(0.0, math.sin((hour - 7) / 12 * math.pi)) if 7 < hour < 19 else 0.0  # noqa: PLR2004
            heated = base + self._swing * math.cos((hour - self._phase) / 24 * math.tau)
            value = heated + self._leak * (outside + change * step / steps) + air
            humidity = self._humidity + damp + damper * step / steps - 2.5 * (value - heated) + 2 * air
            found.append((at_s, value, humidity, shine))
        return found


def _today(of: Callable[[int], float], day: int) -> tuple[float, float]:
    """Return what the weather is at the beginning of a day, and by how much it changes until the next."""
    return of(day), of(day + 1) - of(day)


class Thermometer:
    """Temperature and humidity of a room, with the sensor's own error and as much sun as its place gets."""

    def __init__(self, chance: Random, distort: Distort, room: Room) -> None:
        self._chance, self._room, self._distort = chance, room, distort
        self._bias = chance.gauss(0, 0.4)
        self._sunny = chance.choice((0, 0, 0.3, 1.5))
        self._gain = chance.uniform(0.85, 1.15)
        self._wander = 0.0
        self._damp_bias = chance.gauss(0, 2)
        self._damp = 0.0

    def steps(self, day: int) -> list[tuple[float, float, float]]:
        """Return when, temperature (°C) and relative humidity (%), every five minutes."""
        found, gauss, distort = [], self._chance.gauss, self._distort
        for at_s, true, damp, shine in self._room.climate(day):
            self._wander = 0.99 * self._wander + gauss(0, 0.02)
            self._damp = 0.99 * self._damp + gauss(0, 0.08)
            value = 20 + self._gain * (true - 20) + self._bias + self._wander + self._sunny * shine
            humidity = 50 + self._gain * (damp - 50) + self._damp_bias + self._damp - 2.5 * self._sunny * shine
            humidity = min(98.0, max(15.0, humidity))
            found.append((at_s, distort(at_s, "temperature", value), distort(at_s, "humidity", humidity)))
        return found


class OnChange:
    """A battery-driven thermometer: tells what has moved by a threshold, and at the latest after ``longest_s``."""

    def __init__(self, chance: Random, distort: Distort, *, room: Room) -> None:
        self._chance, self._thermometer = chance, Thermometer(chance, distort, room)
        self._threshold = chance.choice((0.1, 0.2, 0.3, 0.5))
        self._damp = chance.choice((1.0, 2.0, 3.0))
        self._digits = chance.choice((1, 2))
        self._longest_s = chance.choice((3_000.0, HOUR_S, 4 * HOUR_S, 12 * HOUR_S))
        self._told: tuple[float, float, float] = (0, 0, 0)

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        found: list[Message] = []
        for at_s, value, humidity in self._thermometer.steps(day):
            told_s, told, damp = self._told
            still = abs(value - told) < self._threshold and abs(humidity - damp) < self._damp
            if still and at_s - told_s < self._longest_s:
                continue
            self._told = (at_s, value, humidity)
            states = {"temperature": f"{value:.{self._digits}f}", "humidity": f"{humidity:.{self._digits}f}"}
            found.append((at_s + self._chance.uniform(0, STEP_S), states))
        return found


class Repeating:
    """A thermometer that tells its values at every turn, changed or not, in tenths of a degree and whole percents."""

    def __init__(self, chance: Random, distort: Distort, *, room: Room, every_s: float) -> None:
        self._chance, self._thermometer, self._every_s = chance, Thermometer(chance, distort, room), every_s
        self._next_s = 0.0

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        found: list[Message] = []
        for at_s, value, humidity in self._thermometer.steps(day):
            if at_s + STEP_S <= self._next_s:
                continue
            sent_s = max(at_s, self._next_s)
            self._next_s = sent_s + self._every_s * self._chance.uniform(0.97, 1.03)
            found.append((sent_s, {"temperature": f"{value:.1f}", "humidity": f"{humidity:.0f}"}))
        return found


class Load:
    """A metering plug that is read every minute: a refrigerator, a television, a washing machine or a desk.

    Standby may be an exact zero for days: then every report repeats the last one and nothing is wrong.
    """

    KINDS: Final = ("refrigerator", "television", "washing_machine", "desk")

    def __init__(self, chance: Random, distort: Distort, *, household: Household, kind: str) -> None:
        self._chance, self._household, self._kind, self._distort = chance, household, kind, distort
        self._standby = {"refrigerator": 1.2, "television": 0.4, "washing_machine": 0.0, "desk": 0.0}[kind]
        self._kwh = chance.uniform(10, 500)
        self._phase_s = chance.uniform(0, HOUR_S)

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        calendar, chance, distort = self._household.calendar, self._chance, self._distort
        start_s, end_s, found = calendar.at(day, 0), calendar.at(day, 24), list[Message]()
        runs = self._runs(day)
        at_s = start_s + chance.uniform(0, 30)
        while at_s < end_s:
            watts = self._standby
            for begins_s, ends_s, power in runs:
                if begins_s <= at_s < ends_s:
                    watts = max(0.0, power + chance.gauss(0, power * 0.03))
            self._kwh += watts / 60 / 1_000
            found.append((at_s, {"power": f"{distort(at_s, 'power', watts):.1f}", "energy": f"{self._kwh:.2f}"}))
            at_s += 60.0
        return found

    def _runs(self, day: int) -> list[tuple[float, float, float]]:
        chance, at = self._chance, self._household.calendar.at
        if self._kind == "refrigerator":
            start_s = at(day, 0) + self._phase_s
            return [(start_s + n * 3_500, start_s + n * 3_500 + chance.gauss(1_200, 150), 85.0) for n in range(25)]
        stays = self._household.stays(day)
        if self._household.is_away(day) or not stays:
            return []
        if self._kind == "television":
            end = stays[-1][1]
            return [(at(day, max(0.0, end - chance.uniform(1, 4))), at(day, end), 110.0)]
        if self._kind == "washing_machine":
            start = stays[-1][0] + 0.2
            return [(at(day, start), at(day, start + 1.6), 420.0)] if chance.random() < 0.3 else []  # noqa: PLR2004
        return [(at(day, start + 0.3), at(day, max(start + 0.4, end - 1)), 65.0) for start, end in stays[:1]]


class Motion:
    """A motion sensor: on when somebody comes in, off a while after the last movement."""

    def __init__(self, chance: Random, _: Distort, *, household: Household, room: str) -> None:
        self._chance, self._household, self._room = chance, household, room
        self._sees = chance.uniform(0.75, 0.98)
        self._hold_s = chance.choice((60.0, 90.0, 180.0))

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        found: list[Message] = []
        until_s = 0.0
        for visit in self._household.visits(day):
            if visit.room != self._room or self._chance.random() > self._sees:
                continue
            if visit.at_s > until_s:
                if until_s:
                    found.append((until_s, {"occupancy": "off"}))
                found.append((visit.at_s, {"occupancy": "on"}))
            until_s = max(until_s, visit.at_s + visit.lasts_s + self._hold_s)
        if until_s:
            found.append((until_s, {"occupancy": "off"}))
        return found


class Contact:
    """A door or a window, opened by people who are at home."""

    OPENINGS: Final[Mapping[str, float]] = {
        "front_door": 6,
        "window": 1.2,
        "balcony": 2.5,
        "cellar": 0.5,
        "attic": 0.15,
    }
    """A day."""

    def __init__(self, chance: Random, _: Distort, *, household: Household, kind: str) -> None:
        self._chance, self._household, self._a_day = chance, household, self.OPENINGS[kind]

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        stays, chance, at = self._household.stays(day), self._chance, self._household.calendar.at
        if self._household.is_away(day) or not stays:
            return []
        openings, hours = [], sum(end - start for start, end in stays)
        for start, end in stays:
            moment = start
            while (moment := moment + chance.expovariate(self._a_day / hours)) < end:
                openings.append(at(day, moment))
        found: list[Message] = []
        free_s = 0.0
        for opened_s in sorted(openings):
            if opened_s > free_s:
                free_s = opened_s + chance.expovariate(1 / 300)
                found += [(opened_s, {"contact": "on"}), (free_s, {"contact": "off"})]
        return found


class Button:
    """A remote control: an event entity, whose state is when it was last pressed."""

    def __init__(self, chance: Random, _: Distort, *, household: Household) -> None:
        self._chance, self._household = chance, household
        self._a_day = chance.choice((0.4, 1.5, 4.0))

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        visits = self._household.visits(day)
        if self._household.is_away(day) or not visits:
            return []
        pressed = [visit.at_s + 5 for visit in visits if self._chance.random() < self._a_day / len(visits)]
        return [(at_s, {"action": datetime.fromtimestamp(at_s, UTC).isoformat()}) for at_s in pressed]


class Light:
    """A lamp: on when somebody is in its room and it is dark outside."""

    def __init__(self, chance: Random, _: Distort, *, household: Household, room: str) -> None:
        self._chance, self._household, self._room = chance, household, room
        self._used = chance.choice((0.9, 0.5, 0.1))

    def day(self, day: int) -> list[Message]:
        """Return the messages of a day."""
        found: list[Message] = []
        until_s, hour = 0.0, self._household.calendar.hour
        for visit in self._household.visits(day):
            dark = not 8 < hour(visit.at_s) < 17  # noqa: PLR2004
            if visit.room == self._room and dark and visit.at_s > until_s and self._chance.random() < self._used:
                until_s = visit.at_s + max(60.0, visit.lasts_s)
                found += [(visit.at_s, {"light": "on"}), (until_s, {"light": "off"})]
        return found


class Quiet:
    """Says nothing of its own, such as a bridge."""

    def __init__(self, *_: object) -> None:
        """Need nothing."""

    def day(self, day: int) -> list[Message]:
        """Return no message."""
        del day
        return []
