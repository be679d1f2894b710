"""Streams, holes, duplicates and gaps."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeiq_server.errors import SequenceHole
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.tables import gaps as spool_gaps
from homeiq_server.history.spool.tables import sources as spool_sources
from homeiq_server.history.spool.totals import KnownGap
from homeiq_server.model import Gap
from tests.unit.homeiq_server.history.spool.spool_builders import (
    SECOND_US,
    Clock,
    commit,
    intake,
    labels,
    open_file,
    put,
)

HOUR_US = 3600 * SECOND_US


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SpoolFile]:
    file = open_file(tmp_path, clock=clock)
    yield file
    file.close()


def gap(start_us: int, end_us: int, *, reason: str, events: int | None = None) -> KnownGap:
    return KnownGap(source="home", start_us=start_us, end_us=end_us, events=events, reason=reason)


def expected(file: SpoolFile, seq: int, *, stream: str = "s", last_us: int | None = None) -> int:
    with pytest.raises(SequenceHole) as caught:
        put(file, intake(seq, stream=stream, last_us=last_us))
    return caught.value.expected


def test_a_batch_that_came_before_is_counted_but_stored_once(file: SpoolFile) -> None:
    assert not put(file, intake(1)).duplicate
    assert not put(file, intake(2)).duplicate
    assert put(file, intake(1)).duplicate
    assert put(file, intake(2)).duplicate

    events = file.totals.intake["events"]
    assert (events.received, events.converted, events.duplicate) == (12, 6, 6)
    assert file.totals.lines.spooled == 6


def test_the_same_batch_twice_in_one_commit_is_stored_once(file: SpoolFile) -> None:
    commit(file, intake(1), intake(1))

    assert file.totals.intake["events"].duplicate == 3


def test_a_hole_tells_which_batch_is_expected(file: SpoolFile) -> None:
    assert expected(file, 2) == 1
    put(file, intake(1))
    assert expected(file, 3) == 2
    assert expected(file, 2, stream="other") == 1


def test_a_duplicate_is_known_after_a_restart(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    put(file, intake(1))
    file.close()
    file = open_file(tmp_path)

    assert put(file, intake(1)).duplicate
    file.close()


def test_a_new_stream_opens_a_gap_from_the_last_whole_time_to_its_start(file: SpoolFile) -> None:
    put(file, intake(1, stream="a", started_us=100, last_us=200))
    put(file, intake(2, stream="a", last_us=300))
    put(file, intake(1, stream="b", started_us=500, last_us=600))

    assert file.totals.newest_gaps == (gap(300, 500, reason="restart"),)
    assert file.totals.open_gaps == 1


def test_a_new_source_or_an_overlapping_stream_opens_no_gap(file: SpoolFile) -> None:
    put(file, intake(1, stream="a", started_us=100, last_us=300))
    put(file, intake(1, stream="b", started_us=300, last_us=400))
    put(file, intake(1, stream="c", started_us=100))

    assert file.totals.open_gaps == 0


def test_streams_that_sent_nothing_leave_gaps_that_touch(file: SpoolFile) -> None:
    put(file, intake(1, stream="a", started_us=100, last_us=200))
    put(file, intake(1, stream="b", started_us=500, count=0))
    put(file, intake(1, stream="c", started_us=900))

    assert file.totals.newest_gaps == (gap(500, 900, reason="restart"), gap(200, 500, reason="restart"))


def test_an_event_from_the_future_hides_no_gap(file: SpoolFile, clock: Clock) -> None:
    put(file, intake(1, stream="a", started_us=100, last_us=clock.now_us + 99 * HOUR_US))
    came_us = clock.now_us
    clock.now_us += HOUR_US
    put(file, intake(1, stream="b", started_us=clock.now_us))

    assert file.totals.newest_gaps == (gap(came_us, clock.now_us, reason="restart"),)


def test_gaps_that_the_forwarder_knows_of_are_kept(file: SpoolFile) -> None:
    put(file, intake(1, gaps=[Gap(10, 20, 7), Gap(30, 40), Gap(50, 50), Gap(60, 55)]))
    put(file, intake(1, gaps=[Gap(10, 20, 7)]))

    assert file.totals.newest_gaps == (
        gap(30, 40, reason="overflow"),
        gap(10, 20, reason="overflow", events=7),
    )


def test_a_hole_of_a_known_source_opens_one_gap_however_often_it_is_tried(file: SpoolFile) -> None:
    put(file, intake(1, last_us=100))
    expected(file, 9, last_us=700)
    expected(file, 9, last_us=700)
    expected(file, 11, last_us=800)
    put(file, intake(1, stream="anew", started_us=50, last_us=900))

    assert file.totals.newest_gaps == (gap(100, 800, reason="hole"),)


def test_a_backfill_opens_no_gap_and_moves_no_time(file: SpoolFile) -> None:
    put(file, intake(1, stream="a", started_us=100, last_us=200))
    put(file, intake(1, stream="fill", started_us=400, last_us=900, channel="backfill"))

    assert file.totals.open_gaps == 0
    assert [source.last_event_us for source in file.totals.sources] == [200]


def test_too_many_gaps_of_one_source_become_one_that_covers_them(
    file: SpoolFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_gaps, "MAX_OPEN_GAPS", 3)
    put(file, intake(1, gaps=[Gap(n * 10, n * 10 + 5, 1) for n in range(6)]))

    assert sorted((gap.start_us, gap.end_us, gap.events) for gap in file.totals.newest_gaps) == [
        (0, 35, 4),
        (40, 45, 1),
        (50, 55, 1),
    ]


def test_a_stream_is_forgotten_a_day_after_its_last_use(file: SpoolFile, clock: Clock) -> None:
    put(file, intake(1, stream="used"))
    put(file, intake(1, stream="unused"))
    clock.now_us += 23 * HOUR_US
    put(file, intake(1, stream="used"))
    clock.now_us += 2 * HOUR_US
    put(file, intake(None))

    assert put(file, intake(1, stream="used")).duplicate
    assert expected(file, 2, stream="unused") == 1


def test_of_too_many_sources_the_longest_unseen_go_with_their_labels(
    file: SpoolFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_sources, "MAX_SOURCES", 2)
    for name in ("a", "b", "c"):
        put(file, intake(1, source=name, labels={"light.x": b"{}"}))
        clock.now_us += HOUR_US
    put(file, intake(2, source="c"))

    assert [source.source for source in file.totals.sources] == ["c", "b"]
    assert labels(file, "a") == {}


def test_a_source_tells_when_it_was_last_seen_and_how_far_it_came(file: SpoolFile, clock: Clock) -> None:
    put(file, intake(1, last_us=5))
    clock.now_us += 1
    put(file, intake(1, last_us=5))

    (source,) = file.totals.sources
    assert (source.source, source.last_event_us, source.last_seen_us) == ("home", 5, clock.now_us)
