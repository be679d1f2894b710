"""The body of a batch of events."""

import json
import tracemalloc

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
        with pytest.raises(TooLarge, match="at most 5000"):
            _decode(batch([one] * 5_001))


def test_of_far_too_many_items_none_is_made_before_they_are_counted() -> None:
    for items in (b"1," * 1_000_000 + b"1", b"[]," * 1_000_000 + b"[]"):
        body = json.dumps(batch()).encode().replace(b'"events": []', b'"events": [' + items + b"]")
        tracemalloc.start()
        with pytest.raises(TooLarge, match="at most 5000"):
            decode_events(body)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak_bytes < 4_000_000, "each one takes 70 bytes"


def test_a_bad_event_with_many_items_is_not_taken_apart_for_its_name() -> None:
    body = json.dumps(batch()).encode().replace(b'"events": []', b'"events": [["light.a",' + b"1," * 1_000_000 + b"1]]")
    tracemalloc.start()
    found = decode_events(body)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.items.good, found.items.bad[0].entity_id) == ([], "light.a")
    assert peak_bytes < 4_000_000


def test_a_body_with_many_lists_in_its_attributes_is_read_as_any_other() -> None:
    many = decode_events(
        json.dumps(batch([event(attributes={"points": [[1]] * 30_000}), event(state="B"), 7])).encode()
    )
    assert [one.state for one in many.items.good] == ["1.5", "B"]
    assert (list(many.items.indices), [one.index for one in many.items.bad]) == ([0, 1], [2])


@pytest.mark.parametrize("count", [20_001, 90_000])
def test_too_many_labels_or_gaps_are_refused(count: int) -> None:
    with pytest.raises(TooLarge, match=r"entities: .* 20000"):
        _decode(batch(entities={f"sensor.{n}": {} for n in range(count)}))
    with pytest.raises(TooLarge, match=r"gaps: .* 1000"):
        _decode(batch(gaps=[[1, 2]] * count))


def test_as_many_labels_as_a_source_may_have_are_taken() -> None:
    labels = {f"sensor.{n}": {"area": "{Hall}"} for n in range(20_000)}
    assert len(decode_events(json.dumps(batch(entities=labels)).encode()).entities) == 20_000


def test_labels_that_are_too_long_are_left_out() -> None:
    found = decode_events(
        json.dumps(batch(entities={"light.a": {"area": "x" * 5_000}, "light.b": {"area": "y"}})).encode()
    )
    assert found.entities == {"light.b": Labels(area="y")}


def test_a_label_of_another_shape_is_named() -> None:
    with pytest.raises(Rejected, match=r"entities\[.*\]: Expected `object`"):
        _decode(batch(entities={"light.a": 1}))
