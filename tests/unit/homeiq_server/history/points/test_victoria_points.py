import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from homeiq_server.history.line_protocol import Line
from homeiq_server.history.points import Naming, PointSettings, Schema, build_schema
from homeiq_server.history.points.victoria import MAX_TEXT_LENGTH, MAX_TEXTS, OTHER, StateTexts
from homeiq_server.model import Event
from tests.unit.homeiq_server.history.points.point_builders import TIME_US, apart, convert, event, lines

CORE = PointSettings()
EVENTS = PointSettings(schema="events")
MARKED = PointSettings(gap_markers=True)
SERIES = {"domain": "climate", "entity_id": "attic"}


def climate(state: str | None, previous: str | None = None, **attributes: object) -> Event:
    return event("climate.attic", state, attributes, previous=previous)


def converted(change: Event, settings: PointSettings = CORE) -> list[Line]:
    return lines(convert(change, settings=settings, text_as_tag=True), text_as_tag=True)


def states(change: Event, settings: PointSettings = CORE, *, schema: Schema | None = None) -> dict[str, float]:
    """Return the value of each of the entity's state series that the event gives."""
    schema = schema or build_schema(settings, text_as_tag=True)
    read = lines(schema.convert([change], {}), text_as_tag=True)
    fields = [(line.tags["state"], value) for line in read if "state" in line.tags for value in line.fields.values()]
    return {state: float(value) for state, value in fields}


def test_a_text_state_is_a_series_with_the_state_as_a_tag() -> None:
    assert converted(climate("heat")) == [
        Line("climate.attic", SERIES | {"state": "heat"}, {"state": 1.0}, TIME_US),
    ]


def test_the_state_that_ended_becomes_zero_at_the_same_instant() -> None:
    assert converted(climate("cool", "heat")) == [
        Line("climate.attic", SERIES | {"state": "heat"}, {"state": 0.0}, TIME_US),
        Line("climate.attic", SERIES | {"state": "cool"}, {"state": 1.0}, TIME_US),
    ]


def test_a_state_that_goes_on_stays_one() -> None:
    assert states(climate("heat", "heat")) == {"heat": 1.0}


@pytest.mark.parametrize("state", ["unavailable", "unknown", ""])
def test_a_state_before_an_outage_becomes_zero(state: str) -> None:
    assert states(climate(state, "heat")) == {"heat": 0.0}


def test_a_restart_of_home_assistant_ends_the_state_that_was_before_it() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert([climate("heat", "off")], {})

    assert states(climate("unavailable"), schema=schema) == {"heat": 0.0}
    assert states(climate("cool", "unavailable"), schema=schema) == {"cool": 1.0}


def test_a_state_that_nobody_saw_end_ends_with_the_next() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert([climate("heat", "off")], {})

    assert states(climate("auto", "cool"), schema=schema) == {"heat": 0.0, "cool": 0.0, "auto": 1.0}


def late(state: str, place: int, previous: str | None = None) -> Event:
    """Return a change that happened so many seconds after the others."""
    return replace(climate(state, previous), time_us=TIME_US + place * 1_000_000)


