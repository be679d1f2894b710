"""Whatever has happened to its files: the spool opens, takes lines at once, saves what can be read, counts the rest."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from homeiq_server.history.spool import connection
from homeiq_server.history.spool.recovery.adoption import carve
from homeiq_server.history.spool.totals import KnownGap
from homeiq_server.model import Receipt
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import (
    DEAD,
    LINES_A_ROW,
    PAGE,
    ROWS,
    WRITTEN,
    Damage,
    Survivor,
    build,
    flip,
    numbered,
    overwrite,
    survive,
)
from tests.unit.homeiq_server.history.spool.spool_builders import intake, open_file, put

BEFORE = (ROWS + 2) * LINES_A_ROW + 1  # lines spooled, with the point that tells of a gap
FRAME = PAGE + 24
GARBAGE = random.Random(5).randbytes(3 * PAGE)  # noqa: S311 - no secret


@pytest.fixture(scope="module")
def spools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spools")
    build(folder)
    return folder


@pytest.fixture
def killed(spools: Path, tmp_path: Path) -> Path:
    return shutil.copytree(spools / "killed", tmp_path / "data")


@pytest.fixture
def closed(spools: Path, tmp_path: Path) -> Path:
    return shutil.copytree(spools / "closed", tmp_path / "data")


@pytest.fixture(scope="module")
def server_id(spools: Path) -> str:
    db = sqlite3.connect(spools / "closed" / "spool.sqlite")
    (server_id,) = db.execute("SELECT value FROM meta WHERE key = 'server_id'").fetchone()
    db.close()
    return str(server_id)


def copies(folder: Path, kind: str = "damaged") -> list[str]:
    return [path.name for path in folder.glob(f"spool.sqlite.{kind}-*") if not path.name.endswith(("-wal", "-shm"))]


def check(survivor: Survivor, server_id: str, *, rows: int, before: int = BEFORE) -> None:
    """Prove that so many rows were saved at least, and that each line that was not is counted."""
    lines = survivor.totals.lines
    assert len(survivor.rows) >= rows
    assert survivor.server_id == server_id
    assert lines.written == WRITTEN - DEAD
    new_own = survivor.own - 1 if survivor.own else 0
    assert lines.spooled >= before + 1 + new_own
    lost = (ROWS - len(survivor.rows)) * LINES_A_ROW + (DEAD - lines.dead)
    assert lines.dropped.get("damage", 0) in {lost, lost + 1}  # the point that told of the first gap may be lost too


def append(path: Path, raw: bytes) -> None:
    with path.open("ab") as file:
        file.write(raw)


JOURNAL_DAMAGE: dict[str, tuple[Damage, int, bool]] = {
    "garbage after its end": (lambda path: append(path, GARBAGE), ROWS, False),
    "a torn frame at its end": (lambda path: append(path, path.read_bytes()[-FRAME:-900]), ROWS, False),
    "a flipped bit in a page": (lambda path: flip(path, path.stat().st_size // 2), ROWS - 8, True),
    "a flipped bit in a frame's header": (lambda path: flip(path, 32 + 500 * FRAME + 10), ROWS - 8, True),
    "a flipped bit in its header": (lambda path: flip(path, 17), ROWS - 8, True),
    "4 KiB zeroed": (lambda path: overwrite(path, path.stat().st_size // 3, bytes(PAGE)), ROWS - 8, True),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "rows", "is_set_aside"), JOURNAL_DAMAGE.values(), ids=list(JOURNAL_DAMAGE))
def test_a_damaged_journal_costs_no_more_than_its_damaged_pages(
    killed: Path, server_id: str, damage: Damage, rows: int, is_set_aside: object
) -> None:
    damage(killed / "spool.sqlite-wal")

    check(survive(killed), server_id, rows=rows)

    assert len(copies(killed)) == bool(is_set_aside)


def test_commits_that_were_torn_off_the_journal_are_counted_and_leave_a_gap(killed: Path, server_id: str) -> None:
    wal = killed / "spool.sqlite-wal"
    os.truncate(wal, wal.stat().st_size * 3 // 4)

    survivor = survive(killed)

    check(survivor, server_id, rows=ROWS // 2)
    assert len(survivor.rows) < ROWS
    (gap, *_) = survivor.totals.newest_gaps
    assert (gap.reason, gap.source, gap.end_us) == ("damage", "home", (ROWS + 2) * 1_000 + 1)
    assert gap.start_us == max(survivor.rows) * 1_000


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 0)], ids=["missing", "empty"])
def test_a_missing_journal_is_counted(killed: Path, server_id: str, damage: Damage) -> None:
    damage(killed / "spool.sqlite-wal")

    check(survive(killed), server_id, rows=ROWS // 2 - 2)


def pages(closed: Path) -> int:
    return (closed / "spool.sqlite").stat().st_size // PAGE


@pytest.mark.parametrize("page", [*range(1, 15), *(f"{part}/9" for part in range(1, 9, 2)), "last"])
def test_a_page_of_zeros_costs_at_most_two_rows_in_a_hundred(closed: Path, server_id: str, page: int | str) -> None:
    if isinstance(page, str):
        page = pages(closed) if page == "last" else pages(closed) * int(page[0]) // 9
    overwrite(closed / "spool.sqlite", (page - 1) * PAGE, bytes(PAGE))

    check(survive(closed), server_id, rows=ROWS * 98 // 100)


@pytest.mark.parametrize("place", range(20))
def test_a_flipped_bit_costs_at_most_a_few_rows(closed: Path, server_id: str, place: int) -> None:
    at = random.Random(place).randrange(pages(closed) * PAGE)  # noqa: S311 - no secret
    flip(closed / "spool.sqlite", at)

    check(survive(closed), server_id, rows=ROWS * 98 // 100)


@pytest.mark.parametrize("size", [16, 100, 2 * PAGE])
def test_a_header_of_zeros_costs_nothing(closed: Path, server_id: str, size: int) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(size))

    check(survive(closed), server_id, rows=ROWS)


def test_all_tables_roots_zeroed_cost_nothing_of_the_queue(closed: Path, server_id: str) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(20 * PAGE))

    survivor = survive(closed)

    assert len(survivor.rows) >= ROWS * 90 // 100
    assert survivor.server_id == server_id


def test_a_letter_of_a_table_s_definition_that_changed_is_noticed_at_once(closed: Path, server_id: str) -> None:
    path = closed / "spool.sqlite"
    content = path.read_bytes()
    assert content.count(b"died_us") == 1
    path.write_bytes(content.replace(b"died_us", b"dibd_us"))

    check(survive(closed), server_id, rows=ROWS)
    assert len(copies(closed)) == 1


def test_of_a_file_cut_in_half_one_half_is_saved(closed: Path, server_id: str) -> None:
    os.truncate(closed / "spool.sqlite", pages(closed) // 2 * PAGE)

    check(survive(closed), server_id, rows=ROWS * 45 // 100)


def test_a_file_cut_in_half_is_saved_where_its_journal_has_the_rest(killed: Path, server_id: str) -> None:
    os.truncate(killed / "spool.sqlite", (killed / "spool.sqlite").stat().st_size // 2)

    check(survive(killed), server_id, rows=ROWS * 70 // 100)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 0)], ids=["missing", "empty"])
def test_a_file_that_is_gone_is_counted_and_leaves_a_gap(closed: Path, server_id: str, damage: Damage) -> None:
    damage(closed / "spool.sqlite")

    survivor = survive(closed)

    check(survivor, server_id, rows=0)
    assert survivor.rows == set()
    (gap,) = survivor.totals.newest_gaps
    assert (gap.reason, gap.start_us, gap.end_us) == ("damage", 2_000, (ROWS + 2) * 1_000 + 1)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 0)], ids=["missing", "empty"])
def test_a_file_that_is_gone_leaves_what_its_journal_holds(killed: Path, server_id: str, damage: Damage) -> None:
    damage(killed / "spool.sqlite")

    check(survive(killed), server_id, rows=ROWS // 2 - 2)


FOREIGN: dict[str, Damage] = {
    "another program's database": lambda path: sqlite(path, "CREATE TABLE photographs (x)"),
    "no database at all": lambda path: path.write_bytes(b"my holiday photographs" * 1000),
    "a directory": lambda path: (path / "photographs").mkdir(parents=True),
}


def sqlite(path: Path, statement: str) -> None:
    db = sqlite3.connect(path, autocommit=True)
    db.execute(statement)
    db.close()


@pytest.mark.parametrize("make_foreign", FOREIGN.values(), ids=list(FOREIGN))
def test_what_is_no_spool_is_kept_for_good_whatever_is_damaged_later(tmp_path: Path, make_foreign: Damage) -> None:
    path = tmp_path / "spool.sqlite"
    make_foreign(path)
    before = path.read_bytes() if path.is_file() else b""

    for _ in range(3):
        file = open_file(tmp_path)
        assert put(file, intake(1, stream=f"{random.random()}")) == Receipt()  # noqa: S311 - no secret
        while file.upkeep() == 0:
            pass
        file.close()
        overwrite(path, 0, bytes(100))

    (foreign,) = copies(tmp_path, "foreign")
    assert (tmp_path / foreign).is_dir() or (tmp_path / foreign).read_bytes() == before


def test_a_file_of_a_newer_server_is_kept_for_it(closed: Path, server_id: str) -> None:
    sqlite(closed / "spool.sqlite", "PRAGMA user_version = 99")

    survivor = survive(closed)

    check(survivor, server_id, rows=0)
    (newer,) = copies(closed, "newer")
    sqlite(closed / newer, "SELECT count(*) FROM queue")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_made_readable(closed: Path, server_id: str) -> None:
    (closed / "spool.sqlite").chmod(0)

    check(survive(closed), server_id, rows=ROWS)


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(GARBAGE), lambda path: os.truncate(path, 0)]
)
def test_the_index_of_the_journal_is_made_anew(killed: Path, server_id: str, damage: Damage) -> None:
    damage(killed / "spool.sqlite-shm")

    check(survive(killed), server_id, rows=ROWS)
    assert copies(killed) == []


@pytest.mark.parametrize("part", ["-wal", "-shm"])
def test_a_directory_in_the_place_of_the_journal_costs_what_the_journal_held(
    killed: Path, server_id: str, part: str
) -> None:
    (killed / f"spool.sqlite{part}").unlink()
    (killed / f"spool.sqlite{part}").mkdir()

    check(survive(killed), server_id, rows=ROWS if part == "-shm" else ROWS // 2 - 2)


SIDECAR_DAMAGE: dict[str, Damage] = {
    "missing": Path.unlink,
    "empty": lambda path: os.truncate(path, 0),
    "garbage": lambda path: path.write_bytes(GARBAGE),
    "a flipped bit": lambda path: flip(path, path.stat().st_size // 2),
    "not ours": lambda path: path.write_text('{"format": 7}'),
}


@pytest.mark.parametrize("damage", SIDECAR_DAMAGE.values(), ids=list(SIDECAR_DAMAGE))
def test_without_a_sidecar_a_whole_spool_lacks_nothing(killed: Path, server_id: str, damage: Damage) -> None:
    damage(killed / "spool.totals.json")

    check(survive(killed), server_id, rows=ROWS)
    assert copies(killed) == []


@pytest.mark.parametrize("damage", SIDECAR_DAMAGE.values(), ids=list(SIDECAR_DAMAGE))
def test_without_a_sidecar_the_damaged_files_own_numbers_count(closed: Path, server_id: str, damage: Damage) -> None:
    damage(closed / "spool.totals.json")
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))

    check(survive(closed), server_id, rows=ROWS)


def test_with_no_numbers_left_they_begin_with_what_is_found(closed: Path, server_id: str) -> None:
    (closed / "spool.totals.json").unlink()
    overwrite(closed / "spool.sqlite", 0, bytes(20 * PAGE))

    survivor = survive(closed)

    assert survivor.server_id != server_id
    assert survivor.totals.lines.spooled > ROWS * LINES_A_ROW * 9 // 10
    assert survivor.totals.lines.dropped == {}


def test_a_lock_that_was_left_over_keeps_nobody_out(killed: Path, server_id: str) -> None:
    (killed / "spool.sqlite.lock").write_text("1\n")

    check(survive(killed), server_id, rows=ROWS)


def test_duplicates_are_known_as_such_after_a_salvage(closed: Path) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
    file = open_file(closed)

    first, again, following = file.commit([numbered(1), numbered(ROWS + 2), numbered(ROWS + 3)])

    assert (first, again, following) == (Receipt(duplicate=True), Receipt(duplicate=True), Receipt())
    file.close()


def test_labels_gaps_and_dead_letters_are_salvaged(closed: Path) -> None:
    overwrite(closed / "spool.sqlite", 0, bytes(PAGE))
    file = open_file(closed)
    while file.upkeep() == 0:
        pass

    assert len(file.read(lambda tables: tables.labels.read("home"))) == ROWS + 2
    assert file.totals.newest_gaps == (KnownGap(source="home", start_us=3, end_us=5, events=7, reason="overflow"),)
    assert file.totals.lines.dead == DEAD
    file.close()


def test_a_lost_row_leaves_a_gap_of_its_own_stretch_of_time(closed: Path) -> None:
    with closing(connection.blank()) as db, carve(db, closed / "spool.sqlite") as carver:
        found = carver.pages("queue")
    page = found[len(found) // 2]
    overwrite(closed / "spool.sqlite", (page - 1) * PAGE, bytes(PAGE))

    survivor = survive(closed)

    lost = set(range(3, ROWS + 3)) - survivor.rows
    (gap, _) = survivor.totals.newest_gaps
    assert (gap.reason, gap.start_us, gap.end_us) == ("damage", (min(lost) - 1) * 1_000, max(lost) * 1_000 + 1)


def test_a_row_that_sqlite_misreads_costs_only_itself(closed: Path, server_id: str) -> None:
    with closing(sqlite3.connect(closed / "spool.sqlite", autocommit=True)) as db:
        db.execute("PRAGMA writable_schema = ON")  # without types, as a flipped bit in a row's own header leaves it
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE name = 'queue'")
    with closing(sqlite3.connect(closed / "spool.sqlite", autocommit=True)) as db:
        db.execute("UPDATE queue SET channel = x'6576656e7473' WHERE id = 100")

    check(survive(closed), server_id, rows=ROWS - 1)
