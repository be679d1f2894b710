"""Every row of the table in ``points/core.py``, shown on both sides."""

import datetime as dt
import math
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from homeiq_server.errors import Rejected
from tests.unit.against_core.both_ways import home_assistant_line, home_assistant_text, our_line


class Color(Enum):
    RED = "red"


class Mode(StrEnum):
    ECO = "eco"


class Level(IntEnum):
    HIGH = 3


UTC_TIME = dt.datetime(2026, 11, 22, 8, 30, tzinfo=dt.UTC)


def both(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the attributes that Home Assistant stores, and ours."""
    theirs = home_assistant_line("sensor.kettle", "1", attributes)
    ours = our_line("sensor.kettle", "1", attributes)
    assert theirs
    assert ours
    assert theirs.fields.pop("value") == ours.fields.pop("value") == 1.0
    return theirs.fields, ours.fields


@pytest.mark.parametrize(
    ("value", "theirs", "ours"),
    [
        (math.nan, {}, {"a_str": "None"}),
        (math.inf, {}, {"a_str": "None"}),
        ([math.nan], {"a_str": "[nan]"}, {"a_str": "[None]"}),
        ((1, 2), {"a_str": "(1, 2)"}, {"a_str": "[1, 2]"}),
        ({"x"}, {"a_str": "{'x'}"}, {"a_str": "['x']"}),
        (UTC_TIME, {"a_str": "2026-11-22 08:30:00+00:00"}, {"a_str": "2026-11-22T08:30:00+00:00"}),
        ([UTC_TIME.time()], {"a_str": "[datetime.time(8, 30)]"}, {"a_str": "['08:30:00']"}),
        (Color.RED, {"a_str": "Color.RED"}, {"a_str": "red"}),
        ([Mode.ECO], {"a_str": "[<Mode.ECO: 'eco'>]"}, {"a_str": "['eco']"}),
        ({1: "x"}, {"a_str": "{1: 'x'}"}, {"a_str": "{'1': 'x'}"}),
    ],
)
def test_json_tells_less_than_python(value: object, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    their_fields, our_fields = both({"a": value})
    for fields in (their_fields, our_fields):
        fields.pop("a", None)  # the number that the digits of a text make

    assert (their_fields, our_fields) == (theirs, ours)


@pytest.mark.parametrize("value", [Mode.ECO, Level.HIGH, UTC_TIME.date(), UTC_TIME.time()])
def test_what_prints_like_its_json_is_the_same(value: object) -> None:
    theirs, ours = both({"a": value})

    assert theirs == ours


@pytest.mark.parametrize(
    ("attributes", "measurement", "fields"),
    [
        ({"unit_of_measurement": "\n"}, "sensor.kettle", {}),
        ({"b\\": 5}, "sensor.kettle", {"b ": 5.0}),
        ({"": 5, "b": 6}, "sensor.kettle", {"b": 6.0}),
    ],
)
def test_a_line_that_home_assistant_breaks_is_kept(
    attributes: dict[str, Any], measurement: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(Rejected):
        home_assistant_line("sensor.kettle", "1", attributes)

    ours = our_line("sensor.kettle", "1", attributes)
    assert ours
    assert (ours.measurement, ours.fields) == (measurement, {"value": 1.0} | fields)


def test_a_measurement_that_home_assistant_lets_run_into_the_tags_is_kept_apart() -> None:
    attributes = {"unit_of_measurement": "a\\"}

    theirs, ours = (line("sensor.kettle", "1", attributes) for line in (home_assistant_line, our_line))

    assert theirs
    assert (theirs.measurement, theirs.tags) == ("a,domain=sensor", {"entity_id": "kettle"})
    assert ours
    assert (ours.measurement, ours.tags) == ("a ", {"domain": "sensor", "entity_id": "kettle"})


def test_a_line_that_home_assistant_writes_as_a_comment_is_kept() -> None:
    attributes = {"unit_of_measurement": "#"}

    assert str(home_assistant_text("sensor.kettle", "1", attributes)).startswith("#,")
    ours = our_line("sensor.kettle", "1", attributes)
    assert ours
    assert (ours.measurement, ours.fields) == ("\\#", {"value": 1.0})


def test_a_whole_number_is_the_same_value_though_not_the_same_text() -> None:
    assert " value=1 " in str(home_assistant_text("sensor.kettle", "1", {}))
    assert both({}) == ({}, {})
