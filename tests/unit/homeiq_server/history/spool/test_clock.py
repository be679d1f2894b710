"""A clock that is set back or forward, by a second or by years, costs neither a line nor a gap."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeiq_server.errors import SequenceHole
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import Settled
from tests.unit.homeiq_server.history.spool.spool_builders import SECOND_US, Clock, intake, make, open_file, put, take

HOUR_US = 3600 * SECOND_US
YEAR_US = 365 * 24 * HOUR_US


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now_us = 50 * YEAR_US
    return clock


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SpoolFile]:
    file = open_file(tmp_path, clock=clock)
    yield file
    file.close()


jumps = pytest.mark.parametrize("jump_us", [-4 * YEAR_US, -30 * HOUR_US, -SECOND_US, SECOND_US, 30 * HOUR_US, YEAR_US])


@jumps
def test_rows_keep_their_order(file: SpoolFile, clock: Clock, jump_us: int) -> None:
    for seq in range(1, 6):
        put(file, intake(seq, last_us=clock.now_us))
        clock.now_us += jump_us

    rows = take(file)
    assert [row.newest_us for row in rows] == [50 * YEAR_US + n * jump_us for n in range(5)]


@jumps
def test_a_stream_in_use_is_known_after_a_jump(file: SpoolFile, clock: Clock, jump_us: int) -> None:
    put(file, intake(1))
    put(file, intake(1, source="cabin"))
    clock.now_us += jump_us
    put(file, intake(1, source="cabin"))

    assert put(file, intake(1)).duplicate
    assert not put(file, intake(2)).duplicate


def test_a_stream_is_known_to_a_server_that_was_away_for_days(tmp_path: Path, clock: Clock) -> None:
    file = open_file(tmp_path, clock=clock)
    put(file, intake(1))
    put(file, intake(1, source="cabin"))
    file.close()
    clock.now_us += 72 * HOUR_US
    file = open_file(tmp_path, clock=clock)
    put(file, intake(2, source="cabin"))
    clock.now_us += HOUR_US // 2

    assert put(file, intake(1)).duplicate
    file.close()


def test_a_stream_of_a_clock_that_was_ahead_is_forgotten_a_day_after_it_was_set_back(
    file: SpoolFile, clock: Clock
) -> None:
    clock.now_us += 4 * YEAR_US
    put(file, intake(1, stream="ahead"))
    clock.now_us -= 4 * YEAR_US
    for _ in range(26):
        put(file, intake(None))
        clock.now_us += HOUR_US

    with pytest.raises(SequenceHole):
        put(file, intake(2, stream="ahead"))


def test_sources_of_a_clock_that_was_ahead_do_not_crowd_out_those_in_use(
    file: SpoolFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeiq_server.history.spool.tables.sources.MAX_SOURCES", 2)
    clock.now_us += YEAR_US
    for name in ("a", "b"):
        put(file, intake(1, source=name))
    clock.now_us -= YEAR_US
    put(file, intake(None))
    for _ in range(2):
        clock.now_us += HOUR_US
        put(file, intake(1, source="in use", stream=str(clock.now_us)))

    assert "in use" in [source.source for source in file.totals.sources]


def test_a_gap_after_the_clock_was_set_back_is_opened(file: SpoolFile, clock: Clock) -> None:
    put(file, intake(1, stream="a", started_us=clock.now_us, last_us=clock.now_us))
    clock.now_us -= HOUR_US
    put(file, intake(2, stream="a", last_us=clock.now_us))
    stopped_us = clock.now_us
    clock.now_us += 60 * SECOND_US
    put(file, intake(1, stream="b", started_us=clock.now_us, last_us=clock.now_us))

    (gap,) = file.totals.newest_gaps
    assert (gap.reason, gap.start_us, gap.end_us) == ("restart", stopped_us, clock.now_us)


def test_a_gap_after_the_clock_was_set_forward_spans_the_jump(file: SpoolFile, clock: Clock) -> None:
    put(file, intake(1, stream="a", started_us=clock.now_us, last_us=clock.now_us))
    whole_us = clock.now_us
    clock.now_us += YEAR_US
    put(file, intake(1, stream="b", started_us=clock.now_us, last_us=clock.now_us))

    (gap,) = file.totals.newest_gaps
    assert (gap.start_us, gap.end_us) == (whole_us, clock.now_us)


@jumps
def test_rows_that_are_dropped_around_a_jump_are_wholly_in_gaps(tmp_path: Path, clock: Clock, jump_us: int) -> None:
    file = open_file(tmp_path, limit_bytes=4_000, when_full="drop_oldest", clock=clock)
    times = []
    for seq in range(1, 60):
        clock.now_us += jump_us if seq in {5, 30} else SECOND_US
        times.append(clock.now_us)
        put(file, intake(seq, started_us=clock.now_us, last_us=clock.now_us))
    lost = times[: len(times) - len(take(file, channel="events"))]

    gaps = file.read(lambda tables: tables.gaps.open_of("home"))
    assert lost
    assert all(any(gap.start_us <= time_us < gap.end_us for gap in gaps) for time_us in lost)
    file.close()


@jumps
def test_an_episode_of_dropping_ends_whatever_the_clock_says(tmp_path: Path, clock: Clock, jump_us: int) -> None:
    file = open_file(tmp_path, limit_bytes=4_000, when_full="drop_oldest", clock=clock)
    for _ in range(40):
        put(file, intake(None, channel="line_protocol"))
    clock.now_us += jump_us
    for _ in range(40):
        put(file, intake(None, channel="line_protocol"))
    rows = take(file)
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in rows)))

    (gap,) = file.totals.newest_gaps
    assert file.totals.dropping_since_us is None
    assert gap.missed == file.totals.lines.dropped["overflow"]
    file.close()
