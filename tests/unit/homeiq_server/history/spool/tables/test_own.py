"""Gaps are told to the database as points of the spool's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeiq_server.errors import SequenceHole
from homeiq_server.history.line_protocol import INFLUX, VICTORIA
from homeiq_server.history.spool.changes.complete_gap import CompleteGap
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import Settled
from homeiq_server.history.spool.tables import own as spool_own
from homeiq_server.model import Gap
from tests.unit.homeiq_server.history.spool.spool_builders import intake, make, open_file, put, take


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SpoolFile]:
    file = open_file(tmp_path)
    yield file
    file.close()


def told(file: SpoolFile) -> list[str]:
    return [line for row in take(file, channel="own") for line in row.body().decode().split("\n")]


def test_a_gap_is_told_when_it_is_opened(file: SpoolFile) -> None:
    put(file, intake(1, stream="a", started_us=100, last_us=200))
    put(file, intake(1, stream="b", started_us=2_000_200, gaps=[Gap(2_500_000, 3_000_000, 7), Gap(5, 5)]))

    assert told(file) == [
        "homeiq_gap,reason=restart,source=home seconds=2.0 200",
        "homeiq_gap,reason=overflow,source=home events=7.0,seconds=0.5 2500000",
    ]


def test_own_points_are_accounted_for_in_a_channel_of_their_own(file: SpoolFile) -> None:
    put(file, intake(1, gaps=[Gap(10, 20, 7)]))

    assert file.totals.intake["own"].received == file.totals.intake["own"].converted == 1
    assert file.totals.lines.spooled == 4


def test_a_hole_is_told_again_only_when_it_has_grown(file: SpoolFile) -> None:
    put(file, intake(1, last_us=100))
    for last_us in (700, 700, 600, 800):
        with pytest.raises(SequenceHole):
            put(file, intake(9, last_us=last_us))

    assert [line.split()[1] for line in told(file)] == ["seconds=0.0006", "seconds=0.0007"]


@pytest.mark.parametrize("source", ["my home, sweet=home", "two\nlines", "ends\\", "Zürich"])
def test_any_name_of_a_source_makes_one_line_that_every_database_reads(file: SpoolFile, source: str) -> None:
    put(file, intake(1, source=source, gaps=[Gap(10, 20, 7)]))

    (line,) = told(file)
    for dialect in (INFLUX, VICTORIA):
        parsed = dialect.parse(line)
        assert (parsed.measurement, parsed.fields, parsed.time) == ("homeiq_gap", {"events": 7.0, "seconds": 1e-05}, 10)


def test_dropping_is_told_when_it_begins_and_when_it_ends_and_not_by_row(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=4_000, when_full="drop_oldest")
    for seq in range(1, 60):
        put(file, intake(seq, started_us=0, last_us=seq * 1_000_000))
    (begun,) = told(file)
    rows = take(file, channel="events")
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in rows)))

    lost = rows[0].newest_us or 0
    assert begun == "homeiq_gap,reason=dropped,source=home seconds=1.000001 0"
    assert told(file) == [begun, f"homeiq_gap,reason=dropped,source=home seconds={(lost - 999_999) / 1e6} 0"]
    file.close()


def test_what_is_left_of_a_growing_gap_is_told_when_a_backfill_has_closed_its_beginning(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=4_000, when_full="drop_oldest")
    for seq in range(1, 60):
        put(file, intake(seq, started_us=0, last_us=seq * 10))
        if seq == 40:
            make(file, CompleteGap("home", 0, 50, missed=None))
    rows = take(file, channel="events")
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in rows)))

    (gap,) = file.read(lambda tables: tables.gaps.open_of("home"))
    assert (gap.start_us, gap.end_us) == (50, (rows[0].newest_us or 0) - 9)
    assert told(file)[-1].endswith(" 50")
    file.close()


def test_own_points_are_neither_dropped_nor_refused_when_the_queue_is_full(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=600, when_full="drop_oldest")
    for seq in range(1, 30):
        put(file, intake(seq, gaps=[Gap(seq * 10, seq * 10 + 5)]))

    assert len(told(file)) == file.totals.intake["own"].converted > 29
    file.close()


def test_own_points_are_not_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_own, "MOST", 3)
    monkeypatch.setattr(spool_own, "BEYOND_LIMIT_BYTES", 1_000)
    file = open_file(tmp_path, limit_bytes=1)
    for seq in range(1, 30):
        put(file, intake(seq, count=0, gaps=[Gap(n * 10, n * 10 + 5) for n in range(4)]))

    assert file.totals.intake["own"].skipped["too_many"] >= 3
    assert file.totals.intake["own"].skipped["queue_full"] > 50
    assert file.totals.queued_bytes < 1_500
    file.close()
