import json

import pytest

from homeiq_server.history.line_protocol import Line
from homeiq_server.history.points import Naming, PointSettings
from homeiq_server.history.points.events import category
from homeiq_server.model import Labels
from tests.unit.homeiq_server.history.points.point_builders import (
    SOME_ATTRIBUTES,
    TIME_US,
    convert,
    event,
    lines,
    only_line,
)

EVENTS = PointSettings(schema="events")
LABELS = Labels(
    area="Kitchen",
    area_id="kitchen",
    device="Kettle",
    device_id="d1",
    device_class="power",
    manufacturer="Acme Inc.",
    model="K-9",
    sw_version="1.0",
)


def test_a_change_has_every_column() -> None:
    change = event(previous="20", previous_changed_us=TIME_US - 2_500_000, context_id="01ABC", parent_id="01DEF")

    line = only_line(change, EVENTS, LABELS)

    assert json.loads(str(line.fields.pop("attributes"))) == SOME_ATTRIBUTES
    assert line == Line(
        measurement="home_assistant_events",
        tags={
            "entity_id": "sensor.kettle_power",
            "domain": "sensor",
            "device_class": "power",
            "area_id": "kitchen",
            "device_id": "d1",
            "event_category": "appliance",
        },
        fields={
            "state_value": "21.5",
            "numeric_value": 21.5,
            "previous_state": "20",
            "duration_in_state_seconds": 2.5,
            "context_id": "01ABC",
            "context_parent_id": "01DEF",
            "manufacturer": "Acme Inc.",
            "model": "K-9",
            "sw_version": "1.0",
        },
        time=TIME_US,
    )


def test_what_is_not_known_is_not_a_column() -> None:
    line = only_line(event(), EVENTS)

    assert line.tags == {"entity_id": "sensor.kettle_power", "domain": "sensor", "event_category": "monitoring"}
    assert line.fields.keys() == {"state_value", "numeric_value", "context_id", "attributes"}


def test_a_word_has_its_number() -> None:
    assert only_line(event("switch.kettle", "on"), EVENTS).fields["numeric_value"] == 1.0


def test_a_text_has_no_number() -> None:
    assert "numeric_value" not in only_line(event("climate.attic", "heat"), EVENTS).fields


def test_a_state_that_is_not_finite_is_kept_as_text() -> None:
    fields = only_line(event(state="nan"), EVENTS).fields

    assert fields["state_value"] == "nan"
    assert "numeric_value" not in fields


@pytest.mark.parametrize("state", ["unknown", "unavailable", ""])
def test_a_state_that_says_nothing_is_kept(state: str) -> None:
    assert only_line(event(state=state), EVENTS).fields["state_value"] == state


def test_a_duration_is_never_negative() -> None:
    fields = only_line(event(previous="20", previous_changed_us=TIME_US + 1), EVENTS).fields

    assert fields["duration_in_state_seconds"] == 0.0


def test_the_attributes_own_device_class_goes_before_the_labels() -> None:
    line = only_line(event(attributes={"device_class": "energy"}), EVENTS, LABELS)

    assert line.tags["device_class"] == "energy"


def test_attributes_are_the_json_as_it_came_on_one_line() -> None:
    line = only_line(event(attributes=b'{"a": 1.50,\r\n "b": "x\\ny\\"\\\\"}'), EVENTS)

    assert line.fields["attributes"] == '{"a": 1.50,   "b": "x\\ny\\"\\\\"}'


def test_a_removal_is_a_point_of_its_own_and_the_last_of_its_series() -> None:
    removal, last = lines(convert(event(state=None, previous="21.5"), settings=EVENTS))

    assert (removal.measurement, removal.tags["entity_id"]) == ("homeiq_removed", "sensor.kettle_power")
    assert (last.fields["state_value"], last.fields["previous_state"]) == ("removed", "21.5")


def test_configured_tags_are_added() -> None:
    settings = PointSettings(schema="events", naming=Naming(tags={"instance": "cottage"}))

    assert only_line(event(), settings).tags["instance"] == "cottage"


@pytest.mark.parametrize(
    ("domain", "device_class", "expected"),
    [
        ("alarm_control_panel", "", "security"),
        ("lock", "", "security"),
        ("binary_sensor", "door", "security"),
        ("binary_sensor", "window", "security"),
        ("binary_sensor", "motion", "security"),
        ("climate", "", "climate"),
        ("sensor", "temperature", "climate"),
        ("sensor", "humidity", "climate"),
        ("light", "", "lighting"),
        ("switch", "", "appliance"),
        ("fan", "", "appliance"),
        ("vacuum", "", "appliance"),
        ("sensor", "power", "appliance"),
        ("sensor", "energy", "appliance"),
        ("sensor", "battery", "monitoring"),
        ("binary_sensor", "", "monitoring"),
        ("person", "", "general"),
    ],
)
def test_the_category_tells_what_a_change_is_about(domain: str, device_class: str, expected: str) -> None:
    assert category(domain, device_class) == expected
