import pytest

from homeiq_server.history.line_protocol import Line
from homeiq_server.history.points import ComponentNaming, Naming, PointSettings
from homeiq_server.model import Labels
from tests.unit.homeiq_server.history.points.point_builders import TIME_US, convert, event, lines, only_line

LABELS = Labels(area="Kitchen", device="Kettle", integration="shelly", area_id="kitchen")


def named(naming: Naming, entity_id: str = "sensor.kettle_power", **attributes: object) -> Line:
    return only_line(event(entity_id, attributes=attributes), PointSettings(naming=naming))


def fields(state: str, /, **attributes: object) -> dict[str, float | str]:
    return only_line(event(state=state, attributes=attributes)).fields


def test_a_number_is_a_value_in_the_measurement_of_its_unit() -> None:
    assert only_line(event()) == Line(
        measurement="W",
        tags={"domain": "sensor", "entity_id": "kettle_power"},
        fields={"value": 21.5, "friendly_name_str": "Kettle"},
        time=TIME_US,
    )


def test_times_are_microseconds() -> None:
    assert convert(event()).lines.precision == "us"


@pytest.mark.parametrize(
    ("state", "value"),
    [
        ("on", 1.0),
        ("locked", 1.0),
        ("above_horizon", 1.0),
        ("open", 1.0),
        ("home", 1.0),
        ("off", 0.0),
        ("unlocked", 0.0),
        ("below_horizon", 0.0),
        ("closed", 0.0),
        ("not_home", 0.0),
    ],
)
def test_a_word_is_kept_as_text_and_as_number(state: str, value: float) -> None:
    assert fields(state) == {"state": state, "value": value}


def test_a_text_is_kept_as_text() -> None:
    assert fields("heat\ncool") == {"state": "heat cool"}


@pytest.mark.parametrize("state", ["5", "5.0", " 5 ", "0_5", "5e0", "\N{ARABIC-INDIC DIGIT FIVE}"])
def test_whatever_python_reads_as_a_number_is_one(state: str) -> None:
    assert fields(state) == {"value": 5.0}


@pytest.mark.parametrize("state", ["nan", "inf", "-Infinity", "1e999"])
def test_a_state_that_is_not_finite_leaves_only_the_attributes(state: str) -> None:
    assert fields(state, battery=80, value=7) == {"battery": 80.0, "value_": 7.0}


def test_an_attribute_is_a_number_wherever_it_reads_as_one() -> None:
    assert fields("1", a=2, b=True, c="3.5", d=" 4 ") == {"value": 1.0, "a": 2.0, "b": 1.0, "c": 3.5, "d": 4.0}


def test_any_other_attribute_is_text_under_a_name_of_its_own() -> None:
    assert fields("1", a=None, b=[1, "x"], c={"k": "v"}, d="") == {
        "value": 1.0,
        "a_str": "None",
        "b_str": "[1, 'x']",
        "c_str": "{'k': 'v'}",
        "d_str": "",
    }


def test_a_text_with_digits_also_gives_a_number() -> None:
    assert fields("1", version="v1.25 beta", when="2026-11-22") == {
        "value": 1.0,
        "version_str": "v1.25 beta",
        "version": 1.25,
        "when_str": "2026-11-22",
        "when": 20261122.0,
    }


def test_a_text_of_thousands_of_digits_is_read_like_any_other() -> None:
    text = "1" * 20_000 + ".." + "2" * 20_000

    assert fields("1", a=text) == {"value": 1.0, "a_str": text}


def test_an_attribute_gives_way_to_the_state() -> None:
    assert fields("on", state="x", value=3) == {"state": "on", "value": 1.0, "state__str": "x", "value_": 3.0}


def test_an_attribute_takes_a_name_that_the_state_does_not_need() -> None:
    assert fields("heat", value=3) == {"state": "heat", "value": 3.0}


def test_the_reserved_field_time_gets_a_free_name() -> None:
    assert fields("1", time=5, time_=6) == {"value": 1.0, "time__": 5.0, "time_": 6.0}


def test_an_attribute_that_is_not_finite_is_left_out() -> None:
    assert fields("1", a="nan", b="inf", c="9" * 400) == {"value": 1.0}


def test_an_integer_beyond_floats_is_left_out() -> None:
    line = only_line(event(attributes=b'{"big": 1' + b"0" * 400 + b"}"))

    assert line.fields == {"value": 21.5}


def test_without_a_unit_the_entity_id_names_the_measurement() -> None:
    assert only_line(event(attributes={})).measurement == "sensor.kettle_power"
    assert only_line(event(attributes={"unit_of_measurement": ""})).measurement == "sensor.kettle_power"


def test_without_a_unit_the_default_measurement_is_taken() -> None:
    assert named(Naming(default_measurement="things")).measurement == "things"


def test_one_measurement_for_all_keeps_the_unit_as_a_field() -> None:
    line = named(Naming(override_measurement="everything"), unit_of_measurement="W")

    assert line.measurement == "everything"
    assert line.fields["unit_of_measurement_str"] == "W"


def test_the_measurement_may_be_the_domain_and_the_device_class() -> None:
    naming = Naming(measurement_attr="domain__device_class")
    line = named(naming, device_class="power", unit_of_measurement="W")

    assert line.measurement == "sensor__power"
    assert line.fields == {"value": 21.5, "unit_of_measurement_str": "W"}
    assert named(naming).measurement == "sensor"


def test_the_measurement_may_be_the_entity_id() -> None:
    assert named(Naming(measurement_attr="entity_id"), unit_of_measurement="W").measurement == "sensor.kettle_power"


