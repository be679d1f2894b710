"""Who may open the spool's file, and which files are no spool."""

import os
import sqlite3
from pathlib import Path

import pytest

from homeiq_server.errors import Misconfigured
from homeiq_server.history.spool import connection as spool_connection
from homeiq_server.history.spool.room import Reserve
from tests.unit.homeiq_server.history.spool.spool_builders import intake, open_file, put


def change(path: Path, statement: str) -> None:
    db = sqlite3.connect(path, autocommit=True)
    db.execute(statement)
    db.close()


def test_a_second_server_is_refused_with_the_first_ones_process_and_harms_nothing(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    with pytest.raises(Misconfigured, match=rf"in use by another homeiq-server \(process {os.getpid()}\)"):
        open_file(tmp_path)
    put(file, intake(1))
    file.close()

    open_file(tmp_path).close()


def test_a_folder_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(Misconfigured, match=r"taken/spool\.sqlite cannot be opened"):
        open_file(tmp_path / "taken")


@pytest.mark.parametrize(
    ("name", "statement", "value"),
    [
        ("synchronous", "PRAGMA synchronous = NORMAL", "1"),
        ("journal_mode", "PRAGMA journal_mode = TRUNCATE", "truncate"),
        ("auto_vacuum", "PRAGMA auto_vacuum = NONE", "0"),
        ("secure_delete", "PRAGMA secure_delete = ON", "1"),
    ],
)
def test_a_setting_that_does_not_hold_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, statement: str, value: str
) -> None:
    changed = [
        setting._replace(change=statement) if setting.name == name else setting
        for setting in spool_connection._SETTINGS
    ]
    monkeypatch.setattr(spool_connection, "_SETTINGS", changed)

    with pytest.raises(Misconfigured, match=f"SQLite keeps {name} at {value}"):
        open_file(tmp_path)


def test_a_file_that_was_refused_stays_free_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(spool_connection, "_SETTINGS", [spool_connection._SETTINGS[0]._replace(expected=-1)])
        with pytest.raises(Misconfigured):
            open_file(tmp_path)

    open_file(tmp_path).close()


def test_the_file_and_all_beside_it_are_the_owners_alone(tmp_path: Path) -> None:
    file = open_file(tmp_path, reserve=Reserve(ballast_bytes=4096, floor_bytes=0))
    put(file, intake(1))
    file.upkeep()

    modes = {path.suffix: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys([".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock", ".json", ".ballast"], 0o600)
    file.close()


def test_a_drained_spool_gives_its_space_back(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    db = file._ready().db
    db.execute("CREATE TABLE ballast (x)")
    db.execute("INSERT INTO ballast VALUES (zeroblob(8000000))")
    db.execute("DROP TABLE ballast")
    for _ in range(20):
        file.upkeep()
    file.close()

    assert (tmp_path / "spool.sqlite").stat().st_size < 5_000_000
