"""When a battery will be empty."""

import math
import random
from collections.abc import Callable, Iterable, Iterator
from statistics import median

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.battery import HORIZON_DAYS, Battery, condition
from homeiq_server.insights.finding import BatteryEnd, Kind
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes

DAY_S = 86_400.0
START = 20_000
"""A day since the epoch, in 2024."""

type Curve = Callable[[float], float]


def lived(levels: Iterable[float]) -> Battery:
    """Return a battery with four readings on each day."""
    battery = Battery()
    for day, level in enumerate(levels):
        for hour in (2, 8, 14, 20):
            battery.take((START + day + hour / 24) * DAY_S, level)
    return battery


def day_of(at_us: int) -> float:
    return at_us / 1e6 / DAY_S - START


def linear(chance: random.Random) -> tuple[Curve, float]:
    life = chance.uniform(120, 500)
    return lambda day: 100 - 90 * day / life, life


def knee(chance: random.Random) -> tuple[Curve, float]:
    life, flat, tail = chance.uniform(120, 500), chance.uniform(80, 95), chance.uniform(20, 45)
    bend = life - tail

    def level(day: float) -> float:
        return 100 - (100 - flat) * day / bend if day < bend else flat - (flat - 10) * (day - bend) / tail

    return level, life


def concave(chance: random.Random) -> tuple[Curve, float]:
    life, power = chance.uniform(120, 500), chance.uniform(1.5, 2.5)
    return lambda day: 100 - 90 * (max(0.0, day) / life) ** power, life


def convex(chance: random.Random) -> tuple[Curve, float]:
    life = chance.uniform(120, 500)
    return lambda day: 100 - 90 * (max(0.0, day) / life) ** 0.7, life


def estimates(
    shape: Callable[[random.Random], tuple[Curve, float]], ahead: int, *, step: float, noise: float, wave: float = 0.0
) -> Iterator[tuple[float, BatteryEnd | None]]:
    """Yield the day on which a battery is empty, and what was said so many days before, of forty batteries."""
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311  # no secret
        curve, end = shape(chance)
        today, phase = int(end - ahead), chance.uniform(0, 7)

        def level(day: float, *, curve: Curve = curve, phase: float = phase, chance: random.Random = chance) -> float:
            weather = wave * math.sin(2 * math.pi * (day + phase) / 7)
            return round(max(0.0, min(100.0, curve(day) + weather + chance.gauss(0, noise))) / step) * step

        battery = lived(level(day) for day in range(today))
        yield end, battery.end((START + today) * DAY_S)


@pytest.mark.parametrize(
    ("shape", "noise", "wave"), [(linear, 0.5, 0.0), (linear, 1.5, 0.0), (knee, 0.5, 0.0), (concave, 0.5, 2.0)]
)
def test_two_weeks_ahead_the_day_is_known_to_three_days(
    shape: Callable[[random.Random], tuple[Curve, float]], noise: float, wave: float
) -> None:
    found = [
        abs(day_of(said.expected_us) - end)
        for end, said in estimates(shape, 14, step=1, noise=noise, wave=wave)
        if said is not None
    ]
    assert len(found) >= 36
    assert median(found) <= 3


def test_half_of_the_ends_are_within_the_range() -> None:
    inside = []
    for ahead in (30, 21, 14, 7):
        for shape, step, noise, wave in (
            (linear, 1, 0.5, 0),
            (linear, 0.5, 0.3, 1),
            (knee, 1, 0.5, 0),
            (knee, 0.5, 0.2, 0),
            (concave, 1, 0.5, 2),
            (concave, 1, 0.5, 0),
            (convex, 1, 0.5, 1),
            (concave, 5, 0.3, 1),
        ):
            inside += [
                day_of(said.earliest_us) <= end <= day_of(said.latest_us)
                for end, said in estimates(shape, ahead, step=step, noise=noise, wave=wave)
                if said is not None
            ]
    assert len(inside) > 1_000
    assert 0.45 <= sum(inside) / len(inside) <= 0.55


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([], "it has not reported yet"),
        ([50 - day for day in range(9)], "it has been watched for 9 days, 10 are needed"),
        ([80.0] * 30, "its level changes in steps too coarse, or hardly at all"),
        ([40.0] * 15 + [35.0] * 15, "its level changes in steps too coarse, or hardly at all"),
        ([50 + day % 3 for day in range(30)], "its level does not fall"),
        ([90 - 0.5 * day for day in range(30)], "its end is more than 45 days away"),
        ([50.0] * 5 + [25.0] * 5 + [0.0] * 40, "its level changes in steps too coarse, or hardly at all"),
        ([0.0] * 20, "its level changes in steps too coarse, or hardly at all"),
        ([90.0, 70.0, 90.0, 70.0] * 8, "it is charged every few days"),
    ],
)
def test_it_abstains_and_says_why(levels: list[float], reason: str) -> None:
    battery = lived(levels)
    assert battery.end((START + len(levels)) * DAY_S) is None
    assert battery.check((START + len(levels)) * DAY_S) is None
    assert battery.reason == reason


