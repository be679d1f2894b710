"""Batches of messages, taken apart: one bad message costs itself, and no more are looked at than a batch may have."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.errors import Rejected
from homeiq_server.ingest.batch import Address, address_of, messages_of

GOOD = b'{"tenant_id": "home", "device_id": "d", "msg_type": "telemetry", "metrics": {"t": 1}}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def batch(*messages: bytes) -> bytes:
    return b'{"messages": [' + b", ".join(messages) + b"]}"


def taken(body: bytes, most: int = 100, *, by_line: bool = False) -> list[bytes]:
    return messages_of(body, most=most, by_line=by_line)


@given(st.lists(JSON, min_size=1, max_size=8))
def test_whatever_the_messages_are_each_is_found_as_it_was_sent(values: list[object]) -> None:
    sent = [json.dumps(value).encode() for value in values]
    assert taken(batch(*sent)) == sent
    assert taken(b"\n".join(sent), by_line=True) == sent


@given(st.lists(JSON, min_size=1, max_size=8), st.integers(0, 8), st.sampled_from([b"NaN", b'"\\ud800"', b"-Infinity"]))
def test_a_message_that_is_no_json_costs_none_of_the_others(values: list[object], place: int, bad: bytes) -> None:
    sent = [json.dumps({"v": value}).encode() for value in values]
    sent.insert(place, b'{"v": ' + bad + b"}")
    assert taken(batch(*sent)) == sent


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_comes_of_any_bytes(body: bytes) -> None:
    for by_line in (False, True):
        try:
            found = taken(body, 3, by_line=by_line)
        except Rejected:
            continue
        assert 1 <= len(found) <= 3
        for message in found:
            address_of(message)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b"NaN",
        b"null",
        b"{}",
        b'{"messages": null}',
        b'{"messages": {}}',
        b'{"messages": []}',
        b'{"messages": [',
        b'{"messages": [NaN',
        b'{"messages": [NaN]',
        b'{"messages": [NaN]}}',
        b'{"messages": ["NaN]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_batch_is_refused_with_the_shape_of_one(body: bytes) -> None:
    with pytest.raises(Rejected, match=r'"messages": \[\.\.\.\]'):
        taken(body)


@pytest.mark.parametrize("body", [b"", b"\n\n \r\n"])
def test_lines_without_a_message_are_no_batch(body: bytes) -> None:
    with pytest.raises(Rejected, match="no messages"):
        taken(body, by_line=True)


@pytest.mark.parametrize("bad", [b"", b"NaN"])
def test_as_many_messages_are_taken_as_a_batch_may_have_and_not_one_more(bad: bytes) -> None:
    sent = [GOOD] * 3 + ([bad] if bad else [])
    assert taken(batch(*sent), len(sent)) == sent
    assert taken(b"\r\n".join(sent), len(sent), by_line=True) == sent
    for body, by_line in ((batch(*sent), False), (b"\n".join(sent), True)):
        with pytest.raises(Rejected, match=f"more than {len(sent) - 1} messages"):
            taken(body, len(sent) - 1, by_line=by_line)


@pytest.mark.parametrize(
    ("body", "by_line"),
    [
        (batch(b"1," * 1_000_000 + b"1"), False),
        (batch(b"NaN," * 500_000 + b"1"), False),
        (batch(b"NaN, [" + b"[]," * 500_000 + b"1]"), False),
        (b"1\n" * 1_000_000, True),
        (b"\n" * 2_000_000, True),
    ],
    ids=["numbers", "no-numbers", "nested", "lines", "empty-lines"],
)
def test_a_flood_of_small_messages_takes_no_memory_of_its_own(body: bytes, *, by_line: bool) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Rejected):
            taken(body, by_line=by_line)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("unit", [b'\\"', b'"', b'"\\', b" ", b"{", b"}", b'{"messages":['])
def test_megabytes_that_are_meant_to_take_long_do_not(unit: bytes) -> None:
    rest = unit * (4_000_000 // len(unit))
    for body in (rest, b'{"messages": [NaN, "' + rest, b'{"messages": [NaN, ' + rest):
        with pytest.raises(Rejected):  # the square of that many steps would take days
            taken(body)


def test_a_message_says_whose_it_is() -> None:
    assert address_of(GOOD) == Address("tenant/home/device/d/telemetry", has_token=False)


@pytest.mark.parametrize("name", ["token", "provision_token"])
@pytest.mark.parametrize("value", [b"1", b"NaN"])
def test_a_message_shows_its_own_token_under_both_names_also_when_it_is_no_json(name: str, value: bytes) -> None:
    message = GOOD.replace(b'{"t": 1}', b'{"t": %b}, "%b": "hid_x"' % (value, name.encode()))
    assert address_of(message) == Address("tenant/home/device/d/telemetry", has_token=True)


@pytest.mark.parametrize(
    "message",
    [
        b"[]",
        b"1",
        b"{",
        b"\xff",
        b"NaN",
        b"{}",
        b"[" * 5_000,
        GOOD.replace(b'"home"', b"7"),
        GOOD.replace(b'"d"', b"null"),
        GOOD.replace(b"msg_type", b"type"),
    ],
)
def test_a_message_that_does_not_say_whose_it_is_has_no_topic(message: bytes) -> None:
    assert address_of(message) == Address(None, has_token=False)


def test_bytes_that_are_not_utf_8_leave_the_rest_of_the_batch_and_their_own_address_alone() -> None:
    bad = GOOD.replace(b'"t"', b'"\xff"')
    assert taken(batch(bad, GOOD)) == [bad, GOOD]
    assert address_of(bad).topic == "tenant/home/device/d/telemetry"