def ends(schema: Schema, change: Event) -> list[tuple[str, float, int]]:
    """Return state, value and second of each line that the event gives."""
    read = lines(schema.convert([change], {}), text_as_tag=True)
    seconds = [((line.time or 0) - TIME_US) // 1_000_000 for line in read]
    values = [float(next(iter(line.fields.values()))) for line in read]
    return [(line.tags["state"], value, second) for line, value, second in zip(read, values, seconds, strict=True)]


def test_a_change_that_comes_late_leaves_the_current_state_alone() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert([late("idle", 0), late("auto", 9)], {})

    assert ends(schema, late("heat", 5, previous="idle")) == [("idle", 0.0, 5), ("heat", 1.0, 5), ("heat", 0.0, 9)]
    assert ends(schema, late("cool", 10)) == [("auto", 0.0, 10), ("cool", 1.0, 10)]


def test_a_late_change_to_the_current_state_does_not_end_it() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert([late("idle", 0), late("auto", 9)], {})

    assert ends(schema, late("auto", 5)) == [("auto", 1.0, 5)]


def test_a_late_change_between_two_sights_of_the_current_state_ends_with_the_second() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert([late("heat", 0), late("heat", 9)], {})

    assert ends(schema, late("idle", 5, previous="heat")) == [("heat", 0.0, 5), ("idle", 1.0, 5), ("idle", 0.0, 9)]
    assert ends(schema, late("cool", 10)) == [("heat", 0.0, 10), ("cool", 1.0, 10)]


def test_a_late_state_that_is_the_newest_known_ends_with_the_next_change() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert([late("idle", 0)], {})
    schema.convert([late("heat", 5, previous="idle")], {})

    assert ends(schema, late("cool", 9)) == [("heat", 0.0, 9), ("cool", 1.0, 9)]


@given(
    texts=st.lists(st.sampled_from(["idle", "heat", "cool", "auto"]), min_size=2, max_size=8),
    order=st.randoms(use_true_random=False),
    forgets=st.booleans(),
)
def test_in_whatever_order_changes_come_one_state_is_one_in_the_end(
    texts: list[str], order: random.Random, *, forgets: bool
) -> None:
    changes = [
        late(text, place, None if forgets else (texts[place - 1] if place else None))
        for place, text in enumerate(texts)
    ]
    order.shuffle(changes)
    schema = build_schema(CORE, text_as_tag=True)
    points = [point for change in changes for point in ends(schema, change)]
    latest = {state: value for state, value, _ in sorted(points, key=lambda point: (point[2], point[1]))}
    assert {state for state, value in latest.items() if value} == {texts[-1]}


def test_an_outage_after_a_number_has_nothing_to_write() -> None:
    conversion = convert(event(state="unavailable", previous="21.5"), text_as_tag=True)

    assert conversion.skipped == {"state unavailable": 1}
    assert conversion.lines.count == 0


def test_the_end_of_an_outage_has_no_series_to_end() -> None:
    assert states(climate("heat", "unavailable")) == {"heat": 1.0}


@pytest.mark.parametrize("settings", [MARKED, EVENTS], ids=["markers", "events"])
def test_an_outage_that_is_kept_begins_and_ends_like_a_state(settings: PointSettings) -> None:
    assert states(climate("unavailable", "heat"), settings) == {"heat": 0.0, "unavailable": 1.0}
    assert states(climate("heat", "unavailable"), settings) == {"unavailable": 0.0, "heat": 1.0}


@pytest.mark.parametrize("settings", [CORE, EVENTS], ids=["core", "events"])
@pytest.mark.parametrize(("state", "value"), [("21.5", 21.5), ("on", 1.0)])
def test_a_number_or_a_word_is_only_its_number(settings: PointSettings, state: str, value: float) -> None:
    (line,) = converted(event(state=state, attributes={}), settings)

    assert list(line.fields.values()) == [value]
    assert "state" not in line.tags


def test_a_text_before_a_number_becomes_zero() -> None:
    assert states(climate("21.5", "heat")) == {"heat": 0.0}


def test_numbers_of_a_text_state_are_in_the_series_of_the_entity() -> None:
    numbers, state = converted(climate("heat", temperature=21.5, mode="eco"))

    assert (numbers.tags, numbers.fields) == (SERIES, {"temperature": 21.5})
    assert state.fields == {"state": 1.0}


def test_text_attributes_are_left_out_and_counted() -> None:
    conversion = convert(climate("heat", mode="eco", preset=None), text_as_tag=True)

    assert conversion.left_out["text fields"] == 2


def test_the_events_schema_keeps_its_numbers() -> None:
    change = event(state="21.5", previous="20", previous_changed_us=TIME_US - 1_000_000)
    conversion = convert(change, settings=EVENTS, text_as_tag=True)
    (line,) = lines(conversion, text_as_tag=True)

    assert line.measurement == "home_assistant_events"
    assert line.fields == {"numeric_value": 21.5, "duration_in_state_seconds": 1.0}
    assert conversion.left_out["text fields"] == 3  # attributes, context id, previous state


def test_the_events_schema_has_states_as_tags_too() -> None:
    (line,) = converted(climate("heat"), EVENTS)

    assert line.fields == {"state_value": 1.0}
    assert line.tags["state"] == "heat"


def test_a_removal_is_a_number_and_ends_the_state() -> None:
    removal, ended = converted(climate(None, "heat"))

    assert removal == Line("homeiq_removed", SERIES, {"value": 1.0}, TIME_US)
    assert (ended.tags["state"], ended.fields) == ("heat", {"state": 0.0})


def test_a_long_text_is_cut() -> None:
    assert states(climate("x" * 255)) == {"x" * MAX_TEXT_LENGTH: 1.0}


def test_two_texts_that_are_cut_to_the_same_are_one_state() -> None:
    assert states(climate("x" * 254 + "a", "x" * 254 + "b")) == {"x" * MAX_TEXT_LENGTH: 1.0}


def test_a_text_of_line_breaks_only_is_other() -> None:
    assert states(climate("\n")) == {OTHER: 1.0}


def test_texts_beyond_the_bound_are_other_and_counted() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert(apart(climate(f"song {n}") for n in range(MAX_TEXTS)), {})

    folded = schema.convert(apart([climate("one more"), climate("song 0")]), {})

    assert folded.left_out["states folded"] == 1
    begun = [line.tags["state"] for line in lines(folded, text_as_tag=True) if line.fields["state"] == 1.0]
    assert begun == [OTHER, "song 0"]


def test_a_change_between_two_texts_beyond_the_bound_goes_on_being_other() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert(apart(climate(f"song {n}") for n in range(MAX_TEXTS)), {})

    schema.convert([late("a", 1)], {})
    assert states(late("b", 2, "a"), schema=schema) == {OTHER: 1.0}
    assert states(late("song 1", 3, "b"), schema=schema) == {OTHER: 0.0, "song 1": 1.0}


def test_each_entity_has_its_own_texts() -> None:
    schema = build_schema(CORE, text_as_tag=True)
    schema.convert(apart(climate(f"song {n}") for n in range(MAX_TEXTS)), {})

    assert states(event("media_player.attic", "one more"), schema=schema) == {"one more": 1.0}


def test_the_tag_of_the_state_goes_before_a_tag_of_the_same_name() -> None:
    naming = Naming(tags={"state": "Texas", "zone": "north", "area": "attic"})
    (line,) = converted(climate("heat"), PointSettings(naming=naming))

    assert line.tags == SERIES | {"area": "attic", "state": "heat", "zone": "north"}


def test_no_text_breaks_a_line() -> None:
    text = 'a\\,b= "c"\td\\'

    assert states(climate(text)) == {text.replace("\t", "\\t"): 1.0}


def test_the_memory_for_texts_is_bounded_whatever_series_are_called() -> None:
    texts = StateTexts()
    for number in range(3_000):
        name = f"{number:05}{'☃' * 4_000}"  # 8 kB in memory
        assert texts.tag(name, "on the way") == "on the way"
        texts.begin(name, "on the way", number)

    assert len(texts._known) <= 1_024
    assert len(texts._current) <= 1_024
    assert texts.tag("x" * 5_000, "on the way") == OTHER