def test_an_empty_battery_needs_no_line() -> None:
    end = lived([8.0, 8.0]).end((START + 2) * DAY_S)
    assert end is not None
    assert end.expected_us == end.latest_us == START * DAY_S * 1e6


def test_a_new_battery_begins_anew_and_its_life_is_remembered() -> None:
    first = [100.0] + [100 - 90 * day / 200 for day in range(195)]
    battery = lived([20.0, *first, 100.0, 99.0])
    assert battery.lives == (196,)
    assert battery.end((START + 199) * DAY_S) is None
    assert battery.reason == "it has been watched for 2 days, 10 are needed"


def test_a_reading_far_above_the_last_day_withdraws_the_estimate_at_once() -> None:
    battery = lived([40 - day for day in range(25)])
    assert battery.end((START + 25) * DAY_S) is not None
    battery.take((START + 25.5) * DAY_S, 100.0)
    assert battery.end((START + 25.5) * DAY_S) is None
    assert battery.reason == "a new battery seems to have been put in today"


def test_one_wrong_reading_is_no_new_battery() -> None:
    levels = [60 - day for day in range(25)]
    battery, wrong = lived(levels), lived(levels[:10])
    wrong.take((START + 10.01) * DAY_S, 100.0)
    for day in range(10, 25):
        for hour in (2, 8, 14, 20):
            wrong.take((START + day + hour / 24) * DAY_S, levels[day])
    assert wrong.end((START + 25) * DAY_S) == battery.end((START + 25) * DAY_S)


def test_past_lives_tell_of_what_keeps_its_level_to_the_end() -> None:
    first = [100.0] * 180 + [100 - 8.0 * day for day in range(1, 12)]
    battery = lived([20.0, *first, *[100.0] * 170])
    end = battery.end((START + 192 + 170) * DAY_S)
    assert end is not None
    assert day_of(end.expected_us) == pytest.approx(192 + 191, abs=1)
    assert day_of(end.latest_us) - day_of(end.expected_us) == pytest.approx(0.13 * 191, abs=1)


def test_days_without_a_reading_keep_the_level() -> None:
    every_day = lived([60 - day // 2 for day in range(28)])
    on_change = Battery()
    for day in range(0, 28, 2):
        on_change.take((START + day + 0.1) * DAY_S, 60 - day // 2)
    assert on_change.end((START + 28) * DAY_S) == every_day.end((START + 28) * DAY_S)


def test_the_line_is_laid_once_a_day() -> None:
    battery = lived([40 - day for day in range(25)])
    first = battery.end((START + 25.1) * DAY_S)
    battery.take((START + 25.2) * DAY_S, 14.0)
    assert battery.end((START + 25.9) * DAY_S) is first


def test_phones_and_other_entities_are_left_out() -> None:
    battery = homes.entity(device_class="battery", unit="%", integration="zha")
    assert Battery.of(battery) is not None
    assert Battery.of(msgspec.structs.replace(battery, integration="mobile_app")) is None
    assert Battery.of(msgspec.structs.replace(battery, unit="V")) is None


@pytest.mark.parametrize(("days_left", "severity"), [(5, 4), (7, 4), (12, 3), (25, 2), (40, 1)])
def test_the_sooner_the_more_severe(days_left: int, severity: int) -> None:
    battery = lived([10 + 0.5 * (days_left + 30 - day) for day in range(30)])
    evidence = battery.check((START + 30) * DAY_S)
    assert evidence is not None
    assert evidence["days_left"] == pytest.approx(days_left, abs=2)
    told = condition(Subject.of_device(homes.device()), {**evidence, "days_left": days_left}, 1)
    assert (told.kind, told.severity) == (Kind.BATTERY, severity)


def test_people_are_told_the_day_the_range_and_what_to_do() -> None:
    battery = lived([30 - 0.8 * day for day in range(15)])
    evidence = battery.check((START + 15) * DAY_S)
    assert evidence is not None
    told = condition(Subject.of_device(homes.device(name="Kitchen window sensor")), evidence, 1)
    assert told.explanation == (
        "Kitchen window sensor: the battery will be empty around 29 October (between 28 October and 29 October)."
        " It is at 18.8 % and loses 0.8 % a day. Put in a new battery or charge it by then."
    )
    assert told.since_us == (START + 15) * DAY_S * 1e6


@given(st.lists(st.tuples(st.floats(0, 3), st.floats() | st.floats(0, 100)), max_size=60))
def test_no_reading_breaks_it_and_a_checkpoint_restores_it(readings: list[tuple[float, float]]) -> None:
    battery, now = Battery(), float(START)
    for passed, level in readings:
        now += passed
        battery.take(now * DAY_S, level)
    end = battery.end(now * DAY_S)
    if end is not None:
        assert end.earliest_us <= end.expected_us <= end.latest_us
        assert day_of(end.expected_us) + START <= now + HORIZON_DAYS + 1
        assert battery.reason == ""
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(battery), type=Battery)
    assert restored == battery
    assert restored.end((now + 1) * DAY_S) == battery.end((now + 1) * DAY_S)
