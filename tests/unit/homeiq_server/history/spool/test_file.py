"""What the spool stores, what it refuses, and that its numbers add up."""

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homeiq_server.errors import Rejected, RetryLater, SequenceHole
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import DeadLetter, Row, Settled
from homeiq_server.history.spool.tables import dead_letters as spool_dead
from homeiq_server.model import Intake, Labels, Lines, Receipt
from tests.unit.homeiq_server.history.spool.spool_builders import (
    Clock,
    commit,
    intake,
    labels,
    lines,
    open_file,
    put,
    tally,
)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SpoolFile]:
    file = open_file(tmp_path)
    yield file
    file.close()


def take(file: SpoolFile, *, after: int = 0, max_lines: int = 10_000, max_bytes: int = 10**9) -> list[Row]:
    return file.take(after=after, max_lines=max_lines, max_bytes=max_bytes)


def settle(file: SpoolFile, *results: Settled) -> None:
    (outcome,) = file.commit([Settle(results)])
    assert file.audit() == []
    if isinstance(outcome, Exception):
        raise outcome


def letter(count: int = 1, *, reason: str = "field type conflict") -> DeadLetter:
    return DeadLetter(line=lines(count).body, count=count, code=400, reason=reason, target="influx")


def test_what_was_put_can_be_taken_as_it_was(file: SpoolFile) -> None:
    request = intake(1, last_us=17)
    put(file, request)

    (row,) = take(file)

    assert row.body() == request.lines.body
    assert (row.count, row.precision, row.form, row.newest_us) == (3, "us", "influx", 17)
    assert (row.channel, row.source, row.accepted_us) == ("events", "home", Clock().now_us)


def test_requests_of_one_commit_become_one_row(file: SpoolFile) -> None:
    first, second = intake(1, last_us=20), intake(2, last_us=10)
    commit(file, first, second)

    (row,) = take(file)

    assert row.body() == first.lines.body + b"\n" + second.lines.body
    assert (row.count, row.newest_us) == (6, 20)


def test_lines_for_different_targets_never_share_a_row(file: SpoolFile) -> None:
    file.commit([Put(intake(1), "influx"), Put(intake(2), "victoria"), Put(intake(3), "influx")])

    assert [(row.form, row.count) for row in take(file)] == [("influx", 6), ("victoria", 3)]


def test_rows_are_taken_oldest_first_within_the_limits_but_at_least_one(file: SpoolFile) -> None:
    for seq in range(1, 5):
        put(file, intake(seq, count=10))
    first, second, third, fourth = take(file)

    assert take(file, max_lines=20) == [first, second]
    assert take(file, max_bytes=2 * first.raw_bytes) == [first, second]
    assert take(file, max_lines=1, max_bytes=1) == [first]
    assert take(file, after=second.id) == [third, fourth]
    assert take(file, after=fourth.id) == []


