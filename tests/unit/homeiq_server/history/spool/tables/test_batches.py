"""Requests that came together become few rows, and no line is lost or moved."""

from collections.abc import Iterator
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.spool.tables import batches as spool_batches
from homeiq_server.history.spool.tables.batches import Batch, merge
from homeiq_server.model import Lines

texts = st.lists(
    st.binary(min_size=1, max_size=30).map(lambda line: line.replace(b"\n", b" ")), min_size=1, max_size=12
)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    body = draw(texts)
    return Batch(
        channel=draw(st.sampled_from(["events", "backfill"])),
        source=draw(st.sampled_from([None, "home"])),
        form=draw(st.sampled_from(["influx", "victoria"])),
        lines=Lines(b"\n".join(body), len(body), draw(st.sampled_from(["us", "ns"]))),
        since_us=draw(st.none() | st.integers(0, 9)),
        newest_us=draw(st.none() | st.integers(0, 9)),
    )


def kind(batch: Batch) -> tuple[object, ...]:
    return batch.channel, batch.source, batch.form, batch.lines.precision


def by_kind(some: list[Batch]) -> dict[tuple[object, ...], list[bytes]]:
    found: dict[tuple[object, ...], list[bytes]] = {}
    for batch in some:
        found.setdefault(kind(batch), []).extend(batch.lines.body.split(b"\n"))
    return found


@pytest.fixture(autouse=True, scope="module")
def small_limits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool_batches, "MAX_LINES", 10)
        patch.setattr(spool_batches, "MAX_RAW_BYTES", 100)
        yield


@settings(derandomize=True, deadline=None)
@given(st.lists(batches(), max_size=8))
def test_every_line_stays_with_its_kind_in_its_order(some: list[Batch]) -> None:
    assert by_kind(list(merge(some))) == by_kind(some)


@settings(derandomize=True, deadline=None)
@given(st.lists(batches(), max_size=8))
def test_rows_are_within_the_limits_and_count_their_lines(some: list[Batch]) -> None:
    for row in merge(some):
        assert row.lines.count == row.lines.body.count(b"\n") + 1 <= 10
        assert len(row.lines.body) <= 100


@settings(derandomize=True, deadline=None)
@given(st.lists(batches(), max_size=8))
def test_a_row_is_ended_only_when_the_next_lines_do_not_fit(some: list[Batch]) -> None:
    alike: dict[tuple[object, ...], list[Lines]] = {}
    for row in merge(some):
        alike.setdefault(kind(row), []).append(row.lines)
    for one, following in chain.from_iterable(map(pairwise, alike.values())):
        assert one.count + following.count > 10 or len(one.body) + 1 + len(following.body) > 100


def test_a_line_over_the_limit_is_a_row_of_its_own() -> None:
    long = b"x" * 500
    (row,) = merge([Batch(channel="events", source=None, form="influx", lines=Lines(long, 1))])

    assert row.lines.body == long


def test_merged_rows_span_the_times_of_all_their_requests() -> None:
    def batch(since_us: int | None, newest_us: int | None) -> Batch:
        lines = Lines(b"a v=1", 1)
        return Batch(
            channel="events", source="home", form="influx", lines=lines, since_us=since_us, newest_us=newest_us
        )

    (row,) = merge([batch(None, None), batch(5, 8), batch(8, 7)])

    assert (row.since_us, row.newest_us) == (5, 8)
