"""The body of a batch of long-term statistics."""

import json

import pytest
from msgspec.structs import astuple

from homeiq_server.errors import Rejected, TooLarge
from homeiq_server.wire import decode_statistics
from tests.unit.homeiq_server.server_builders import row, statistics


def test_a_row_is_eight_values_in_order() -> None:
    found = decode_statistics(json.dumps(statistics([row(unit="kWh", sum=7)])).encode())
    (only,) = found.items.good
    assert astuple(only) == ("sensor.energy", 1_790_000_000_000_000, "kWh", None, None, None, 7.0, None)
    assert (found.position.source, found.position.stream, found.position.seq) == ("home", "statistics", 1)


@pytest.mark.parametrize(
    ("bad", "reason", "kind"),
    [
        (row(statistic_id=7), "statistic_id: Expected `str`", "statistic_id malformed"),
        (row(statistic_id=""), "statistic_id: ", "statistic_id malformed"),
        (row(statistic_id="x" * 256), "statistic_id: ", "statistic_id malformed"),
        (row(start_us=None), "start_us: ", "start_us malformed"),
        (row(start_us=-1), "start_us: ", "start_us malformed"),
        (row(start_us=2**63), "start_us: ", "start_us malformed"),
        (row(unit=1), "unit: Expected `str | null`", "unit malformed"),
        (row(unit="x" * 256), "unit: ", "unit malformed"),
        (row(mean="1"), "mean: Expected `float | null`", "mean malformed"),
        (row(min="1"), "min: ", "min malformed"),
        (row(max=[]), "max: ", "max malformed"),
        (row(sum={}), "sum: ", "sum malformed"),
        (row(state=True), "state: ", "state malformed"),
        (row()[:7], "the row: Expected `array` of at least length 8", "the row malformed"),
        ([*row(), 1], "the row: Expected `array` of at most length 8", "the row malformed"),
        (None, "the row: Expected `array`", "the row malformed"),
    ],
)
def test_a_bad_row_is_rejected_alone_by_the_name_of_its_field(bad: object, reason: str, kind: str) -> None:
    found = decode_statistics(json.dumps(statistics([row(), bad, row()])).encode())

    assert list(found.items.indices) == [0, 2]
    (rejection,) = found.items.bad
    assert rejection.index == 1
    assert rejection.reason.startswith(reason)
    assert rejection.kind == kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (statistics() | {"source": ""}, "source: "),
        (statistics() | {"stream": 7}, "stream: "),
        (statistics() | {"seq": 0}, "seq: "),
        (statistics() | {"rows": None}, "rows: "),
        ({"source": "home", "stream": "s", "seq": 1}, "missing required field `rows`"),
        ([], "the body: "),
    ],
)
def test_a_body_of_another_shape_is_refused_by_the_name_of_its_fault(body: object, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        decode_statistics(json.dumps(body).encode())


def test_too_many_rows_are_refused_whether_good_or_bad() -> None:
    for one in (row(), 7):
        with pytest.raises(TooLarge, match="at most 5000"):
            decode_statistics(json.dumps(statistics([one] * 5_001)).encode())
