"""What the app reads of a state change; the other side's own structs read it here."""

from datetime import date, time, timedelta
from enum import Enum, IntFlag, StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from homeassistant.util import dt as dt_util
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.homeiq.wire import ENTITY_ID, Change, Stream, build_body, serialise
from homeiq_server.model import Event as AppEvent
from tests.unit.homeiq.changes import NOON, change

NOON_US = int(NOON) * 1_000_000


class Mode(StrEnum):
    HEAT = "heat"


class Number(Enum):
    TWO = 2


class Features(IntFlag):
    COLOUR = 4


def read(events: list[Change]) -> list[AppEvent]:
    part, kept = serialise(events, lambda *_: None)
    assert len(kept) == len(events)
    return msgspec.json.decode(b"[%b]" % part, type=list[AppEvent])


def attributes_of(event: AppEvent) -> Any:  # noqa: ANN401 - any JSON
    return msgspec.json.decode(event.attributes)


def test_a_new_entity_has_no_previous_state() -> None:
    (event,) = read([change(state="on", attributes={"brightness": 7})])

    assert (event.entity_id, event.state, event.previous, event.previous_changed_us) == (
        "light.kitchen",
        "on",
        None,
        None,
    )
    assert attributes_of(event) == {"brightness": 7}
    assert event.time_us == NOON_US


def test_a_change_tells_the_state_before_and_since_when() -> None:
    (event,) = read([change(state="off", previous="on")])

    assert (event.state, event.previous, event.previous_changed_us) == ("off", "on", NOON_US - 60_000_000)


def test_a_removal_has_no_state_and_the_last_attributes() -> None:
    (event,) = read([change(state=None, previous="on", attributes={"brightness": 7})])

    assert (event.state, event.previous) == (None, "on")
    assert attributes_of(event) == {"brightness": 7}
    assert event.time_us == NOON_US


@pytest.mark.parametrize("state", ["unknown", "unavailable", "", "x" * 255, "21,5 °C 🌡 \u2028", '"quoted"\\\n'])
def test_any_text_arrives_as_it_is(state: str) -> None:
    (event,) = read([change(state=state)])

    assert event.state == state


def test_what_home_assistant_puts_into_attributes_becomes_json() -> None:
    when = dt_util.utc_from_timestamp(NOON)
    attributes: dict[Any, Any] = {
        "a datetime": when,
        "a date": date(2026, 11, 22),
        "a time": time(7, 30),
        "a set": {"one"},
        "a tuple": (1, 2),
        "an enum": Mode.HEAT,
        "another enum": Number.TWO,
        "flags": Features.COLOUR,
        "a path": Path("/config"),
        "no number": float("nan"),
        7: "a key that is no text",
        "umläut": "ß",
    }
    (event,) = read([change(attributes=attributes)])

    assert attributes_of(event) == {
        "a datetime": when.isoformat(),
        "a date": "2026-11-22",
        "a time": "07:30:00",
        "a set": ["one"],
        "a tuple": [1, 2],
        "an enum": "heat",
        "another enum": 2,
        "flags": 4,
        "a path": "/config",
        "no number": None,
        "7": "a key that is no text",
        "umläut": "ß",
    }


class Raises:
    """Raises whatever is asked of it."""

    def as_dict(self) -> dict[str, Any]:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    "odd", [object(), 2**70, "\ud800", timedelta(hours=1), Raises(), {("a", "b"): 1}, b"bytes"], ids=repr
)
def test_an_attribute_that_cannot_be_serialised_costs_only_its_own_event(odd: object) -> None:
    refused: list[str] = []
    good, bad = change(1), change(2, entity_id="sensor.odd", attributes={"odd": odd})

    part, kept = serialise([good, bad, good], lambda event, _: refused.append(event[ENTITY_ID]))

    assert list(kept) == [good, good]
    assert refused == ["sensor.odd"]
    assert len(msgspec.json.decode(b"[%b]" % part, type=list[AppEvent])) == 2


def test_a_removal_goes_without_the_attributes_that_cannot_be_serialised() -> None:
    refused: list[str] = []
    removal = change(1, state=None, previous="on", attributes={"odd": object()})

    part, kept = serialise([removal], lambda event, _: refused.append(event[ENTITY_ID]))

    assert (list(kept), refused) == ([removal], [])
    [event] = msgspec.json.decode(b"[%b]" % part, type=list[AppEvent])
    assert (event.state, event.previous, bytes(event.attributes)) == (None, "on", b"{}")


def test_a_first_batch_says_since_when_its_stream_is_whole() -> None:
    stream = Stream("home", 17)
    first = msgspec.json.decode(build_body(stream, (), {}, ()))
    stream.seq = 2
    second = msgspec.json.decode(build_body(stream, ((1, 2, 3),), {"light.kitchen": {"area": "Kitchen"}}, ()))

    assert first == {"source": "home", "stream": stream.id, "seq": 1, "started_us": 17, "events": []}
    assert second == {
        "source": "home",
        "stream": stream.id,
        "seq": 2,
        "gaps": [[1, 2, 3]],
        "entities": {"light.kitchen": {"area": "Kitchen"}},
        "events": [],
    }


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=255), st.dictionaries(st.text(), _JSON, max_size=5), st.floats(0, 4e9))
def test_any_state_survives_the_way(state: str, attributes: dict[str, Any], at: float) -> None:
    (event,) = read([change(state=state, attributes=attributes, at=at or None)])

    assert event.state == state
    assert attributes_of(event) == attributes
