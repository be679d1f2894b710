"""From rows to requests and back: each line of each row has one fate."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.points.translate import Memory
from homeiq_server.history.spool import DeadLetter, Row, Settled
from homeiq_server.history.target import Form, Identity, Kept
from homeiq_server.history.writer.isolation import Condemned
from homeiq_server.history.writer.outside import NEW, OLD
from homeiq_server.history.writer.requests import limits_of
from homeiq_server.history.writer.unpacking import Terms, Unpacked, unpack
from tests.unit.homeiq_server.history.writer.writer_builders import row

NOW_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000
ALL = Kept()


def unpacked(rows: Sequence[Row], *, form: Form = "influx", kept: Kept = ALL) -> Unpacked:
    return unpack(rows, Terms(product="VictoriaMetrics", form=form, kept=kept, now_us=NOW_US, memory=Memory()))


def at(day: float) -> bytes:
    return b"m f=1.0 %d" % (NOW_US + int(day * DAY_US))


def test_neighbours_of_one_precision_travel_together() -> None:
    rows = [row(n, b"m f=%d 1" % n, precision=precision) for n, precision in enumerate(("us", "us", "s", "us"))]
    requests = unpacked(rows).requests
    assert [(request.precision, request.count) for request in requests] == [("us", 2), ("s", 1), ("us", 1)]
    assert requests[0].body == b"m f=0 1\nm f=1 1"


def test_a_row_that_holds_other_lines_than_it_says_is_damaged() -> None:
    found = unpacked([row(1, b"m f=1 1\nm f=2 1", count=3), row(2, b"m f=1 1")])
    assert found.finished == (Settled(row_id=1, written=0, dropped={"damage": 3}),)
    assert [part.row.id for part in found.requests[0].parts] == [2]


def test_lines_that_the_database_would_forget_are_not_sent_and_counted_with_the_reason() -> None:
    rows = [row(1, b"\n".join([at(0), at(-8), at(3), at(-1)])), row(2, b"\n".join([at(-9), at(-10)])), row(3, at(0))]
    found = unpacked(rows, kept=Kept(past=timedelta(days=7), future=timedelta(days=2)))
    assert found.finished == (Settled(row_id=2, written=0, dropped={OLD: 2}),)
    assert found.dropped == {OLD: 3, NEW: 1}
    (request,) = found.requests
    assert request.body == b"\n".join([at(0), at(-1), at(0)])
    assert request.results([], "db") == [
        Settled(row_id=1, written=2, dropped={OLD: 1, NEW: 1}),
        Settled(row_id=3, written=1),
    ]


def test_a_condemned_line_is_the_one_that_was_stored_though_others_before_it_were_not_sent() -> None:
    rows = [row(1, b"\n".join([at(-8), at(0), at(-1)])), row(2, b"\n".join([at(0), at(-8), at(-2)]))]
    (request,) = unpacked(rows, kept=Kept(past=timedelta(days=7))).requests
    first, second = request.results([Condemned([1, 3], "bad", 400)], "db")
    assert [letter.line for letter in (*first.dead, *second.dead)] == [at(-1), at(-2)]
    assert (first.written, second.written) == (1, 1)


def test_rows_made_for_influxdb_are_translated_for_victoria_metrics_and_accounted_for() -> None:
    stored = b'm,e=a state="on",value=1.0 1000\nm,e=b note="x" 2000\nm,e=c value=2i 3000'
    found = unpacked([row(1, stored)], form="victoria")
    (request,) = found.requests
    assert b'"' not in request.body
    assert b"m,e=c value=2i 3000" in request.body.split(b"\n")
    assert request.results([], "db") == [
        Settled(row_id=1, written=2, dropped={"not storable in VictoriaMetrics": 1}),
    ]


def test_a_condemned_part_of_a_translated_line_condemns_the_line_as_it_was_stored() -> None:
    stored = b'm,e=c value=2i 1\nm,e=a state="on" 1000000\nm,e=a state="off" 2000000'
    (request,) = unpacked([row(1, stored)], form="victoria").requests
    lines = request.body.split(b"\n")
    assert len(lines) > 3
    off = [index for index, line in enumerate(lines) if line.endswith(b" 2000000")]
    assert len(off) == 2  # one state ends, another one begins
    condemned = [Condemned([index], "bad", 400) for index in off]
    (result,) = request.results(condemned, "db")
    assert result.dead == (DeadLetter(line=b'm,e=a state="off" 2000000', count=1, code=400, reason="bad", target="db"),)
    assert result.written == 2


def test_a_row_of_which_nothing_can_be_stored_is_finished_at_once() -> None:
    found = unpacked([row(1, b'm,e=b note="x" 2000')], form="victoria")
    assert found.requests == ()
    assert found.finished == (Settled(row_id=1, written=0, dropped={"not storable in VictoriaMetrics": 1}),)


def test_texts_that_were_tags_are_texts_again_in_influxdb() -> None:
    (request,) = unpacked([row(1, b"m,e=a,state=on state=1.0 1", form="victoria")]).requests
    assert request.body == b'm,e=a state="on" 1'


def test_unisolated_lines_are_one_dead_letter_for_each_row() -> None:
    rows = [row(1, b"a f=1 1\nb f=1 1\nc f=1 1"), row(2, b"d f=1 1\ne f=1 1")]
    (request,) = unpacked(rows).requests
    results = request.results([Condemned([0, 2, 4], "unisolated", 400)], "db")
    assert [[letter.line for letter in result.dead] for result in results] == [[b"a f=1 1\nc f=1 1"], [b"e f=1 1"]]


def test_lines_that_the_database_itself_finds_too_old_are_dropped_and_not_dead() -> None:
    (request,) = unpacked([row(1, b"a f=1 1\nb f=1 2")]).requests
    assert request.results([Condemned([0], OLD, 422, dropped=True)], "db") == [
        Settled(row_id=1, written=1, dropped={OLD: 1})
    ]


LINES = st.sampled_from([at(0), at(-8), at(3), b'm note="x" 1', b'm state="on" 1790000000000000', b"m f=1", b"bad"])
ROWS = st.lists(
    st.tuples(st.lists(LINES, min_size=1, max_size=6), st.sampled_from(["influx", "victoria"]), st.booleans()),
    min_size=1,
    max_size=6,
)


@settings(derandomize=True, deadline=None)
@given(ROWS, st.data(), st.sampled_from(["influx", "victoria"]))
def test_each_line_of_each_row_has_one_fate(
    shapes: list[tuple[list[bytes], Form, bool]], data: st.DataObject, form: Form
) -> None:
    rows = [
        row(number, b"\n".join(lines), form=of, precision="us" if in_us else "ns")
        for number, (lines, of, in_us) in enumerate(shapes, start=1)
    ]
    found = unpacked(rows, form=form, kept=Kept(past=timedelta(days=7), future=timedelta(days=2)))
    results = list(found.finished)
    for request in found.requests:
        assert request.count == request.body.count(b"\n") + 1
        indices = data.draw(st.lists(st.integers(0, request.count - 1), unique=True))
        cut = data.draw(st.integers(0, len(indices)))
        condemned = [
            Condemned(sorted(indices[:cut]), "bad", 400),
            Condemned(sorted(indices[cut:]), OLD, 422, dropped=True),
        ]
        results += request.results(condemned, "db")
    assert sorted((result.row_id, result.count()) for result in results) == [(one.id, one.count) for one in rows]
    stored = {one.id: one.body().split(b"\n") for one in rows}
    for result in results:
        for letter in result.dead:
            assert set(letter.line.split(b"\n")) <= set(stored[result.row_id])


@pytest.mark.parametrize(
    ("product", "version", "per_second", "lines"),
    [
        ("InfluxDB", "2.7.11", 20_000, 5_000),
        ("InfluxDB", "3.2.1", 20_000, 10_000),
        ("InfluxDB", "3.2.1", 12_000, 6_000),
        ("InfluxDB", "30.1", 20_000, 5_000),
        ("InfluxDB", None, 20_000, 5_000),
        ("VictoriaMetrics", "3.0", 20_000, 5_000),
        ("InfluxDB", "2.7.11", 1_000, 500),
        ("InfluxDB", "2.7.11", 1, 1),
    ],
)
def test_a_request_is_as_large_as_the_database_likes_and_the_pace_allows(
    product: str, version: str | None, per_second: int, lines: int
) -> None:
    assert limits_of(Identity(product, version), per_second).lines == lines
