"""What of a source's past is not known to be whole, and how a backfill makes it so."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.changes.complete_gap import Completed, CompleteGap, Range, uncovered
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.tables import gaps as spool_gaps
from homeiq_server.history.spool.totals import KnownGap
from homeiq_server.model import Gap
from tests.unit.homeiq_server.history.spool.spool_builders import SECOND_US, Clock, intake, make, open_file, put

DAY_US = 24 * 3600 * SECOND_US


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SpoolFile]:
    file = open_file(tmp_path, clock=clock)
    yield file
    file.close()


def known(file: SpoolFile, *gaps: Gap, started_us: int = 100) -> None:
    """Let the source have come live from 100 on, with these gaps."""
    put(file, intake(1, started_us=started_us, last_us=1_000, gaps=gaps))


def ask(file: SpoolFile, start_us: int, end_us: int, source: str = "home") -> list[Range]:
    return file.read(lambda tables: uncovered(tables, source, start_us, end_us))


def complete(file: SpoolFile, start_us: int, end_us: int, missed: int | None = None) -> Completed:
    return make(file, CompleteGap("home", start_us, end_us, missed))


def open_gaps(file: SpoolFile) -> list[tuple[int, int, int | None]]:
    gaps = file.read(lambda tables: tables.gaps.open_of("home"))
    return [(gap.start_us, gap.end_us, gap.events) for gap in gaps]


def closed_gaps(file: SpoolFile) -> list[tuple[int, int, int | None, int | None]]:
    found = file.totals.newest_gaps
    return sorted((gap.start_us, gap.end_us, gap.events, gap.missed) for gap in found if not gap.is_open)


def test_of_an_unknown_source_nothing_is_covered(file: SpoolFile) -> None:
    assert ask(file, 10, 20) == [Range(10, 20, None, "before")]
    assert ask(file, 20, 20) == []


def test_a_source_is_covered_from_when_its_listener_was_registered(file: SpoolFile) -> None:
    known(file)

    assert ask(file, 0, 500) == [Range(0, 100, None, "before")]
    assert ask(file, 0, 50) == [Range(0, 50, None, "before")]
    assert ask(file, 100, 500) == []


def test_a_forwarder_that_does_not_say_when_it_began_covers_from_its_first_batch_on(file: SpoolFile) -> None:
    put(file, intake(1, last_us=700))

    assert ask(file, 0, 900) == [Range(0, 700, None, "before")]


def test_a_second_stream_does_not_move_the_beginning(file: SpoolFile) -> None:
    known(file)
    put(file, intake(1, stream="later", started_us=1_000, last_us=2_000))

    assert ask(file, 0, 3_000) == [Range(0, 100, None, "before")]


def test_a_backfill_covers_nothing_by_itself(file: SpoolFile) -> None:
    put(file, intake(1, stream="fill", channel="backfill", last_us=700))
    complete(file, 0, 800)

    assert ask(file, 0, 900) == [Range(0, 900, None, "before")]
    put(file, intake(1, started_us=850, last_us=860))
    assert ask(file, 0, 900) == [Range(0, 850, None, "before")]


def test_open_gaps_are_uncovered_and_cut_to_the_question(file: SpoolFile) -> None:
    known(file, Gap(200, 300, 7), Gap(400, 500))

    assert ask(file, 100, 1_000) == [Range(200, 300, 7, "overflow"), Range(400, 500, None, "overflow")]
    assert ask(file, 250, 450) == [Range(250, 300, None, "overflow"), Range(400, 450, None, "overflow")]
    assert ask(file, 300, 400) == []


def test_gaps_that_overlap_are_asked_for_once(file: SpoolFile) -> None:
    known(file, Gap(50, 300, 7), Gap(200, 400, 2), Gap(400, 500, 1))

    assert ask(file, 0, 1_000) == [Range(0, 400, None, "before"), Range(400, 500, 1, "overflow")]


def test_a_gap_inside_is_closed_and_keeps_what_was_missed(file: SpoolFile) -> None:
    known(file, Gap(200, 300, 7))

    assert complete(file, 150, 300, missed=2) == Completed(closed=1, open=0)
    assert ask(file, 100, 1_000) == []
    assert closed_gaps(file) == [(200, 300, 7, 2)]
    assert file.totals.missed == 2


def test_a_gap_that_reaches_beyond_loses_the_part(file: SpoolFile) -> None:
    known(file, Gap(200, 300, 7), Gap(400, 500, 7), Gap(600, 900, 7))

    assert complete(file, 250, 450) == Completed(closed=2, open=3)
    assert complete(file, 700, 800) == Completed(closed=1, open=4)
    assert open_gaps(file) == [(200, 250, None), (450, 500, None), (600, 700, None), (800, 900, None)]
    assert closed_gaps(file) == [(250, 300, None, None), (400, 450, None, None), (700, 800, None, None)]


def test_a_part_that_stays_open_keeps_its_reason(file: SpoolFile) -> None:
    known(file, Gap(200, 300, 7))
    complete(file, 250, 400)

    assert KnownGap(source="home", start_us=200, end_us=250, events=None, reason="overflow") in file.totals.newest_gaps


def test_what_was_missed_is_counted_once_however_often_it_is_told(file: SpoolFile) -> None:
    known(file, Gap(200, 300, 7), Gap(400, 500, 7))
    complete(file, 150, 600, missed=3)
    complete(file, 150, 600, missed=3)

    assert file.totals.missed == 3
    assert closed_gaps(file) == [(200, 300, 7, 3), (400, 500, 7, None)]


def test_another_sources_gaps_stay_open(file: SpoolFile) -> None:
    put(file, intake(1, source="cabin", started_us=0, gaps=[Gap(200, 300)]))
    known(file, Gap(200, 300))
    complete(file, 0, 1_000)

    assert ask(file, 200, 300, "cabin") == [Range(200, 300, None, "overflow")]
    assert file.totals.open_gaps == 1


def test_coverage_begins_earlier_when_a_backfill_leads_up_to_it(file: SpoolFile) -> None:
    known(file)
    complete(file, 20, 60)
    assert ask(file, 0, 500) == [Range(0, 100, None, "before")]

    complete(file, 40, 100)
    assert ask(file, 0, 500) == [Range(0, 40, None, "before")]
    complete(file, 60, 90)
    assert ask(file, 0, 500) == [Range(0, 40, None, "before")]
    complete(file, 10, 300)
    assert ask(file, 0, 500) == [Range(0, 10, None, "before")]


@pytest.mark.parametrize(("start_us", "end_us", "missed"), [(5, 5, None), (6, 5, None), (5, 9, -1)])
def test_a_completion_that_makes_no_sense_is_refused(
    file: SpoolFile, start_us: int, end_us: int, missed: int | None
) -> None:
    with pytest.raises(ValueError, match=r"has no length|cannot have been missed"):
        complete(file, start_us, end_us, missed)


def test_a_completion_beyond_64_bits_is_rejected(file: SpoolFile) -> None:
    with pytest.raises(Rejected):
        complete(file, -(2**70), 2**70)


def test_open_gaps_survive_a_restart(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    known(file, Gap(200, 300, 7))
    file.close()
    file = open_file(tmp_path)

    assert open_gaps(file) == [(200, 300, 7)]
    file.close()


def test_closed_gaps_are_kept_for_90_days(file: SpoolFile, clock: Clock) -> None:
    known(file, Gap(200, 300))
    complete(file, 200, 300)
    clock.now_us += 90 * DAY_US
    for _ in range(3):  # the clock has gone on evenly for a while
        clock.now_us += 3600 * SECOND_US
        put(file, intake(None))

    assert file.totals.newest_gaps == ()


def test_of_closed_gaps_of_a_source_the_oldest_go(file: SpoolFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_gaps, "MAX_CLOSED_GAPS", 3)
    known(file, *(Gap(n * 10, n * 10 + 5) for n in range(6)))
    for n in range(6):
        complete(file, n * 10, n * 10 + 5)

    assert [start_us for start_us, *_ in closed_gaps(file)] == [30, 40, 50]


def test_the_gaps_of_a_forgotten_source_go_with_it_and_it_is_not_covered_at_all(
    file: SpoolFile, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeiq_server.history.spool.tables.sources.MAX_SOURCES", 1)
    known(file, Gap(200, 300))
    clock.now_us += 3600 * SECOND_US
    put(file, intake(1, source="cabin"))

    assert file.totals.open_gaps == 0
    assert ask(file, 0, 1_000) == [Range(0, 1_000, None, "before")]


stretches = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(gaps=st.lists(stretches, max_size=5), completed=st.lists(stretches, max_size=5), asked=stretches)
def test_uncovered_is_what_no_backfill_has_covered_instant_by_instant(
    tmp_path_factory: pytest.TempPathFactory,
    gaps: Sequence[tuple[int, int]],
    completed: Sequence[tuple[int, int]],
    asked: tuple[int, int],
) -> None:
    file = open_file(tmp_path_factory.mktemp("spool"))
    known(file, *(Gap(*gap) for gap in gaps), started_us=5)
    missing = set(range(5)).union(*(range(*gap) for gap in gaps))
    begins = 5
    for start_us, end_us in completed:
        complete(file, start_us, end_us)
        begins = start_us if start_us < begins <= end_us else begins
        missing -= {instant for instant in range(start_us, end_us) if instant >= begins}
    missing |= set(range(begins))

    found = ask(file, *asked)
    assert [instant for part in found for instant in range(part.start_us, part.end_us)] == sorted(
        missing.intersection(range(*asked))
    )
    assert all(one.end_us <= two.start_us for one, two in pairwise(found))
    file.close()
