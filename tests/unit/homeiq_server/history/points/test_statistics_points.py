import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Dialect
from homeiq_server.history.points.statistics import convert_statistics
from homeiq_server.model import Statistic

HOUR_US = 1_795_348_800_000_000
DIALECTS = pytest.mark.parametrize("dialect", [INFLUX, VICTORIA], ids=["influx", "victoria"])


def energy(name: str = "sensor.energy", unit: str | None = "kWh", **values: float | None) -> Statistic:
    fields: dict[str, float | None] = dict.fromkeys(("mean", "min", "max", "sum", "state")) | values
    return Statistic(name, HOUR_US, unit, **fields)


@DIALECTS
def test_a_row_is_a_point_at_the_beginning_of_its_hour(dialect: Dialect) -> None:
    conversion = convert_statistics([energy(sum=7.5, state=3)], source="home", dialect=dialect)

    line = dialect.parse(conversion.lines.body.decode())
    assert line.measurement == "homeiq_statistics"
    assert line.tags == {"source": "home", "statistic_id": "sensor.energy", "unit": "kWh"}
    assert line.fields == {"sum": 7.5, "state": 3.0}
    assert line.time == HOUR_US
    assert (conversion.converted, conversion.last_us) == (1, HOUR_US)


def test_a_statistic_without_a_unit_has_no_such_tag() -> None:
    conversion = convert_statistics([energy(unit=None, mean=1.0)], source="home", dialect=INFLUX)
    assert "unit" not in INFLUX.parse(conversion.lines.body.decode()).tags


def test_a_value_that_is_not_finite_is_left_out() -> None:
    conversion = convert_statistics([energy(mean=math.nan, min=-math.inf, max=2.0)], source="home", dialect=INFLUX)
    assert INFLUX.parse(conversion.lines.body.decode()).fields == {"max": 2.0}


def test_a_row_without_a_number_is_skipped_with_the_reason() -> None:
    rows = [energy(), energy(mean=math.inf), energy(mean=1.0)]
    conversion = convert_statistics(rows, source="home", dialect=INFLUX)

    assert (conversion.converted, conversion.skipped) == (1, {"no finite value": 2})
    assert conversion.lines.count == 1


@DIALECTS
@given(name=st.text(min_size=1), unit=st.text() | st.none(), value=st.floats())
def test_whatever_the_names_and_values_the_lines_are_as_many_as_were_counted(
    dialect: Dialect, name: str, unit: str | None, value: float
) -> None:
    conversion = convert_statistics([energy(name, unit, mean=value)] * 2, source="home", dialect=dialect)
    found = conversion.lines.body.decode().split("\n") if conversion.lines.body else []

    assert len(found) == conversion.lines.count == (2 if math.isfinite(value) else 0)
    assert all(dialect.parse(line).fields == {"mean": value} for line in found)
    assert conversion.converted + sum(conversion.skipped.values()) == 2
