"""Room on the disk: the floor under which no line is taken, and the reserve for a disk that is full all the same."""

import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.room import Reserve, Room
from homeiq_server.history.spool.rows import Settled
from homeiq_server.model import Intake, Lines
from tests.unit.homeiq_server.history.spool.spool_builders import intake, make, open_file, put, take, tally

MEBIBYTE = 1024 * 1024


class Usage(NamedTuple):
    free: int


class Disk:
    """What shutil.disk_usage says."""

    def __init__(self) -> None:
        self.free = 1000 * MEBIBYTE

    def __call__(self, _: Path) -> Usage:
        return Usage(self.free)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(shutil, "disk_usage", disk)
    return disk


def test_the_floor_is_64_mebibytes_or_twice_the_reserve() -> None:
    assert Reserve().floor == 64 * MEBIBYTE
    assert Reserve(ballast_bytes=100 * MEBIBYTE).floor == 200 * MEBIBYTE
    assert Reserve(floor_bytes=5).floor == 5


def test_there_is_no_room_below_the_floor_until_a_quarter_more_is_free(tmp_path: Path, disk: Disk) -> None:
    room = Room(tmp_path / "ballast", Reserve())

    said = []
    for free in (64, 63, 64, 79, 80, 64):
        disk.free = free * MEBIBYTE
        said.append(room.shortage() is None)

    assert said == [True, False, False, False, True, True]


def test_the_reserve_is_really_allocated_and_made_only_above_the_floor(tmp_path: Path, disk: Disk) -> None:
    ballast = tmp_path / "ballast"
    room = Room(ballast, Reserve())
    disk.free = 71 * MEBIBYTE
    assert not room.keep_ballast()
    assert not ballast.exists()

    disk.free = 72 * MEBIBYTE
    assert room.keep_ballast()

    assert ballast.stat().st_blocks * 512 >= 8 * MEBIBYTE
    assert room.give_up_ballast()
    assert not ballast.exists()
    assert not room.give_up_ballast()


@pytest.mark.usefixtures("disk")
def test_a_reserve_with_holes_is_made_anew(tmp_path: Path) -> None:
    ballast = tmp_path / "ballast"
    with ballast.open("wb") as file:
        file.truncate(8 * MEBIBYTE)

    assert Room(ballast, Reserve()).keep_ballast()

    assert ballast.stat().st_blocks * 512 >= 8 * MEBIBYTE


@pytest.mark.usefixtures("disk")
def test_a_reserve_where_allocation_is_only_promised_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.posix_fallocate", lambda *_: None)

    assert Room(tmp_path / "ballast", Reserve(ballast_bytes=MEBIBYTE + 5)).keep_ballast()

    assert (tmp_path / "ballast").stat().st_blocks * 512 >= MEBIBYTE


def test_a_short_disk_refuses_lines_takes_what_makes_room_and_recovers_alone(tmp_path: Path, disk: Disk) -> None:
    file = open_file(tmp_path, reserve=Reserve())
    put(file, intake(1))
    disk.free = 10 * MEBIBYTE
    with pytest.raises(RetryLater, match="only 10 MiB of the disk are free, and 64 MiB must stay so") as caught:
        put(file, intake(2))
    assert caught.value.after
    assert file.totals.shortage

    assert put(file, intake(1)).duplicate
    make(file, Settle((Settled(row_id=take(file)[0].id, written=3),)))
    wait_s = file.upkeep()
    disk.free = 1000 * MEBIBYTE
    file.upkeep()

    assert wait_s is not None
    assert file.totals.shortage is None
    put(file, intake(2))
    file.close()


def test_on_a_full_disk_the_reserve_goes_and_settling_works(tmp_path: Path, disk: Disk) -> None:
    file = open_file(tmp_path, reserve=Reserve())
    put(file, intake(1))
    file.upkeep()
    assert (tmp_path / "spool.ballast").exists()
    file.read(lambda tables: tables.db.execute("PRAGMA max_page_count = 1").fetchall())  # as many as there are
    disk.free = 0
    body = b"x" * 100_000
    big = Put(Intake(channel="events", tally=tally(converted=1), lines=Lines(body, 1)), "influx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file._room, "shortage", lambda: None)  # others filled the disk since we looked
        patch.setattr("homeiq_server.history.spool.tables.batches.Packer.pack", lambda _, body: body)
        with pytest.raises(RetryLater, match="full"):
            file.commit([big])

    assert not (tmp_path / "spool.ballast").exists()
    make(file, Settle((Settled(row_id=take(file)[0].id, written=3),)))
    disk.free = 1000 * MEBIBYTE
    file.upkeep()
    assert (tmp_path / "spool.ballast").exists()
    put(file, intake(2))
    file.close()


def test_a_spool_that_cannot_be_opened_yet_starts_with_its_sidecar_and_opens_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = open_file(tmp_path)
    put(file, intake(1))
    server_id = file.server_id
    file.close()

    def full(*_: object, **__: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("homeiq_server.history.spool.connection.connect", full)
        file = open_file(tmp_path)
        assert (file.server_id, file.totals.lines.queued, file.totals.imbalances()) == (server_id, 3, [])
        with pytest.raises(RetryLater, match="cannot be opened"):
            put(file, intake(2))
        with pytest.raises(RetryLater, match="cannot be opened"):
            file.upkeep()

    put(file, intake(2))
    assert file.totals.lines.spooled == 6
    file.close()
