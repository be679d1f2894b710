"""Small rows that wait become large ones: no line is lost, doubled or out of order, and nobody notices but the disk."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from homeiq_server.history.spool.changes.merging import Effort, Merger
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import Row, Settled
from homeiq_server.history.spool.tables.batches import MAX_LINES, MAX_RAW_BYTES
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.model import Lines
from tests.unit.homeiq_server.history.spool.spool_builders import (
    SECOND_US,
    Clock,
    commit,
    intake,
    lines,
    make,
    open_file,
    put,
    take,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SpoolFile]:
    file = open_file(tmp_path / "live", clock=clock)
    yield file
    file.close()


class Sender:
    """Sends rows of one channel and source, one a commit and a second apart."""

    def __init__(self, file: SpoolFile, clock: Clock, *, channel: str = "events", source: str = "home") -> None:
        self.file, self.clock = file, clock
        self.channel, self.source = channel, source
        self.sent: list[bytes] = []
        self.seq = 0

    def send(self, rows: int, *, count: int = 50, form: str = "influx", mark: str = "") -> None:
        for _ in range(rows):
            self.clock.now_us += SECOND_US
            self.seq += 1
            body = lines(count, mark=f"_{self.channel}_{self.source}_{self.seq}{mark}")
            request = intake(
                self.seq,
                source=self.source,
                stream=self.channel,
                started_us=self.clock.now_us - SECOND_US,
                last_us=self.clock.now_us - 1,
                channel=self.channel,
                body=body,
                count=count,
            )
            (outcome,) = commit(self.file, request, form=form)
            assert not isinstance(outcome, Exception)
            self.sent += body.body.split(b"\n")

    def queued(self) -> list[bytes]:
        rows = [row for row in look(self.file) if (row.channel, row.source) == (self.channel, self.source)]
        return lines_of(rows)


def look(file: SpoolFile) -> list[Row]:
    """Return all rows without being given them."""
    return file.read(lambda tables: tables.queue.take(0, max_lines=10**9, max_bytes=10**9))


def lines_of(rows: Sequence[Row]) -> list[bytes]:
    return [line for row in rows for line in row.body().split(b"\n")]


def keep_up(file: SpoolFile) -> None:
    file._notebook._next_s = 0
    while file.upkeep() == 0:
        assert file.audit() == []
    assert file.audit() == []


def test_small_rows_that_wait_become_rows_of_five_thousand_lines(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)
    sender.send(201)
    before = look(file)

    keep_up(file)

    after = look(file)
    assert [row.count for row in after] == [MAX_LINES, MAX_LINES, 50]
    assert [row.id for row in after] == [before[99].id, before[199].id, before[200].id]
    assert [row.accepted_us for row in after] == [
        before[0].accepted_us,
        before[100].accepted_us,
        before[200].accepted_us,
    ]
    assert [row.newest_us for row in after] == [before[99].newest_us, before[199].newest_us, before[200].newest_us]
    assert sender.queued() == sender.sent
    assert file.totals.newest_row_id == before[-1].id


def test_what_a_source_loses_with_a_merged_row_is_from_its_first_event_to_its_last(
    file: SpoolFile, clock: Clock
) -> None:
    began_us = clock.now_us
    Sender(file, clock).send(120)

    keep_up(file)

    spans = file.read(lambda tables: tables.db.execute("SELECT since_us, newest_us FROM queue ORDER BY id").fetchall())
    assert spans[0] == (began_us, began_us + 100 * SECOND_US - 1)
    assert spans[1] == (began_us + 100 * SECOND_US - 1, began_us + 101 * SECOND_US - 1)


def test_rows_that_were_given_to_somebody_stay_as_they_are_and_can_be_settled(file: SpoolFile, clock: Clock) -> None:
    Sender(file, clock).send(30)
    given = take(file)
    Sender(file, clock, source="cabin").send(150)

    keep_up(file)

    assert look(file)[:30] == given
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in given)))
    assert file.totals.lines.written == 30 * 50


def test_nothing_is_merged_while_all_is_taken_soon(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)
    for _ in range(20):
        sender.send(10)
        take(file)
        keep_up(file)

    assert len(look(file)) == 200


def test_lines_of_each_channel_and_source_stay_in_order(file: SpoolFile, clock: Clock) -> None:
    senders = [
        Sender(file, clock, channel=channel, source=source)
        for channel in ("events", "backfill")
        for source in ("home", "cabin")
    ]
    for turn in range(150):
        for number, sender in enumerate(senders):
            sender.send(1, count=1 + turn * (number + 1) % 90)

    keep_up(file)

    assert len(look(file)) < 200
    for sender in senders:
        assert sender.queued() == sender.sent


def test_a_row_that_is_large_or_of_another_form_is_not_passed_by_its_neighbours(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)
    sender.send(20)
    sender.send(1, count=2_000)
    sender.send(20)
    sender.send(20, form="victoria")
    sender.send(20)
    sender.send(20, count=1)

    keep_up(file)

    assert [(row.form, row.count) for row in look(file)][:4] == [
        ("influx", 1_000),
        ("influx", 2_000),
        ("influx", 1_000),
        ("victoria", 1_000),
    ]
    assert sender.queued() == sender.sent


def test_a_merged_row_stays_within_the_bounds_of_a_row(file: SpoolFile, clock: Clock) -> None:
    Sender(file, clock).send(70, count=10, mark="x" * 5_000)

    keep_up(file)

    after = look(file)
    assert len(after) < 35
    assert all(row.raw_bytes <= MAX_RAW_BYTES for row in after)


def test_rows_of_many_sources_are_merged_as_well_but_none_is_ever_packed_for_little(
    file: SpoolFile, clock: Clock
) -> None:
    senders = [Sender(file, clock, source=f"home{n}") for n in range(5)]
    packed = 0
    for _ in range(300):
        for sender in senders:
            sender.send(1, count=2)
        before = {row.id: row.count for row in look(file)}
        keep_up(file)
        packed += sum(row.count for row in look(file) if before[row.id] != row.count)

    total = sum(len(sender.sent) for sender in senders)
    assert len(look(file)) < 600
    assert total / 2 < packed <= 2 * total
    assert all(sender.queued() == sender.sent for sender in senders)


def test_own_points_and_live_rows_that_do_not_say_what_is_lost_with_them_are_left_alone(
    file: SpoolFile, clock: Clock
) -> None:
    Sender(file, clock).send(1)
    for n in range(100):
        clock.now_us += 10 * SECOND_US
        gap = intake(1, stream=f"s{n}", started_us=clock.now_us - SECOND_US, last_us=clock.now_us - 2 * SECOND_US)
        put(file, gap)
    before = look(file)
    assert sum(row.channel == "own" for row in before) == 100

    keep_up(file)

    own = [row for row in look(file) if row.channel == "own"]
    assert own == [row for row in before if row.channel == "own"]


def test_a_damaged_row_is_left_to_its_reader(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)
    sender.send(150)
    damaged = look(file)[7]
    body = damaged.packed[:-1] + bytes([damaged.packed[-1] ^ 1])
    file.read(lambda tables: tables.db.execute("UPDATE queue SET body = ? WHERE id = ?", (body, damaged.id)).fetchall())

    keep_up(file)

    assert damaged.id in {row.id for row in look(file)}
    sender.send(200)
    keep_up(file)
    after = look(file)
    assert sum(row.count for row in after) == 350 * 50
    assert len(after) < 350 - 150


def test_killed_in_the_middle_of_a_merge_nothing_is_lost_or_doubled(
    tmp_path: Path, file: SpoolFile, clock: Clock
) -> None:
    sender = Sender(file, clock)
    sender.send(150)
    before = look(file)

    def merge_and_copy(tables: Tables) -> None:
        with tables.transaction(clock.now_us):
            Merger().step(tables, before[-1].id)
            shutil.copytree(tmp_path / "live", tmp_path / "killed", ignore=shutil.ignore_patterns("*-shm"))

    file.read(merge_and_copy)
    assert len(look(file)) == 51

    after = open_file(tmp_path / "killed", clock=clock)
    assert look(after) == before
    keep_up(after)
    assert [row.count for row in look(after)] == [MAX_LINES] + 50 * [50]
    assert lines_of(look(after)) == sender.sent
    after.close()


def test_a_merge_that_fails_leaves_everything_as_it_was(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)
    sender.send(150)
    before = look(file)
    file.read(
        lambda tables: tables.db.executescript(
            "CREATE TEMP TRIGGER no BEFORE INSERT ON main.queue BEGIN SELECT raise(ROLLBACK, 'no room'); END"
        )
    )

    with pytest.raises(Exception, match="no room"):
        keep_up(file)

    assert file.read(lambda tables: tables.queue.lines) == len(sender.sent)
    assert look(file) == before
    keep_up(file)  # of a new connection
    assert sender.queued() == sender.sent
    assert len(look(file)) == 51


def test_a_row_that_the_sidecar_does_not_know_yet_is_not_merged(file: SpoolFile, clock: Clock) -> None:
    keep_up(file)
    Sender(file, clock).send(150)
    file._notebook._next_s = float("inf")

    while file.upkeep() == 0:
        pass

    assert len(look(file)) == 150


def test_merged_rows_keep_their_place_between_the_cursors_of_a_reader(file: SpoolFile, clock: Clock) -> None:
    """What waited when a reader noted the newest id comes to it once, before or behind that id."""
    sender = Sender(file, clock)
    sender.send(130)
    noted = file.totals.newest_row_id
    sender.send(130)
    keep_up(file)

    fresh, backlog = take(file, after=noted), take(file, up_to=noted)

    assert sorted(lines_of(backlog) + lines_of(fresh)) == sorted(sender.sent)
    assert lines_of(backlog) + lines_of(fresh) == sender.sent


def test_ids_are_never_used_twice(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)
    sender.send(100)
    sender.send(1)
    newest = file.totals.newest_row_id
    keep_up(file)
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in take(file))))

    sender.send(1)

    assert [row.id for row in look(file)] == [newest + 1]


def test_pages_that_a_merge_frees_are_used_again(file: SpoolFile, clock: Clock) -> None:
    sender = Sender(file, clock)

    def pages() -> int:
        return int(file.read(lambda tables: tables.db.execute("PRAGMA page_count").fetchone()[0]))

    sizes = []
    for _ in range(6):
        sender.send(100, mark="x" * 20)
        keep_up(file)
        sizes.append(pages())

    used_bytes = file.totals.queued_bytes
    assert sizes[-1] < 2 * sizes[0]
    assert used_bytes < 600 * 128


def test_a_look_in_vain_is_not_repeated_before_new_rows_have_come(file: SpoolFile) -> None:
    merger = Merger(Effort(every=10))

    def step(tables: Tables) -> None:
        merger.step(tables, 10)

    assert not merger.is_due(9)
    assert merger.is_due(10)
    file.read(step)
    assert not merger.is_due(19)
    assert merger.is_due(20)


def test_rows_of_line_protocol_with_different_precisions_are_merged_apart(file: SpoolFile) -> None:
    for n in range(300):
        body = lines(50, mark=n, precision=("s", "ns")[n % 2])
        put(file, intake(None, channel="line_protocol", count=50, body=Lines(body.body, 50, body.precision)))

    keep_up(file)

    large = [(row.precision, row.count) for row in look(file) if row.count > 50]
    assert large == [("s", MAX_LINES), ("ns", MAX_LINES)]
