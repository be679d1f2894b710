"""A full queue that drops its oldest rows: bounded, counted, kept as gaps, and told."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.changes.complete_gap import CompleteGap
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import Settled
from homeiq_server.history.spool.totals import KnownGap
from homeiq_server.model import Intake, Lines
from tests.unit.homeiq_server.history.spool.spool_builders import (
    SECOND_US,
    Clock,
    commit,
    intake,
    make,
    open_file,
    put,
    take,
    tally,
)

LIMIT = 4_000  # some twenty rows of three lines


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SpoolFile]:
    file = open_file(tmp_path, limit_bytes=LIMIT, when_full="drop_oldest", clock=clock)
    yield file
    file.close()


def live(seq: int, *, source: str = "home") -> Intake:
    """A batch of three events at 10 ``seq`` - 2, - 1 and - 0; all before it is known up to 10 (``seq`` - 1)."""
    times = [10 * seq - 2, 10 * seq - 1, 10 * seq]
    body = Lines(b"\n".join(f"m,seq={seq} v=1.0 {time_us}".encode() for time_us in times), 3)
    return intake(seq, body=body, last_us=10 * seq, started_us=0, source=source)


def fill(file: SpoolFile, batches: int = 40) -> list[Intake]:
    """Store so many batches, of which only the last ones find room."""
    requests = [live(seq) for seq in range(1, batches + 1)]
    for request in requests:
        put(file, request)
    return requests


def gaps(file: SpoolFile) -> list[tuple[str, int, int, bool]]:
    return [(gap.reason, gap.start_us, gap.end_us, gap.is_open) for gap in file.totals.newest_gaps]


def drain(file: SpoolFile) -> None:
    results = [Settled(row_id=row.id, written=row.count) for row in take(file)]
    make(file, Settle(tuple(results)))


def test_the_oldest_rows_go_and_are_counted(file: SpoolFile) -> None:
    requests = fill(file)

    kept = [row.body() for row in take(file, channel="events")]
    assert kept == [request.lines.body for request in requests[-len(kept) :]]
    assert file.totals.lines.dropped == {"overflow": 3 * (40 - len(kept))}
    assert 10 < len(kept) < 30
    assert file.totals.queued_bytes <= LIMIT + 256  # an own point, which is never dropped


def test_what_was_dropped_is_one_gap_from_its_first_instant_to_its_last(file: SpoolFile) -> None:
    fill(file)
    kept = len(take(file, channel="events"))

    assert gaps(file) == [("dropped", 0, 10 * (40 - kept) + 1, True)]


def test_rows_between_that_were_written_are_in_no_gap(file: SpoolFile) -> None:
    fill(file, 3)
    make(file, Settle((Settled(row_id=take(file)[1].id, written=3),)))
    for seq in range(4, 40):
        put(file, live(seq))

    (_, second_start, second_end, _), (_, *first, _) = gaps(file)
    assert first == [0, 11]
    assert second_start == 20
    assert second_end > 31


def test_each_source_has_a_gap_of_its_own(file: SpoolFile) -> None:
    for seq in range(1, 40):
        commit(file, live(seq), live(seq, source="cabin"))

    assert {gap.source for gap in file.totals.newest_gaps} == {"home", "cabin"}


def test_lines_that_nobody_can_supply_again_leave_a_closed_gap_that_counts_them(file: SpoolFile, clock: Clock) -> None:
    began_us = clock.now_us
    for _ in range(40):
        put(file, intake(None, channel="line_protocol"))
        clock.now_us += SECOND_US

    dropped = file.totals.lines.dropped["overflow"]
    (gap,) = file.totals.newest_gaps  # of one episode
    end_us = began_us + (dropped // 3 - 1) * SECOND_US + 1
    assert gap == KnownGap(
        source="line_protocol",
        start_us=began_us,
        end_us=end_us,
        events=dropped,
        reason="dropped",
        is_open=False,
        missed=dropped,
    )
    assert file.totals.missed == dropped
    assert file.totals.open_gaps == 0


def test_a_backfill_that_is_dropped_after_its_gap_was_closed_opens_it_again(file: SpoolFile) -> None:
    put(file, live(1))
    body = Lines(b"m v=1.0 100\nm v=1.0 300\nm v=1.0 200", 3)
    put(file, intake(1, stream="fill", channel="backfill", body=body, last_us=300))
    make(file, CompleteGap("home", 0, 490, missed=None))
    for seq in range(2, 40):
        put(file, live(seq))

    opened = file.read(lambda tables: tables.gaps.open_of("home"))
    assert any(gap.start_us <= 100 and gap.end_us == 301 for gap in opened)


def test_rows_that_are_dropped_on_their_way_are_passed_over_when_they_are_settled(file: SpoolFile) -> None:
    fill(file, 10)
    in_flight = take(file, channel="events")
    for seq in range(11, 26):
        put(file, live(seq))
    dropped = dict(file.totals.lines.dropped)
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in in_flight)))

    totals = file.totals.lines
    assert totals.dropped == dropped
    assert 0 < dropped["overflow"] < 30
    assert totals.written == 3 * len(in_flight) - dropped["overflow"]


def test_an_episode_lasts_until_a_fifth_of_the_limit_is_free_again(file: SpoolFile, clock: Clock) -> None:
    fill(file)
    began_us = clock.now_us
    clock.now_us += SECOND_US
    put(file, live(41))
    assert file.totals.dropping_since_us == began_us

    drain(file)
    assert file.totals.dropping_since_us is None


def test_the_next_episode_is_another_gap(file: SpoolFile) -> None:
    fill(file)
    drain(file)
    for seq in range(41, 80):
        put(file, live(seq))

    assert len(gaps(file)) == 2


def test_an_episode_goes_on_after_a_restart_and_ends_when_the_policy_changes(tmp_path: Path, clock: Clock) -> None:
    file = open_file(tmp_path, limit_bytes=LIMIT, when_full="drop_oldest", clock=clock)
    fill(file)
    file.close()
    file = open_file(tmp_path, limit_bytes=LIMIT, when_full="drop_oldest", clock=clock)
    put(file, live(41))
    assert file.totals.dropping_since_us == clock.now_us
    assert len(gaps(file)) == 1
    file.close()

    file = open_file(tmp_path, limit_bytes=LIMIT, clock=clock)
    put(file, intake(42, count=0))
    assert file.totals.dropping_since_us is None
    file.close()


def test_a_smaller_limit_takes_effect_with_the_first_commit(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    fill(file, 100)
    file.close()
    file = open_file(tmp_path, limit_bytes=LIMIT, when_full="drop_oldest")
    put(file, live(101))

    assert file.totals.queued_bytes <= LIMIT + 256
    assert take(file, channel="events")[-1].newest_us == 1_010
    file.close()


@pytest.mark.parametrize("when_full", ["refuse", "drop_oldest"])
@pytest.mark.parametrize("channel", ["backfill", "statistics"])
def test_what_can_be_asked_for_again_is_refused_over_half_of_the_limit(
    tmp_path: Path, when_full: str, channel: str
) -> None:
    file = open_file(tmp_path, limit_bytes=LIMIT, when_full="refuse" if when_full == "refuse" else "drop_oldest")
    requests = fill(file, 9)
    put(file, intake(1, stream="fill", channel=channel))
    put(file, live(len(requests) + 1))
    put(file, live(len(requests) + 2))
    with pytest.raises(RetryLater, match="half"):
        put(file, intake(2, stream="fill", channel=channel))

    assert put(file, intake(1, stream="fill", channel=channel)).duplicate
    put(file, live(len(requests) + 3))
    file.close()


def test_requests_of_one_commit_are_refused_when_those_before_them_have_filled_the_queue(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=LIMIT)
    request = intake(None, count=50)
    fit = math.ceil(LIMIT / len(request.lines.body))
    outcomes = commit(file, *[request] * 10)

    assert [isinstance(outcome, RetryLater) for outcome in outcomes] == [False] * fit + [True] * (10 - fit)
    file.close()


def test_a_row_whose_lines_are_damaged_is_dropped_all_the_same(file: SpoolFile) -> None:
    put(file, intake(None, channel="line_protocol"))
    put(file, intake(1, stream="fill", channel="backfill", last_us=77))
    file.read(
        lambda tables: tables.db.execute("UPDATE queue SET body = zeroblob(length(body)) WHERE channel = 'backfill'")
    )
    for _ in range(40):
        put(file, intake(None, channel="line_protocol"))

    assert file.read(lambda tables: tables.gaps.open_of("home"))[0].start_us == 77


def test_items_and_lines_of_dropped_rows_stay_accounted_for(file: SpoolFile) -> None:
    some = Intake(channel="events", tally=tally(converted=3, skipped={"no_value": 1}), lines=live(1).lines)
    for _ in range(40):
        put(file, some)  # proves both laws

    assert file.totals.intake["events"].converted == 120
