"""A disk that is really full, and commits that fail: nothing acknowledged is lost, and all works again alone."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, override

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.room import Reserve
from homeiq_server.history.spool.rows import Settled
from homeiq_server.model import Receipt
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import LINES_A_ROW, numbered
from tests.unit.homeiq_server.history.spool.spool_builders import intake, make, open_file, put, take

MEBIBYTE = 1024 * 1024
DISK_BYTES = 24 * MEBIBYTE


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")


@pytest.fixture(params=["ext4", "tmpfs"])
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Yield a folder on a disk of 24 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk; the injected twins in test_room.py ran")
    folder, image = tmp_path / "disk", tmp_path / "image"
    folder.mkdir()
    try:
        if request.param == "ext4":
            image.touch()
            os.truncate(image, DISK_BYTES)
            _run("mkfs.ext4", "-q", "-F", "-m", "0", image)
            _run("mount", "-o", "loop", image, folder)
        else:
            _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder)
    except OSError as err:
        pytest.skip(f"no small disk of {request.param} can be mounted here: {err}")
    try:
        yield folder
    finally:
        _run("umount", "--lazy", folder)


def fill(folder: Path) -> Path:
    """Let somebody else take all that is free of the disk."""
    other = folder / "photographs"
    with suppress(OSError), other.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return other


def put_until_refused(file: SpoolFile) -> tuple[int, RetryLater]:
    """Put until there is no more room; return how many were acknowledged, and why no more were."""
    for number in range(1, 10_000):
        try:
            (outcome,) = file.commit([numbered(number)])
        except RetryLater as err:
            return number - 1, err
        if isinstance(outcome, RetryLater):
            return number - 1, outcome
        assert isinstance(outcome, Receipt), outcome
    raise AssertionError


def drain(file: SpoolFile) -> int:
    """Settle all rows, a few at a time; return how many lines they held."""
    lines = 0
    while rows := file.take(after=0, max_lines=50 * LINES_A_ROW, max_bytes=10**9):
        make(file, Settle(tuple(Settled(row_id=row.id, written=row.count) for row in rows)))
        lines += sum(row.count for row in rows)
    return lines


def test_above_the_floor_the_disk_is_never_filled(small_disk: Path) -> None:
    reserve = Reserve(ballast_bytes=2 * MEBIBYTE, floor_bytes=8 * MEBIBYTE)
    file = open_file(small_disk, reserve=reserve)
    file.upkeep()

    put_rows, refusal = put_until_refused(file)

    assert "must stay so" in str(refusal)
    assert put_rows > 100
    assert drain(file) == put_rows * LINES_A_ROW + 1
    while file.totals.shortage:
        file.upkeep()
    assert file.commit([numbered(put_rows + 1)]) == [Receipt()]
    assert file.audit() == []
    file.close()


def test_on_a_disk_that_is_full_in_spite_of_the_floor_the_queue_can_be_drained(small_disk: Path) -> None:
    reserve = Reserve(ballast_bytes=8 * MEBIBYTE, floor_bytes=0)
    file = open_file(small_disk, reserve=reserve)
    file.upkeep()
    ballast = small_disk / "spool.ballast"
    assert ballast.exists()

    put_rows, refusal = put_until_refused(file)

    assert "full" in str(refusal)
    assert not ballast.exists()
    assert drain(file) == put_rows * LINES_A_ROW + 1
    assert file.audit() == []
    for _ in range(50):
        file.upkeep()
    assert ballast.exists()
    assert file.commit([numbered(put_rows + 1)]) == [Receipt()]
    file.close()


def test_a_disk_that_others_fill_to_the_last_byte_costs_nothing(small_disk: Path) -> None:
    file = open_file(small_disk, reserve=Reserve(floor_bytes=0))
    file.upkeep()
    for number in range(1, 101):
        make(file, numbered(number))
    other = fill(small_disk)
    put_until_refused(file)

    lines = drain(file)
    other.unlink()
    file.upkeep()

    assert lines >= 100 * LINES_A_ROW
    assert file.totals.lines.spooled == lines
    assert put(file, intake(1, stream="anew")) == Receipt()
    file.close()


def test_a_server_starts_on_a_full_disk_and_recovers_alone(small_disk: Path) -> None:
    file = open_file(small_disk)
    put(file, intake(1))
    file.close()
    other = fill(small_disk)

    file = open_file(small_disk)
    assert file.totals.lines.queued == 3
    accepted, _ = put_until_refused(file)
    other.unlink()

    put(file, intake(2))
    assert file.totals.lines.spooled == 6 + accepted * LINES_A_ROW + bool(accepted)
    file.close()


# Files may not grow beyond a limit that is set while the spool is open: a real error of the disk, in any place.
_LIMITED = """
import json, resource, sys
from pathlib import Path
from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.room import Reserve
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import numbered

path = Path(sys.argv[1])
file = SpoolFile(path, limit_bytes=10**9, reserve=Reserve(ballast_bytes=0, floor_bytes=0))
acknowledged, refused = 0, []
def put(number):
    try:
        return file.commit([numbered(number)])[0]
    except RetryLater as err:
        refused.append(str(err))
for number in range(1, 21):
    put(number)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
size = max(each.stat().st_size for each in path.parent.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), hard))
last = 20
while not refused:
    last += 1
    put(last)
put(last)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
put(last)
print(json.dumps({"rows": last, "refused": refused, "faults": file.audit(),
                  "spooled": file.totals.lines.spooled}))
file.close()
"""


@pytest.mark.parametrize("more", [0, 5_000, 100_000])
def test_a_write_that_the_disk_refuses_fails_its_request_and_the_next_one_works(tmp_path: Path, more: int) -> None:
    command = [sys.executable, "-c", _LIMITED, str(tmp_path / "spool.sqlite"), str(more)]
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "PYTHONPATH": paths}
    )

    said = json.loads(done.stdout)

    assert said["faults"] == []
    assert "cannot write" in said["refused"][0]
    assert said["spooled"] == said["rows"] * LINES_A_ROW + 1
    file = open_file(tmp_path)
    assert len(take(file, channel="events")) == said["rows"]
    assert file.totals.salvage is None
    file.close()


class Failing(sqlite3.Connection):
    """Fails at the end of a commit, as a disk does that answers fsync with an error."""

    armed = False
    has_written = False

    @override
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if Failing.armed and sql == "COMMIT":
            Failing.armed = False
            super().execute("COMMIT" if Failing.has_written else "ROLLBACK")
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, parameters)


@pytest.mark.parametrize("has_written", [False, True], ids=["not on disk", "on disk all the same"])
def test_an_fsync_that_fails_fails_all_that_waited_and_the_file_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_written: object
) -> None:
    real = sqlite3.connect
    monkeypatch.setattr(
        "homeiq_server.history.spool.connection.sqlite3.connect",
        lambda *args, **more: real(*args, factory=Failing, **more),
    )
    monkeypatch.setattr(Failing, "has_written", bool(has_written))
    file = open_file(tmp_path)
    make(file, numbered(1))
    first = file.read(lambda tables: tables.db)

    monkeypatch.setattr(Failing, "armed", True)
    with pytest.raises(RetryLater, match="disk I/O error"):
        file.commit([numbered(2), numbered(3)])

    again = file.commit([numbered(2), numbered(3)])
    assert again == [Receipt(duplicate=bool(has_written))] * 2
    assert file.read(lambda tables: tables.db) is not first
    assert file.totals.lines.spooled == 3 * LINES_A_ROW + 1
    assert file.audit() == []
    assert list(tmp_path.glob("*damaged*")) == []
    file.close()
