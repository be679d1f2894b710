"""Salvage: in small steps, beside the work, interrupted at any instant, and with numbers that may be old."""

import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool import connection
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.recovery import aside, salvage
from homeiq_server.history.spool.recovery.adoption import carve
from homeiq_server.history.spool.rows import Settled
from homeiq_server.model import Receipt
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import (
    DEAD,
    LINES_A_ROW,
    PAGE,
    ROWS,
    build,
    numbered,
    overwrite,
    survive,
)
from tests.unit.homeiq_server.history.spool.spool_builders import Clock, intake, make, open_file, put, take


@pytest.fixture(scope="module")
def spools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spools")
    build(folder)
    return folder


@pytest.fixture
def closed(spools: Path, tmp_path: Path) -> Path:
    return shutil.copytree(spools / "closed", tmp_path / "data")


@pytest.fixture
def killed(spools: Path, tmp_path: Path) -> Path:
    return shutil.copytree(spools / "killed", tmp_path / "data")


def queue_pages(folder: Path) -> list[int]:
    with closing(connection.blank()) as db, carve(db, folder / "spool.sqlite") as carver:
        return list(carver.pages("queue"))


def forget_pages(file: SpoolFile) -> None:
    """Let the connection read its pages anew, as it does when the queue is larger than its memory."""
    file.read(lambda tables: tables.db.execute("PRAGMA shrink_memory").fetchall())


def zero(folder: Path, *pages: int) -> None:
    for page in pages:
        overwrite(folder / "spool.sqlite", (page - 1) * PAGE, bytes(PAGE))


# Salvages one page at a time, and puts a line after each; tells what it has done.
_SERVER = """
import sys
from pathlib import Path
from homeiq_server.history.spool.recovery import salvage
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.room import Reserve
from homeiq_server.model import Intake, Lines, Tally

salvage._MAX_PAGES = 1
none = Reserve(ballast_bytes=0, floor_bytes=0)
file = SpoolFile(Path(sys.argv[1]), limit_bytes=10**9, reserve=none)
number = 0
while True:
    wait_s = file.upkeep()
    number += 1
    line = f"new,name={sys.argv[2]}_{number} v=1.0 {number}"
    file.commit([Put(Intake(channel="telemetry", tally=Tally(received=1, converted=1, skipped={}, rejected={}),
                            lines=Lines(line.encode(), 1)), "influx")])
    print("idle" if wait_s != 0 else line, flush=True)
"""


