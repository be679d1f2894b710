"""Reading page by page finds what SQLite finds in a whole file, and never fails in a broken one."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeiq_server.history.spool import connection
from homeiq_server.history.spool.recovery.adoption import ALL_ROOTS, carried
from homeiq_server.history.spool.recovery.carving import Carver
from homeiq_server.history.spool.recovery.carving.journal import Journal
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import PAGE, build, overwrite

TABLES = ("meta", "queue", "dead", "streams", "sources", "labels", "gaps", "counters")
ROOTS_MAY_BE_ANYWHERE = 6  # pages before those that are only found through others


@pytest.fixture(scope="module")
def spools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spools")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def blank() -> Iterator[sqlite3.Connection]:
    with closing(connection.blank()) as db:
        yield db


def carve(blank: sqlite3.Connection, path: Path) -> dict[str, list[dict[str, object]]]:
    with Carver(path, dict(blank.execute(ALL_ROOTS))) as carver:
        return {table: list(carried(blank, carver, table)) for table in TABLES}


def select(path: Path) -> dict[str, list[dict[str, object]]]:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return {table: [dict(row) for row in db.execute(f"SELECT * FROM {table}")] for table in TABLES}  # noqa: S608


def by_text(rows: list[dict[str, object]]) -> list[str]:
    return sorted(map(str, rows))


@pytest.mark.parametrize("state", ["killed", "closed"])
def test_a_whole_file_gives_every_row_that_sqlite_finds_in_it(
    spools: Path, tmp_path: Path, blank: sqlite3.Connection, state: str
) -> None:
    folder = shutil.copytree(spools / state, tmp_path / "data")

    found = carve(blank, folder / "spool.sqlite")

    expected = select(folder / "spool.sqlite")
    for table in TABLES:
        assert by_text(found[table]) == by_text(expected[table])


def test_rows_that_were_deleted_do_not_come_back(spools: Path, tmp_path: Path, blank: sqlite3.Connection) -> None:
    path = shutil.copytree(spools / "closed", tmp_path / "data") / "spool.sqlite"
    with closing(sqlite3.connect(path, autocommit=True)) as db:
        db.execute("PRAGMA secure_delete = OFF").fetchall()
        db.execute("DELETE FROM queue WHERE id % 3 > 0")

    assert by_text(carve(blank, path)["queue"]) == by_text(select(path)["queue"])


def test_a_table_whose_root_is_lost_is_found_by_the_map(
    spools: Path, tmp_path: Path, blank: sqlite3.Connection
) -> None:
    path = shutil.copytree(spools / "closed", tmp_path / "data") / "spool.sqlite"
    expected = by_text(select(path)["queue"])
    root = dict(blank.execute(ALL_ROOTS))["queue"]
    overwrite(path, (root - 1) * PAGE, bytes(PAGE))

    assert by_text(carve(blank, path)["queue"]) == expected


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_damage_makes_the_reader_fail(
    spools: Path, tmp_path_factory: pytest.TempPathFactory, blank: sqlite3.Connection, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    state = data.draw(st.sampled_from(["killed", "closed"]))
    shutil.copytree(spools / state, folder, dirs_exist_ok=True)
    for path in (folder / "spool.sqlite", folder / "spool.sqlite-wal"):
        if not path.exists():
            continue
        size = path.stat().st_size
        for _ in range(data.draw(st.integers(0, 5))):
            # Where pages begin stand their own numbers: there damage does the most.
            page = data.draw(st.integers(0, size // PAGE - 1) | st.integers(0, 20))
            offset = data.draw(st.integers(0, 40) | st.integers(0, PAGE - 1))
            overwrite(path, min(size - 1, page * PAGE + offset), data.draw(st.binary(min_size=1, max_size=64)))

    found = carve(blank, folder / "spool.sqlite")

    assert found.keys() == set(TABLES)
    shutil.rmtree(folder)


def test_frames_behind_a_bad_one_are_told_good_or_bad(spools: Path, tmp_path: Path) -> None:
    path = shutil.copytree(spools / "killed", tmp_path / "data") / "spool.sqlite-wal"
    whole = Journal.read(path)
    chance = random.Random(3)  # noqa: S311 - no secret
    frames = (path.stat().st_size - 32) // (PAGE + 24)
    bad = chance.randrange(frames - 100)
    overwrite(path, 32 + bad * (PAGE + 24) + 24 + 99, b"\xff\xff\xff")

    read = Journal.read(path)

    assert (whole.is_damaged, read.is_damaged) == (False, True)
    assert read.pages == whole.pages
    assert len(whole.offsets.items() - read.offsets.items()) <= 1


@pytest.mark.parametrize("raw", [b"", b"x" * 31, b"x" * 32, bytes(10_000), b"x" * 10_000])
def test_what_is_no_journal_adds_nothing(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "spool.sqlite-wal"
    path.write_bytes(raw)

    journal = Journal.read(path)

    assert (journal.offsets, journal.is_damaged) == ({}, False)