def test_an_id_is_never_used_twice_even_after_a_restart(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    put(file, intake(1))
    (row,) = take(file)
    settle(file, Settled(row_id=row.id, written=3))
    file.close()
    file = open_file(tmp_path)
    put(file, intake(2))

    assert take(file)[0].id > row.id
    file.close()


def test_every_line_of_a_settled_row_has_one_fate(file: SpoolFile) -> None:
    put(file, intake(1, count=10))
    (row,) = take(file)
    dropped = {"damage": 1, "outside_retention": 2}

    settle(file, Settled(row_id=row.id, written=5, dead=(letter(), letter()), dropped=dropped))

    totals = file.totals.lines
    assert (totals.spooled, totals.written, totals.queued, totals.dead) == (10, 5, 0, 2)
    assert totals.dropped == dropped
    assert file.totals.queued_bytes == 0


def test_a_result_that_does_not_account_for_the_row_changes_nothing(file: SpoolFile) -> None:
    commit(file, intake(1), intake(1, stream="other"))
    put(file, intake(2))
    first, second = take(file)

    with pytest.raises(ValueError, match="holds 3 lines, 2 are settled"):
        settle(file, Settled(row_id=first.id, written=6), Settled(row_id=second.id, written=2))

    assert take(file) == [first, second]


def test_a_row_settled_twice_counts_once(file: SpoolFile) -> None:
    put(file, intake(1))
    (row,) = take(file)

    settle(file, Settled(row_id=row.id, written=3), Settled(row_id=row.id, written=3))
    settle(file, Settled(row_id=row.id, written=3))

    assert file.totals.lines.written == 3


def test_a_dead_letter_that_cannot_be_stored_leaves_its_row_queued(file: SpoolFile) -> None:
    put(file, intake(1))
    (row,) = take(file)
    empty = DeadLetter(line=b"", count=1, code=None, reason="", target="influx")

    with pytest.raises(Rejected):
        settle(file, Settled(row_id=row.id, written=2, dead=(empty,)))

    assert file.totals.lines.queued == 3


def test_dead_letters_over_their_bound_drop_the_oldest_counted(
    file: SpoolFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_dead, "MAX_DEAD_BYTES", 600)
    for seq in range(1, 11):
        put(file, intake(seq, count=1))
        settle(file, Settled(row_id=take(file)[0].id, written=0, dead=(letter(),)))

    totals = file.totals
    assert 0 < totals.lines.dead < 10
    assert totals.lines.dropped == {"dead_letters_full": 10 - totals.lines.dead}
    assert totals.dead_bytes <= 600


def test_a_dead_letter_keeps_all_that_a_replay_needs(file: SpoolFile, tmp_path: Path) -> None:
    put(file, intake(1))
    (row,) = take(file)
    settle(file, Settled(row_id=row.id, written=2, dead=(letter(reason="x" * 5_000),)))

    with sqlite3.connect(tmp_path / "spool.sqlite") as db:
        (found,) = db.execute(
            "SELECT accepted_us, channel, source, precision, form, count, code, length(reason), target, line FROM dead"
        )
    db.close()
    assert found == (row.accepted_us, "events", "home", "us", "influx", 1, 400, 1_000, "influx", lines(1).body)


def test_items_are_counted_by_channel_and_reason(file: SpoolFile) -> None:
    some = tally(converted=3, skipped={"no_value": 2}, rejected={"bad_attributes": 1})
    commit(
        file,
        Intake(channel="events", tally=some, lines=lines(3)),
        Intake(channel="telemetry", tally=tally(converted=1), lines=lines(1)),
    )

    events, telemetry = file.totals.intake["events"], file.totals.intake["telemetry"]
    assert (events.received, events.converted) == (6, 3)
    assert (events.skipped, events.rejected) == ({"no_value": 2}, {"bad_attributes": 1})
    assert (telemetry.received, telemetry.converted) == (1, 1)


def test_reasons_without_end_fill_no_table(file: SpoolFile) -> None:
    for n in range(100):
        put(file, Intake(channel="events", tally=tally(converted=0, rejected={f"reason {n}": 1}), lines=lines(0)))

    rejected = file.totals.intake["events"].rejected
    assert len(rejected) == 65
    assert rejected["other"] == 36


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (Intake(channel="events", tally=tally(converted=1), lines=Lines(b"a v=1\nb v=1", 1)), "1 lines announced"),
        (Intake(channel="events", tally=tally(converted=1), lines=Lines(b"", 1)), "1 lines announced, 0 found"),
        (Intake(channel="events", tally=tally(converted=1), lines=Lines(b"a v=1", 1, "min")), "precision is 'min'"),
    ],
)
def test_a_request_that_contradicts_itself_is_named_and_changes_nothing(
    file: SpoolFile, wrong: Intake, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        put(file, wrong)

    assert file.totals.intake == {}


def test_one_bad_request_of_a_commit_costs_only_itself(file: SpoolFile) -> None:
    outcomes = commit(
        file,
        intake(1),
        intake(7),
        intake(2, stream="other"),
        intake(2),
        intake(1, source="\ud800"),
    )

    assert outcomes[0] == outcomes[3] == Receipt()
    assert [type(outcome) for outcome in outcomes] == [Receipt, SequenceHole, SequenceHole, Receipt, Rejected]
    assert file.totals.lines.spooled == 6


@pytest.mark.parametrize(
    "far", [intake(1, stream="far", started_us=2**70), intake(1, stream="far", last_us=2**70)], ids=["start", "last"]
)
def test_a_time_beyond_64_bits_is_rejected_and_harms_nobody(file: SpoolFile, far: Intake) -> None:
    put(file, intake(1, last_us=100))

    _, outcome = commit(file, intake(2), far)

    assert isinstance(outcome, Rejected)
    assert file.totals.lines.spooled == 6


def test_a_full_spool_refuses_lines_and_counts_none_of_them(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=1)
    put(file, intake(1))
    before = file.totals

    with pytest.raises(RetryLater) as caught:
        put(file, intake(2))

    assert caught.value.after
    assert (file.totals.lines, file.totals.intake) == (before.lines, before.intake)
    file.close()


def test_a_full_spool_still_knows_duplicates_and_takes_what_needs_no_room(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=1)
    put(file, intake(1))

    assert put(file, intake(1)).duplicate
    assert not put(file, intake(2, count=0)).duplicate
    settle(file, Settled(row_id=take(file)[0].id, written=3))
    put(file, intake(3))
    file.close()


def test_a_full_disk_refuses_the_commit_and_keeps_all_that_was_acknowledged(file: SpoolFile) -> None:
    put(file, intake(1))
    file._ready().db.execute("PRAGMA max_page_count = 1").fetchall()  # as many as there are: SQLITE_FULL
    body = random.Random(1).randbytes(100_000).replace(b"\n", b" ")  # noqa: S311 - what does not compress

    with pytest.raises(RetryLater, match="full"):
        file.commit([Put(Intake(channel="events", tally=tally(converted=1), lines=Lines(body, 1)), "influx")])

    put(file, intake(2))  # the new connection has no such limit
    assert file.totals.lines.spooled == 6


def test_labels_are_kept_by_source_and_the_newest_wins(file: SpoolFile) -> None:
    put(file, intake(1, labels={"light.a": b'{"area":"Kitchen"}', "light.b": b"{}"}))
    put(file, intake(2, labels={"light.a": b'{"area":"Hall"}', "light.long": b"{" + b" " * 5_000 + b"}"}))
    put(file, intake(1, source="cabin", labels={"light.a": b'{"area":"Loft"}'}))

    assert labels(file, "home") == {"light.a": Labels(area="Hall"), "light.b": Labels()}
    assert labels(file, "cabin") == {"light.a": Labels(area="Loft")}
    assert labels(file, "nobody") == {}


def test_a_flipped_bit_never_gives_other_lines(file: SpoolFile) -> None:
    put(file, intake(1, count=100))
    (row,) = take(file)
    noticed = 0
    for bit in range(8 * len(row.packed)):
        packed = bytearray(row.packed)
        packed[bit // 8] ^= 1 << bit % 8
        try:
            assert replace(row, packed=bytes(packed)).body() == row.body()  # a bit that zstd does not use
        except Rejected:
            noticed += 1

    assert noticed > 7.9 * len(row.packed)