def told_until_killed(folder: Path, name: str, words: int) -> list[str]:
    """Kill a server that salvages after it has said so many words, and return all that it said."""
    command = [sys.executable, "-c", _SERVER, str(folder / "spool.sqlite"), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = []
        for sentence in server.stdout:
            said.append(sentence)
            if len(said) == words or sentence == "idle\n":
                server.kill()
    assert server.returncode == -signal.SIGKILL
    return [sentence.rstrip("\n") for sentence in said if sentence.endswith("\n")]


def test_killed_at_any_instant_a_salvage_neither_loses_nor_doubles_a_line(closed: Path) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
    chance = random.Random(11)  # noqa: S311 - moments to kill at, no secret
    told: list[str] = []
    for turn in range(100):
        told += told_until_killed(closed, f"turn{turn}", chance.randint(1, 90))
        if "idle" in told:
            break

    file = open_file(closed)
    lines = Counter(line for row in take(file) for line in row.body().decode().split("\n"))
    assert set(lines.values()) == {1}
    assert set(told) - {"idle"} <= lines.keys()
    assert sum("row=" in line for line in lines) == ROWS * LINES_A_ROW
    assert file.totals.lines.dead == DEAD
    assert file.totals.lines.dropped == {}
    assert file.audit() == []
    file.close()


def test_a_file_that_was_moved_without_its_journal_gets_it_back(killed: Path) -> None:
    (killed / "spool.sqlite").rename(killed / "spool.sqlite.damaged-20261122T000000.000000Z")

    assert len(survive(killed).rows) == ROWS


def test_a_copy_that_no_new_file_knows_yet_is_salvaged(killed: Path) -> None:
    aside.set_aside(killed / "spool.sqlite", "damaged", Clock().now_us)

    assert len(survive(killed).rows) == ROWS


def test_a_copy_that_is_gone_before_its_salvage_is_counted_as_lost(closed: Path) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
    open_file(closed).close()
    (copy,) = aside.damaged(closed / "spool.sqlite")
    copy.unlink()

    survivor = survive(closed)

    assert survivor.rows == set()
    assert survivor.totals.lines.dropped == {"damage": ROWS * LINES_A_ROW + DEAD + 1}


def test_of_several_damaged_copies_the_newest_is_kept_and_none_before_it_is_salvaged(
    closed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    for _ in range(3):
        overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
        clock.now_us += 1
        open_file(closed, clock=clock).close()
    assert len(aside.damaged(closed / "spool.sqlite")) == 3

    with caplog.at_level("INFO"):
        survivor = survive(closed)

    assert len(survivor.rows) == ROWS
    assert len(aside.damaged(closed / "spool.sqlite")) == 1
    assert "Deleting" in caplog.text


def test_what_is_found_and_what_is_lost_is_said_once(closed: Path, caplog: pytest.LogCaptureFixture) -> None:
    pages = queue_pages(closed)
    zero(closed, pages[len(pages) // 2])

    survivor = survive(closed)

    found, lost = len(survivor.rows) * LINES_A_ROW + DEAD + 1, (ROWS - len(survivor.rows)) * LINES_A_ROW
    (copy,) = aside.damaged(closed / "spool.sqlite")
    (said,) = [record.getMessage() for record in caplog.records if "Salvaged" in record.getMessage()]
    assert said == (
        f"Salvaged {found} lines of the damaged spool {copy}, which is kept;"
        f" {lost} are lost, counted as dropped for damage"
    )
    assert survivor.totals.salvage is not None
    assert (survivor.totals.salvage.found, survivor.totals.salvage.lost) == (found, lost)


def test_while_a_salvage_runs_what_is_not_found_yet_is_queued(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(salvage, "_MAX_PAGES", 4)
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
    file = open_file(closed)
    left = []
    while file.upkeep() == 0:
        assert file.audit() == []
        assert file.totals.lines.spooled == (ROWS + 2) * LINES_A_ROW + 1
        assert file.totals.salvage is not None
        left.append(file.totals.salvage.left)

    assert len(left) > 10
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    file.close()


def test_damage_that_is_met_at_work_costs_no_request(closed: Path) -> None:
    file = open_file(closed)
    before = take(file)
    zero(closed, *queue_pages(closed)[100:])
    forget_pages(file)

    (outcome,) = file.commit([numbered(ROWS + 3)])
    while file.upkeep() == 0:
        take(file)
        assert file.audit() == []

    assert outcome == Receipt()
    rows = [row for row in take(file) if row.channel == "events"]
    assert len(rows) > ROWS // 2
    assert file.totals.lines.dropped["damage"] > 0
    assert file.commit([numbered(ROWS + 3)]) == [Receipt(duplicate=True)]
    assert {row.id for row in rows}.isdisjoint(row.id for row in before)
    file.close()


def test_a_result_for_a_row_of_the_damaged_file_meets_no_other_row(closed: Path) -> None:
    file = open_file(closed)
    sent = take(file)
    zero(closed, queue_pages(closed)[100])
    forget_pages(file)
    take(file)
    assert file.totals.salvage is not None

    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in sent)))
    while file.upkeep() == 0:
        assert file.audit() == []

    assert len([row for row in take(file) if row.channel == "events"]) >= ROWS * 98 // 100
    file.close()


def test_the_new_file_may_be_damaged_before_the_old_one_is_salvaged(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(salvage, "_MAX_PAGES", 30)
        overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
        clock = Clock()
        file = open_file(closed, clock=clock)
        file.upkeep()
        file.upkeep()
        file.close()
    clock.now_us += 1
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))

    survivor = survive(closed)

    assert len(survivor.rows) == ROWS
    assert survivor.totals.lines.dropped == {}


def test_with_an_old_sidecar_both_laws_hold_and_nothing_that_is_lost_is_hidden(closed: Path) -> None:
    file = open_file(closed)
    old = (closed / "spool.totals.json").read_bytes()
    rows = [row for row in take(file) if row.channel == "events"]
    make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in rows[:50])))
    for number in range(ROWS + 3, ROWS + 23):
        make(file, numbered(number))
    file.close()
    (closed / "spool.totals.json").write_bytes(old)
    pages = queue_pages(closed)
    zero(closed, 1, *range(3, 20), pages[len(pages) // 2])  # all but the map

    survivor = survive(closed)

    lines = survivor.totals.lines
    really_lost = (ROWS - 50 + 20 - len(survivor.rows)) * LINES_A_ROW
    assert 0 < really_lost <= lines.dropped["damage"] <= really_lost + 50 * LINES_A_ROW + DEAD + 1
    assert survivor.totals.imbalances() == []


def test_on_a_short_disk_the_salvage_waits_for_the_queue_to_drain(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
    monkeypatch.setattr(salvage, "_MAX_PAGES", 4)
    monkeypatch.setattr("homeiq_server.history.spool.upkeep._LITTLE_BYTES", 100_000)
    file = open_file(closed)
    monkeypatch.setattr(file._room, "shortage", lambda: "no room")
    while file.upkeep() == 0:
        assert file.audit() == []
    assert file.totals.salvage is not None
    assert file.totals.salvage.is_running
    with pytest.raises(RetryLater, match="no room"):
        put(file, intake(1, stream="anew"))

    while file.totals.salvage.is_running:
        make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in take(file))))
        file.upkeep()

    assert file.totals.lines.dropped == {}
    file.close()


def test_a_row_that_only_its_reader_finds_damaged_leaves_a_gap(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    for number in (1, 2, 3):
        make(file, numbered(number))
    second = [row for row in take(file) if row.channel == "events"][1]

    make(file, Settle((Settled(row_id=second.id, written=0, dropped={"damage": second.count}),)))

    (gap, _) = file.totals.newest_gaps
    assert (gap.reason, gap.source, gap.start_us, gap.end_us) == ("damage", "home", 1_000, 2_001)
    assert file.totals.lines.dropped == {"damage": LINES_A_ROW}
    file.close()
