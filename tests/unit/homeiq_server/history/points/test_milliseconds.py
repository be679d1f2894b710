from homeiq_server.history.line_protocol import Line
from homeiq_server.history.points import Conversion
from homeiq_server.history.points.milliseconds import SUPERSEDED
from homeiq_server.model import Event
from tests.unit.homeiq_server.history.points.point_builders import TIME_US, convert, event, lines

ATTIC = {"domain": "climate", "entity_id": "attic"}


def climate(state: str | None, previous: str | None, at_us: int) -> Event:
    return event("climate.attic", state, {}, previous=previous, time_us=TIME_US + at_us)


def converted(*events: Event) -> Conversion:
    return convert(*events, text_as_tag=True)


def test_of_two_values_within_a_millisecond_the_last_is_written() -> None:
    conversion = converted(event(state="9", time_us=TIME_US + 100), event(state="3", time_us=TIME_US + 900))

    [line] = lines(conversion, text_as_tag=True)
    assert line.fields["value"] == 3.0
    assert (conversion.converted, conversion.skipped) == (1, {SUPERSEDED: 1})


def test_of_two_texts_within_a_millisecond_what_was_before_both_ends() -> None:
    conversion = converted(climate("cool", "heat", 100), climate("auto", "cool", 200))

    assert lines(conversion, text_as_tag=True) == [
        Line("climate.attic", ATTIC | {"state": "heat"}, {"state": 0.0}, TIME_US + 200),
        Line("climate.attic", ATTIC | {"state": "auto"}, {"state": 1.0}, TIME_US + 200),
    ]


def test_changes_a_millisecond_apart_are_all_written() -> None:
    conversion = converted(climate("cool", "heat", 900), climate("auto", "cool", 1_100))

    assert conversion.skipped == {}
    assert conversion.converted == 2


def test_changes_of_different_entities_do_not_meet() -> None:
    assert converted(event("sensor.one", "1"), event("sensor.two", "2")).skipped == {}


def test_a_removal_within_the_same_millisecond_is_kept() -> None:
    conversion = converted(climate("cool", "heat", 100), climate(None, "cool", 200), climate("off", None, 300))

    assert "homeiq_removed" in {line.measurement for line in lines(conversion, text_as_tag=True)}
    assert conversion.skipped == {SUPERSEDED: 1}


def test_a_rejection_keeps_its_place_in_the_batch() -> None:
    conversion = converted(event(state="1"), event(state="2"), event("nonsense", "3"))

    assert [index for index, _ in conversion.rejected] == [2]
    assert conversion.converted + sum(conversion.skipped.values()) + len(conversion.rejected) == 3


def test_influxdb_keeps_microseconds_and_gets_all() -> None:
    assert convert(event(state="9", time_us=TIME_US + 1), event(state="3", time_us=TIME_US + 2)).lines.count == 2
