"""Batteries that run down in the ways that batteries do, and how well their end is foretold.

The level is what the device tells, in percent. A battery's end is when its true level falls to ten percent: below that
most devices stop sooner or later, and that is what the product announces. It goes on to nothing, and is replaced within
a few days. By shape, over its life:

- ``linear``: alkaline cells seen through a fitted curve; ``step_5`` the same in steps of five percent, ``step_25``
  in steps of twenty-five.
- ``knee``: lithium cells: the voltage hardly falls for nine tenths of the life, then falls steeply.
- ``concave``: alkaline cells seen through their voltage: slower at first, faster to the end, with a wave of a week in
  temperature upon it.
- ``replacement``: short lives, one after another, of similar length.

Not modelled: rechargeable ones, cold winters, devices whose use changes.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from random import Random
from statistics import mean, median
from typing import Final

import msgspec

from homeiq_server import registry
from homeiq_server.insights import engine, home
from homeiq_server.insights.finding import BatteryEnd, Report
from homeiq_server.model import Event

from .household import DAY_S

SHAPES: Final = ("linear", "knee", "concave", "step_5", "step_25", "replacement")
AHEAD_DAYS: Final = (30, 14)
_END_PERCENT: Final = 10
_DAYS: Final = 180
_START_S: Final = 1_770_000_000 // 86_400 * 86_400.0
_REPORTS_A_DAY: Final = 4
_WEEK: Final = 7
_STEPS: Final[Mapping[str, float]] = {"step_5": 5, "step_25": 25}


class Battery:
    """One battery-driven thermometer and its batteries.

    Attributes:
        ends: When its batteries come to their end, in days since the start, in order.
    """

    def __init__(self, seed: str, shape: str, number: int) -> None:
        self.shape, self.chance = shape, Random(f"{seed} battery {shape} {number}")  # noqa: S311
        self.device_id = f"{shape}{number:03d}"
        self.ends: list[float] = []
        self._rounding = self.chance.choice((0.0, 0.5, 0.999))  # down, to the nearest, up
        self._lives: list[tuple[float, float]] = []
        usual = self.chance.uniform(45, 75) if shape == "replacement" else self.chance.uniform(250, 600)
        at = -usual * self.chance.random() if shape == "replacement" else self.chance.uniform(90, 170) - usual
        while at < _DAYS:
            life = usual * self.chance.gauss(1, 0.08) if shape == "replacement" and self.ends else usual
            self._lives.append((at, life))
            self.ends.append(at + life * _used_at_the_end(shape))
            at += life + self.chance.uniform(0.5, 4)

    def level(self, day: float) -> str | None:
        """Return what it tells at a time in days since the start; None while it is empty."""
        for start, life in self._lives:
            if start <= day < start + life:
                charge = _CURVES[self.shape]((day - start) / life)
                wave = 2.0 * math.sin(day / _WEEK * math.tau) if self.shape == "concave" else 0.0
                step = _STEPS.get(self.shape, 1.0)
                noisy = charge + wave + (self.chance.gauss(0, 0.5) if step == 1.0 else 0.0)
                return str(int(min(100.0, max(0.0, math.floor(noisy / step + self._rounding) * step))))
        return None


def _knee(used: float) -> float:
    """Fall by ten points until nine tenths of the life, then by ninety, with a rounded knee."""
    edge = 0.01
    return 100 - 11 * used - 890 * edge * math.log1p(math.exp((used - 0.9) / edge))


_CURVES: Final[Mapping[str, Callable[[float], float]]] = {
    "linear": lambda used: 100 * (1 - used),
    "knee": _knee,
    "concave": lambda used: 100 * (1 - used**2),
    "step_5": lambda used: 100 * (1 - used),
    "step_25": lambda used: 100 * (1 - used),
    "replacement": lambda used: 100 * (1 - used),
}


@cache
def _used_at_the_end(shape: str) -> float:
    """Return the share of a life at which the level falls to ``_END_PERCENT``, by bisection."""
    low, high = 0.0, 1.0
    while high - low > 1e-6:  # noqa: PLR2004
        middle = (low + high) / 2
        low, high = (middle, high) if _CURVES[shape](middle) > _END_PERCENT else (low, middle)
    return low


class Foretold(msgspec.Struct, frozen=True):
    """What was said of one battery so many days before its end; ``end`` None when nothing was.

    Attributes:
        error_days: How much later than it came the end was expected.
    """

    shape: str
    ahead_days: int
    error_days: float | None
    within_range: bool


def foretell(seed: str, a_shape: int, on_day: Callable[[int], object] = lambda _: None) -> list[Foretold]:
    """Let ``a_shape`` devices of each shape run, look at their batteries each day, and return what was said of them."""
    batteries = [Battery(seed, shape, number) for shape in SHAPES for number in range(a_shape)]
    watching = engine.Engine("batteries")
    watching.place(home.Home.of(_rows(batteries)))
    watching.begin("stream", int(_START_S * 1e6))
    levels: dict[str, str] = {}
    found = []
    for day in range(_DAYS):
        on_day(day)
        for quarter in range(_REPORTS_A_DAY):
            _let_pass(watching, batteries, levels, day + quarter / _REPORTS_A_DAY)
        today = day + 1
        due = {
            battery.device_id: (battery, ahead, end)
            for battery in batteries
            for end in battery.ends
            for ahead in AHEAD_DAYS
            if int(end) - ahead == today
        }
        evaluation = watching.evaluate(int((_START_S + today * DAY_S) * 1e6))
        for device_id, (battery, ahead, end) in due.items():
            health = evaluation.health.get(device_id)
            found.append(_judged(battery.shape, ahead, end, health.battery_end if health else None))
    return found


def _let_pass(watching: engine.Engine, batteries: Sequence[Battery], levels: dict[str, str], day: float) -> None:
    """Let all devices tell their level within a quarter of a day, with a poll every five minutes meanwhile."""
    quarter_s = DAY_S / _REPORTS_A_DAY
    start_s = _START_S + day * DAY_S
    events: list[tuple[float, str, str]] = []
    for battery in batteries:
        at_s = start_s + battery.chance.uniform(0, quarter_s)
        if (level := battery.level((at_s - _START_S) / DAY_S)) is not None:
            events.append((at_s, battery.device_id, level))
    events.sort()
    reported: dict[str, int] = {}
    told_s = start_s
    for at_s, device_id, level in events:
        entity_id, at_us = _entity_id(device_id), int(at_s * 1e6)
        reported[entity_id] = at_us
        if (before := levels.get(device_id)) != level:
            levels[device_id] = level
            watching.observe([Event(entity_id, level, _ATTRIBUTES, before, None, at_us, device_id, None)])
        if at_s - told_s > 300:  # noqa: PLR2004
            watching.hear(Report(stream="stream", at_us=at_us, reported=reported))
            reported, told_s = {}, at_s
    watching.hear(Report(stream="stream", at_us=int((start_s + quarter_s) * 1e6), reported=reported))


_ATTRIBUTES: Final = msgspec.Raw(b'{"unit_of_measurement":"%","device_class":"battery"}')


def _entity_id(device_id: str) -> str:
    return f"sensor.{device_id}_battery"


def _rows(batteries: Sequence[Battery]) -> registry.Rows:
    return registry.Rows(
        areas=(registry.Area(id="room", name="Room"),),
        config_entries=(registry.ConfigEntry(id="entry", domain="mqtt", title="Zigbee", state="loaded"),),
        devices=tuple(
            registry.Device(
                id=battery.device_id,
                name=battery.device_id,
                area_id="room",
                integration="mqtt",
                config_entry_id="entry",
            )
            for battery in batteries
        ),
        entities=tuple(
            registry.Entity(
                id=f"{battery.device_id}_battery",
                entity_id=_entity_id(battery.device_id),
                device_id=battery.device_id,
                integration="mqtt",
                config_entry_id="entry",
                unique_id=battery.device_id,
                device_class="battery",
                state_class="measurement",
                unit="%",
                entity_category="diagnostic",
            )
            for battery in batteries
        ),
    )


def _judged(shape: str, ahead_days: int, end: float, said: BatteryEnd | None) -> Foretold:
    if said is None:
        return Foretold(shape, ahead_days, None, within_range=False)
    end_us = int((_START_S + end * DAY_S) * 1e6)
    within = said.earliest_us <= end_us <= said.latest_us
    return Foretold(shape, ahead_days, (said.expected_us - end_us) / 1e6 / DAY_S, within_range=within)


def figures(found: Sequence[Foretold]) -> Iterator[tuple[str, float]]:
    """Return by shape: the median error, the share within the range, and the share of which nothing was said.

    The range claims to hold half of all ends; whether it does is asked of all shapes together, each counting the same.
    """
    shares = []
    for shape in SHAPES:
        for ahead in AHEAD_DAYS:
            of_shape = [one for one in found if one.shape == shape and one.ahead_days == ahead]
            errors = [abs(one.error_days) for one in of_shape if one.error_days is not None]
            name = f"battery_{shape}_{ahead}_days_ahead"
            if of_shape:
                yield f"{name}_abstained_percent", round(100 * (1 - len(errors) / len(of_shape)), 1)
            if errors:
                yield f"{name}_median_error_days", round(median(errors), 2)
                shares.append(100 * sum(one.within_range for one in of_shape) / len(errors))
                yield f"{name}_within_range_percent", round(shares[-1], 1)
    if shares:
        yield "battery_within_range_percent", round(mean(shares), 1)