def test_the_most_specific_exception_wins() -> None:
    naming = Naming(
        component_config_domain={"sensor": ComponentNaming("domain", frozenset({"a"}))},
        component_config_glob={"sensor.ke*": ComponentNaming("glob"), "*_power": ComponentNaming("later_glob")},
        component_config={"sensor.oven_power": ComponentNaming("entity", frozenset({"b"}))},
    )

    assert named(naming, "sensor.other", a=1, b=1).measurement == "domain"
    assert named(naming, "sensor.kettle", a=1, b=1).measurement == "glob"
    assert named(naming, "sensor.kettle_power", a=1, b=1).measurement == "later_glob"
    assert named(naming, "sensor.kettle_power", a=1, b=1).fields == {"value": 21.5, "b": 1.0}
    assert named(naming, "sensor.oven_power", a=1, b=1).measurement == "entity"
    assert named(naming, "sensor.oven_power", a=1, b=1).fields == {"value": 21.5, "a": 1.0}


def test_an_exception_with_an_empty_measurement_lifts_a_less_specific_one() -> None:
    naming = Naming(
        component_config_domain={"sensor": ComponentNaming("domain")},
        component_config={"sensor.kettle_power": ComponentNaming("")},
    )

    assert named(naming, unit_of_measurement="W").measurement == "W"


def test_ignored_attributes_are_not_stored() -> None:
    naming = Naming(
        ignore_attributes=frozenset({"a"}),
        component_config_domain={"sensor": ComponentNaming(ignore_attributes=frozenset({"b"}))},
    )

    assert named(naming, a=1, b=2, c=3).fields == {"value": 21.5, "c": 3.0}


def test_attributes_may_become_tags() -> None:
    naming = Naming(tags_attributes=frozenset({"a", "b", "c", "d", "domain"}))
    line = named(naming, a="x y", b=1.5, c=None, d=True, domain="mine")

    assert line.tags == {"a": "x y", "b": "1.5", "d": "True", "domain": "mine", "entity_id": "kettle_power"}
    assert line.fields == {"value": 21.5}


def test_configured_tags_go_before_all_others() -> None:
    naming = Naming(tags={"instance": "cottage\nnorth", "domain": "mine"}, tags_attributes=frozenset({"instance"}))

    assert named(naming, instance="x").tags == {
        "instance": "cottage north",
        "domain": "mine",
        "entity_id": "kettle_power",
    }


@pytest.mark.parametrize("unit", ["#", "# of", "\n", " ", "a\\", "%,=", 5, ["W"]])
def test_no_unit_breaks_a_line(unit: object) -> None:
    (line,) = lines(convert(event(attributes={"unit_of_measurement": unit})))

    assert line.fields == {"value": 21.5}


def test_labels_are_no_tags_unless_asked_for() -> None:
    assert only_line(event(), labels=LABELS).tags == {"domain": "sensor", "entity_id": "kettle_power"}


def test_extra_tags_come_from_the_labels() -> None:
    settings = PointSettings(extra_tags=frozenset({"area", "device", "integration"}))

    assert only_line(event(), settings, LABELS).tags == {
        "domain": "sensor",
        "entity_id": "kettle_power",
        "area": "Kitchen",
        "device": "Kettle",
        "integration": "shelly",
    }
    assert only_line(event(), settings).tags == {"domain": "sensor", "entity_id": "kettle_power"}


def test_configured_tags_go_before_extra_tags() -> None:
    settings = PointSettings(extra_tags=frozenset({"area"}), naming=Naming(tags={"area": "mine"}))

    assert only_line(event(), settings, LABELS).tags["area"] == "mine"


@pytest.mark.parametrize(
    ("state", "reason"),
    [("unknown", "state unknown"), ("unavailable", "state unavailable"), ("", "state empty")],
)
def test_a_state_that_says_nothing_is_skipped_with_the_reason(state: str, reason: str) -> None:
    conversion = convert(event(state=state))

    assert conversion.skipped == {reason: 1}
    assert conversion.lines.count == 0


def test_a_state_without_any_finite_number_is_skipped_with_the_reason() -> None:
    assert convert(event(state="nan", attributes={})).skipped == {"no finite value": 1}


@pytest.mark.parametrize("state", ["unknown", "unavailable", ""])
def test_a_gap_marker_stands_in_the_series_of_the_entity(state: str) -> None:
    settings = PointSettings(gap_markers=True)
    marker, point = only_line(event(state=state), settings), only_line(event(), settings)

    assert (marker.measurement, marker.tags) == (point.measurement, point.tags)
    assert marker.fields == {"state": state}


def test_a_removal_is_kept_as_a_point_of_its_own() -> None:
    assert only_line(event(state=None, previous="21.5")) == Line(
        measurement="homeiq_removed",
        tags={"domain": "sensor", "entity_id": "kettle_power"},
        fields={"value": 1.0, "previous_state": "21.5"},
        time=TIME_US,
    )


def test_a_removal_of_an_entity_without_a_state_is_kept_too() -> None:
    assert only_line(event(state=None)).fields == {"value": 1.0}


def test_a_removal_is_also_a_gap_marker() -> None:
    removal, marker = lines(convert(event(state=None, previous="21.5"), settings=PointSettings(gap_markers=True)))

    assert removal.measurement == "homeiq_removed"
    assert (marker.measurement, marker.fields) == ("W", {"state": "removed"})


def test_a_removal_carries_the_configured_tags() -> None:
    settings = PointSettings(naming=Naming(tags={"instance": "cottage"}))

    assert only_line(event(state=None), settings).tags["instance"] == "cottage"
