"""Values that cannot be."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.impossible import Values, condition, range_of
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes


def taken(*values: float, device_class: str = "temperature", unit: str = "°C") -> Values:
    found = Values()
    for second, value in enumerate(values):
        found.take(float(second), value, range_of(device_class, unit))
    return found


@pytest.mark.parametrize(
    ("device_class", "unit", "possible", "impossible"),
    [
        ("temperature", "°C", -89.0, -127.0),
        ("temperature", "°F", -110.0, -196.6),
        ("temperature", "K", 293.0, 150.0),
        ("humidity", "%", 100.0, 140.0),
        ("battery", "%", 100.0, 200.0),
        ("atmospheric_pressure", "hPa", 650.0, 0.0),
        ("atmospheric_pressure", "inHg", 29.9, 60.0),
        ("illuminance", "lx", 130_000.0, -1.0),
        ("carbon_dioxide", "ppm", 420.0, 0.0),
        ("power_factor", None, -1.0, 1.2),
        ("power_factor", "%", 95.0, 120.0),
        ("voltage", "mV", 3_000.0, 2_000_000.0),
        ("power", "kW", 22.0, 65_535.0),
    ],
)
def test_each_class_has_its_range_in_each_unit(
    device_class: str, unit: str | None, possible: float, impossible: float
) -> None:
    limits = range_of(device_class, unit)
    assert limits is not None
    assert limits.low <= possible <= limits.high
    assert not limits.low <= impossible <= limits.high


def test_what_has_no_range_has_no_impossible_value() -> None:
    assert range_of("energy", "kWh") is None
    assert range_of("temperature", "%") is None
    assert range_of(None, None) is None


def test_three_of_five_raise_it_and_25_good_ones_clear_it() -> None:
    values = taken(21, -127, 21, -127)
    assert values.check() is None
    values.take(4, -127, range_of("temperature", "°C"))
    assert values.check() is not None
    for second in range(5, 29):
        values.take(second, 21, range_of("temperature", "°C"))
    assert values.check() is not None
    values.take(29, 21, range_of("temperature", "°C"))
    assert values.check() is None


def test_spikes_to_possible_values_are_seen() -> None:
    assert taken(*[21.0, 21.1] * 50, 85, 21, 85, 21, 85).check() is not None


@pytest.mark.parametrize(
    "values",
    [
        [21.0] * 50 + [70.0] * 50,
        [20 + 0.5 * step for step in range(120)],
        [21.0] * 50 + [85.0] + [21.0] * 50,
        [float(20 + step % 9) for step in range(200)],
    ],
)
def test_another_level_a_climb_and_one_odd_value_are_possible(values: list[float]) -> None:
    found = Values()
    for second, value in enumerate(values):
        found.take(float(second), value, range_of("temperature", "°C"))
        assert found.check() is None


def test_further_readings_of_the_same_fault_change_nothing_that_is_told() -> None:
    values = taken(*[21.0, -127.0] * 5, -127, 21, -127, -127)
    first = values.check()
    assert first is not None
    for second in range(100, 200):
        values.take(second, (21.0, -127.0, 22.0, 999.0)[second % 4], range_of("temperature", "°C"))
        assert values.check() == first


def test_what_people_switch_may_jump() -> None:
    assert taken(*[0.0, 2_000.0] * 50, device_class="power", unit="W").check() is None


def test_people_are_told_the_value_and_what_is_possible() -> None:
    evidence = taken(21, -127, -127, -127).check()
    assert evidence is not None
    subject = Subject.of_entity(homes.temperature(name="Cellar"), homes.device("Cellar"))
    assert "shows -127 °C, which cannot be: possible is -90 °C to 600 °C" in condition(subject, evidence, 1).explanation
    assert condition(subject, evidence, 1).since_us == 1_000_000
    spikes = taken(*[21.0] * 50, 85, 21, 85, 21, 85).check()
    assert spikes is not None
    assert "jumps to values such as 85 °C and back, while it usually shows about 21" in (
        condition(subject, spikes, 1).explanation
    )


@given(st.lists(st.floats(), max_size=60))
def test_no_value_breaks_it_and_a_checkpoint_restores_it(numbers: list[float]) -> None:
    values = taken(*numbers)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(values), type=Values)
    assert restored == values
    assert restored.check() == values.check()
    assert -90 <= values.median <= 600
