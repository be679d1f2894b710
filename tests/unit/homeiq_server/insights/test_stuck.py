"""Sensors that go on reporting the same value."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.finding import Kind
from homeiq_server.insights.stuck import Stuck, condition
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0


class Sensor:
    """A temperature sensor that reports every ten minutes: it rests by night and moves by day."""

    def __init__(self, seed: int = 0, step: float = 0.1) -> None:
        self.stuck, self.now_s = Stuck(), 0.0
        self._chance, self._step, self._value = random.Random(seed), step, 0.0  # noqa: S311  # no secret

    def live(self, days: float, *, frozen: bool = False) -> list[float]:
        """Return when it was called stuck."""
        until_s, called = self.now_s + days * DAY_S, []
        while self.now_s < until_s:
            self.now_s += 10 * MINUTE_S
            warmth = max(0.0, math.sin(2 * math.pi * (self.now_s / DAY_S - 0.3)))
            value = round((20 + 2 * warmth + self._chance.gauss(0, 0.05)) / self._step) * self._step
            value = self._value if frozen else value
            self.stuck.report(self.now_s, value != self._value, value)
            self._value = value
            if self.stuck.check(self.now_s) is not None:
                called.append(self.now_s)
        return called


@pytest.mark.parametrize("step", [0.1, 0.5])
def test_a_sensor_that_freezes_is_found_and_one_that_rests_by_night_is_not(step: float) -> None:
    found = 0
    for seed in range(10):
        sensor = Sensor(seed, step)
        assert sensor.live(28) == []
        found += bool(sensor.live(3, frozen=True))
        assert sensor.live(0.5) == [] or sensor.stuck.check(sensor.now_s) is None
    assert found == 10


def test_nothing_is_said_in_the_first_week() -> None:
    sensor = Sensor()
    sensor.live(2)
    assert sensor.live(4.9, frozen=True) == []
    assert sensor.live(1, frozen=True)


def test_a_sensor_that_only_reports_changes_is_never_stuck() -> None:
    sensor = Sensor(step=0.5)
    sensor.live(10)
    sensor.now_s += 20 * DAY_S
    assert sensor.stuck.check(sensor.now_s) is None


def test_faster_reports_alone_are_no_fault() -> None:
    stuck = Stuck()
    for hour in range(24 * 10):
        stuck.report(hour * HOUR_S, True, float(hour))
    for second in range(100):
        stuck.report(24 * 10 * HOUR_S + 10 * second, False)
    assert stuck.check(24 * 10 * HOUR_S + 1_000) is None


def test_what_was_called_stuck_is_found_again_the_next_time() -> None:
    sensor = Sensor()
    sensor.live(14)
    first = sensor.live(10, frozen=True)
    sensor.live(5)
    second = sensor.live(10, frozen=True)
    assert len(second) > 0.5 * len(first)


def test_a_plug_that_is_switched_off_is_at_rest() -> None:
    stuck = Stuck.of(homes.entity(device_class="power", state_class="measurement", unit="W"))
    assert stuck is not None
    for minute in range(14 * 24 * 60):
        day, hour = divmod(minute // 60, 24)
        working = day < 10 and 8 <= hour < 20
        stuck.report(
            minute * MINUTE_S,
            working or (day < 10 and minute % 1_440 == 20 * 60),
            80.0 + minute % 7 if working else 0.0,
        )
    assert stuck.check(14 * DAY_S) is None


def test_a_refrigerator_that_freezes_while_it_rests_is_found_each_time() -> None:
    stuck = Stuck.of(homes.entity(device_class="power", state_class="measurement", unit="W"))
    assert stuck is not None
    found, before = [], -1.0
    for minute in range(28 * 24 * 60):
        day, cooling = minute // 1_440, minute % 60 < 20
        value = 85.0 + minute % 7 if cooling and day not in {14, 15, 21, 22} else 1.2
        stuck.report(minute * MINUTE_S, value != before, value)
        before = value
        if stuck.check(minute * MINUTE_S) is not None and day not in found:
            found.append(day)
    assert found == [14, 15, 21, 22]


def test_a_washing_machine_that_was_used_once_is_at_rest() -> None:
    stuck = Stuck.of(homes.entity(device_class="power", state_class="measurement", unit="W"))
    assert stuck is not None
    for minute in range(10 * 24 * 60):
        washing = minute < 96
        stuck.report(minute * MINUTE_S, washing or minute == 96, 420.0 + minute % 7 if washing else 0.0)
        assert stuck.check(minute * MINUTE_S) is None


def test_the_same_value_after_an_absence_is_no_change() -> None:
    sensor = Sensor()
    sensor.live(14)
    sensor.live(2, frozen=True)
    sensor.stuck.report(sensor.now_s + HOUR_S, True, sensor.stuck.value)
    assert sensor.stuck.check(sensor.now_s + HOUR_S) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"device_class": "battery", "unit": "%"},
        {"device_class": "energy", "unit": "kWh", "state_class": "total_increasing"},
        {"device_class": "signal_strength", "unit": "dBm"},
        {"device_class": "temperature", "unit": "°C", "state_class": None},
        {"device_class": "temperature", "unit": "°C", "entity_category": "diagnostic"},
        {"device_class": "duration", "unit": "s"},
        {"device_class": None, "unit": None},
    ],
)
def test_what_may_be_constant_for_weeks_takes_no_part(fields: dict[str, object]) -> None:
    assert Stuck.of(msgspec.structs.replace(homes.temperature(), **fields)) is None


def test_people_are_told_for_how_long_and_what_to_do() -> None:
    sensor = Sensor()
    sensor.live(14)
    sensor.live(3, frozen=True)
    evidence = sensor.stuck.check(sensor.now_s)
    assert evidence is not None
    told = condition(
        Subject.of_entity(homes.temperature(name="Kitchen temperature"), None), evidence, 17 * homes.DAY_US
    )
    assert (told.kind, told.severity, told.subject) == (Kind.STUCK, 3, "#sensor.temperature")
    assert told.since_us == pytest.approx(14 * homes.DAY_US, abs=homes.DAY_US)
    assert "same value for 3 days" in told.explanation


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans(), st.floats()), max_size=60))
def test_no_report_breaks_it_and_a_checkpoint_restores_it(reports: list[tuple[float, bool, float]]) -> None:
    stuck = Stuck()
    for passed_s, changed, value in reports:
        stuck.report(stuck.last_s + passed_s, changed, value)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(stuck), type=Stuck)
    assert str(restored) == str(stuck)
    assert restored.check(1e9) == stuck.check(1e9)
