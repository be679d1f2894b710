"""The body of a batch of events."""

import json

import msgspec
import pytest

from homeiq_server.errors import Rejected, TooLarge
from homeiq_server.model import Gap, Labels
from homeiq_server.wire import decode_backfill, decode_events
from tests.unit.homeiq_server.server_builders import batch, event


def _decode(body: object) -> object:
    return decode_events(json.dumps(body).encode())


def test_a_body_says_where_it_stands_and_what_it_holds() -> None:
    found = decode_events(
        json.dumps(
            batch([event(1)], seq=7, gaps=[[1, 2, None], [5, 9, 3]], entities={"light.a": {"area": "Hall", "new": 1}})
        ).encode()
    )
    assert (found.position.source, found.position.stream, found.position.seq) == ("home", "run", 7)
    assert found.position.gaps == (Gap(1, 2), Gap(5, 9, 3))
    assert found.entities == {"light.a": Labels(area="Hall")}
    assert found.items.good[0].entity_id == "sensor.power"
    assert found.items.good[0].attributes == msgspec.Raw(b'{"unit_of_measurement": "W"}')
    assert (found.received, list(found.items.indices), list(found.items.bad)) == (1, [0], [])


def test_only_the_first_batch_must_tell_when_the_listener_was_registered() -> None:
    later = batch(seq=2)
    del later["started_us"]
    _decode(later)
    with pytest.raises(Rejected, match="started_us"):
        _decode(later | {"seq": 1})


def test_a_backfill_needs_no_start_and_opens_no_gap() -> None:
    past = batch([event(1)], gaps=[[1, 2, 3]], entities={"sensor.power": {"area": "Hall"}})
    del past["started_us"]
    found = decode_backfill(json.dumps(past).encode())

    assert (found.position.seq, found.position.started_us, found.position.gaps) == (1, None, ())
    assert found.entities == {"sensor.power": Labels(area="Hall")}
    assert found.received == 1
    started = decode_backfill(json.dumps(past | {"started_us": 5}).encode())
    assert started.position == found.position


def test_keys_that_a_newer_sender_adds_are_left_alone() -> None:
    _decode(batch() | {"compression": {"deep": [1]}})


def test_a_gap_that_ends_before_it_starts_is_turned() -> None:
    body = json.dumps(batch(gaps=[[9, 5, 3]])).encode()
    assert decode_events(body).position.gaps == (Gap(5, 9, 3),)


@pytest.mark.parametrize(
    ("bad", "reason", "kind"),
    [
        (event(state=1), "state: Expected `str | null`, got `int`", "state malformed"),
        (event(time_us=2**63), "time_us: ", "time_us malformed"),
        (event(time_us=-1), "time_us: ", "time_us malformed"),
        (event(time_us=1.5), "time_us: ", "time_us malformed"),
        (event(entity_id="x" * 256), "entity_id: ", "entity_id malformed"),
        (event(entity_id=""), "entity_id: ", "entity_id malformed"),
        (event(context_id=None), "context_id: ", "context_id malformed"),
        ([], "the event: Expected `array` of at least length 8", "the event malformed"),
        ([*event(), 1], "the event: Expected `array` of at most length 8", "the event malformed"),
        ("text", "the event: Expected `array`", "the event malformed"),
        (None, "the event: Expected `array`", "the event malformed"),
    ],
)
def test_a_bad_event_is_rejected_alone_by_the_name_of_its_field(bad: object, reason: str, kind: str) -> None:
    found = decode_events(json.dumps(batch([event(1), bad, event(2)])).encode())

    assert list(found.items.indices) == [0, 2]
    (rejection,) = found.items.bad
    assert rejection.index == 1
    assert rejection.reason.startswith(reason)
    assert rejection.kind == kind
    assert found.received == 3


def test_text_that_is_no_utf8_costs_its_event() -> None:
    body = json.dumps(batch([event(state="A"), event(state="B")])).encode().replace(b'"A"', b'"\xff"')
    found = decode_events(body)
    assert [one.state for one in found.items.good] == ["B"]
    assert found.items.bad[0].entity_id == "sensor.power"


def test_too_many_events_are_refused_whether_good_or_bad() -> None:
    for one in (event(), 7):
        with pytest.raises(TooLarge, match="5001"):
            _decode(batch([one] * 5_001))
