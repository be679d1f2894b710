"""What uses more than it used to."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.energy import Energy, condition
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes

HOUR_S, DAY_S = 3_600.0, 86_400.0
START_S = 20_000 * DAY_S
POWER = homes.entity("sensor.fridge", device_class="power", state_class="measurement", unit="W")
COUNTER = homes.entity("sensor.meter", device_class="energy", state_class="total_increasing", unit="kWh")


class Load:
    """A device with a standby and an evening in use, told every ten minutes as power or as a counter."""

    def __init__(self, entity: object = POWER) -> None:
        energy = Energy.of(msgspec.convert(entity, type(POWER)))
        assert energy is not None
        self.energy, self.now_s, self._total = energy, START_S, 0.0
        self._chance = random.Random(1)  # noqa: S311  # no secret

    def run(self, days: int, standby_w: float = 60.0, evening_w: float = 300.0) -> None:
        for _ in range(days * 144):
            self.now_s += HOUR_S / 6
            evening = evening_w if 18 <= self.now_s % DAY_S / HOUR_S < 22 else 0.0
            power = max(0.0, standby_w + evening + self._chance.gauss(0, 4))
            self._total += power / 6_000
            self.energy.take(self.now_s, self._total if self.energy.counter else power)


@pytest.mark.parametrize("entity", [POWER, COUNTER])
def test_a_standby_that_creeps_is_found_by_power_and_by_counter(entity: object) -> None:
    load = Load(entity)
    load.run(28)
    assert load.energy.check(load.now_s) is None
    for day in range(15):
        load.run(1, standby_w=60 + 2 * day)
    evidence = load.energy.check(load.now_s)
    assert evidence is not None
    assert evidence["usual_standby_w"] == pytest.approx(59, abs=4)
    assert evidence["more_standby_w"] == pytest.approx(26, abs=5)


def test_a_lasting_excess_is_found() -> None:
    load = Load()
    load.run(28)
    load.run(6, evening_w=1_500)
    evidence = load.energy.check(load.now_s)
    assert evidence is not None
    assert evidence["more_kwh_a_day"] == pytest.approx(4, abs=1.5)
    assert condition(Subject.of_entity(POWER, None), evidence, 1).severity == 1


def test_nothing_is_said_before_two_weeks_and_of_steady_use() -> None:
    load = Load()
    load.run(7)
    load.run(6, standby_w=200)
    assert load.energy.check(load.now_s) is None
    steady = Load()
    for _ in range(60):
        steady.run(1)
        assert steady.energy.check(steady.now_s) is None


def test_a_gap_of_days_is_no_use() -> None:
    load = Load()
    load.run(20)
    load.now_s += 5.4 * DAY_S
    load.run(20)
    assert load.energy.check(load.now_s) is None


def test_a_counter_that_begins_again_is_no_use() -> None:
    load = Load(COUNTER)
    load.run(20)
    load._total = 0.0
    load.run(20)
    assert load.energy.check(load.now_s) is None


def test_the_week_is_known_by_the_hour_from_monday() -> None:
    load = Load()
    load.run(28)
    assert load.energy._usual(12) == pytest.approx(0.06, abs=0.005)
    assert load.energy._usual(6 * 24 + 19) == pytest.approx(0.36, abs=0.005)


def test_what_is_no_use_of_energy_takes_no_part() -> None:
    assert Energy.of(homes.temperature()) is None
    assert Energy.of(homes.entity(device_class="energy", unit="kWh")) is None
    assert Energy.of(homes.entity(device_class="power", state_class="measurement", unit="BTU/h")) is None


def test_people_are_told_what_it_costs() -> None:
    load = Load()
    load.run(28)
    load.run(10, standby_w=100)
    evidence = load.energy.check(load.now_s)
    assert evidence is not None
    told = condition(Subject.of_entity(msgspec.structs.replace(POWER, name="Fridge"), None), evidence, 1)
    assert told.explanation.startswith("Fridge uses ")
    assert "W in its quietest hour, instead of" in told.explanation
    assert "kWh more a year" in told.explanation


@given(st.lists(st.tuples(st.floats(0, 2e5), st.floats()), max_size=80), st.booleans())
def test_no_value_breaks_it_and_a_checkpoint_restores_it(values: list[tuple[float, float]], counter: bool) -> None:  # noqa: FBT001  # given
    energy, now_s = Energy(counter=counter), START_S
    for passed_s, value in values:
        now_s += passed_s
        energy.take(now_s, value)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(energy), type=Energy)
    assert str(restored) == str(energy)
    assert str(restored.check(now_s)) == str(energy.check(now_s))
    assert math.isfinite(energy.kwh)
