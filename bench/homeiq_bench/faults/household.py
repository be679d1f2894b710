"""The people and the weather of a simulated home: what its devices have in common.

People get up, leave for work, come back and go to bed by the local clock, so that daylight saving time moves their
day against UTC; at weekends they are later and sometimes out; on holiday nobody is there, but for a neighbour now and
then. Days differ, and so does the weather, which stays similar from one day to the next. Not modelled: who of them is
where, visitors, and habits that change in the course of the simulation.
"""

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0

ROOMS: Final[Mapping[str, float]] = {
    "kitchen": 0.25,
    "living_room": 0.25,
    "hall": 0.2,
    "bathroom": 0.14,
    "bedroom": 0.1,
    "study": 0.04,
    "utility": 0.015,
    "guest_room": 0.005,
}
"""How often a room is visited, as a share of all visits."""

UPSTAIRS: Final = ("bathroom", "bedroom", "study", "guest_room")

_VISITS_AN_HOUR: Final = 8.0
_VISIT_S: Final = 400.0
_NIGHT_VISITS: Final = 0.8
_SUNDAY: Final = 5
_AT_HOME_ON_A_WORKDAY: Final = 0.25
_OUT_AT_THE_WEEKEND: Final = 0.5
_NEIGHBOUR_COMES: Final = 0.25


class Visit(msgspec.Struct, frozen=True):
    """Somebody is in a room."""

    at_s: float
    room: str
    lasts_s: float


class Calendar:
    """The days of a simulation in a place with daylight saving time.

    Attributes:
        days: How many there are; the first is number 0.
        holiday: The days on which nobody is at home.
    """

    def __init__(self, first: date, days: int, holiday: range, zone: str = "Europe/Berlin") -> None:
        self.first, self.days, self.holiday = first, days, holiday
        self._zone = ZoneInfo(zone)

    def at(self, day: int, hour: float) -> float:
        """Return the seconds since the epoch at an hour (0 to 48) of the local clock."""
        whole, part = divmod(hour % 24, 1)
        on = self.first + timedelta(days=day + int(hour // 24))
        return datetime.combine(on, time(int(whole)), self._zone).timestamp() + part * HOUR_S

    def hour(self, at_s: float) -> float:
        """Return the hour of the local clock, 0 to 24."""
        local = datetime.fromtimestamp(at_s, self._zone)
        return local.hour + local.minute / 60

    def is_weekend(self, day: int) -> bool:
        """Return whether it is a Saturday or a Sunday."""
        return (self.first + timedelta(days=day)).weekday() >= _SUNDAY

    def day_of_year(self, day: int) -> int:
        """Return 1 for the 1st of January."""
        return (self.first + timedelta(days=day)).timetuple().tm_yday


class Household:
    """The visits of each day, and the weather."""

    def __init__(self, seed: str, calendar: Calendar) -> None:
        self._seed, self.calendar = seed, calendar
        self._weather = list(_weather(Random(f"{seed} weather"), calendar.days + 1))  # noqa: S311  # no secret
        self.visits = cache(self._visits)

    def outside(self, day: int) -> float:
        """Return the day's mean temperature outside, °C."""
        season = 10 - 10 * math.cos((self.calendar.day_of_year(day) - 20) / 365 * math.tau)
        return season + 4 * self._weather[day][0]

    def dampness(self, day: int) -> float:
        """Return how damp the air is, in percent above the usual relative humidity."""
        return 3 * self._weather[day][0] - 4 * self._weather[day][1]

    def sun(self, day: int) -> float:
        """Return how sunny the day is, 0 to 1."""
        return 1 / (1 + math.exp(-2 * self._weather[day][1]))

    def is_away(self, day: int) -> bool:
        """Return whether the people are on holiday."""
        return day in self.calendar.holiday

    def stays(self, day: int) -> list[tuple[float, float]]:
        """Return from which to which hour somebody is awake at home."""
        chance = Random(f"{self._seed} stays {day}")  # noqa: S311
        if self.is_away(day):
            at = chance.uniform(9, 18)
            return [(at, at + 0.25)] if chance.random() < _NEIGHBOUR_COMES else []
        if self.calendar.is_weekend(day):
            up, bed = chance.gauss(8.4, 0.7), chance.gauss(23.6, 0.6)
            if chance.random() < _OUT_AT_THE_WEEKEND:
                leaves = chance.uniform(10, 15)
                return [(up, leaves), (min(bed - 0.5, leaves + chance.uniform(1.5, 7)), bed)]
            return [(up, bed)]
        up, bed = chance.gauss(6.7, 0.4), chance.gauss(22.8, 0.5)
        if chance.random() < _AT_HOME_ON_A_WORKDAY:
            return [(up, bed)]
        return [(up, up + chance.uniform(0.8, 1.5)), (chance.gauss(17, 0.8), bed)]

    def _visits(self, day: int) -> list[Visit]:
        chance = Random(f"{self._seed} visits {day}")  # noqa: S311
        hours = []
        for start, end in self.stays(day):
            at = start
            while (at := at + chance.expovariate(_VISITS_AN_HOUR)) < end:
                hours.append((at, chance.choices(list(ROOMS), list(ROOMS.values()))[0]))
        if not self.is_away(day) and chance.random() < _NIGHT_VISITS:
            hours.append((chance.uniform(1, 5), "bathroom"))
        hours.sort()
        return [Visit(self.calendar.at(day, at), room, chance.expovariate(1 / _VISIT_S)) for at, room in hours]


def _weather(chance: Random, days: int) -> list[tuple[float, float]]:
    """Return for each day how warm and how sunny it is, in standard deviations from the season's mean."""
    found, warm, sunny = [], 0.0, 0.0
    for _ in range(days):
        warm = 0.8 * warm + 0.6 * chance.gauss(0, 1)
        sunny = 0.6 * sunny + 0.8 * chance.gauss(0, 1)
        found.append((warm, sunny))
    return found
