"""A spool as a kill leaves it, with some of everything in it, and ways to damage it."""

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import DeadLetter, Settled
from homeiq_server.history.spool.totals import LineTotals, Totals
from homeiq_server.model import Gap, Intake, Lines, Position, Receipt
from tests.unit.homeiq_server.history.spool.spool_builders import (
    SECOND_US,
    Clock,
    intake,
    make,
    open_file,
    put,
    take,
    tally,
)

PAGE = 4096
ROWS = 400
LINES_A_ROW = 20
DEAD = 3
WRITTEN = 2 * LINES_A_ROW

type Damage = Callable[[Path], object]


def body(number: int) -> bytes:
    """Lines that hardly compress: some rows share a page, some fill one, some need more."""
    chance = random.Random(number)  # noqa: S311 - no secret
    size = (10, 130, 400)[number % 3]
    return b"\n".join(f'm,row={number} v="{chance.randbytes(size).hex()}" {n}'.encode() for n in range(LINES_A_ROW))


def numbered(number: int, *, stream: str = "s") -> Put:
    lines = Lines(body(number), LINES_A_ROW)
    position = Position(
        source="home",
        stream=stream,
        seq=number,
        started_us=10 if number == 1 else None,
        gaps=(Gap(3, 5, 7),) if number == 1 else (),
    )
    return Put(
        Intake(
            channel="events",
            tally=tally(converted=LINES_A_ROW),
            lines=lines,
            position=position,
            last_us=number * 1_000,
            labels={f"light.l{number}": b'{"area":"Hall"}'},
        ),
        "influx",
    )


def build(folder: Path) -> None:
    """Leave a spool in two states, ``killed`` and ``closed``: 402 rows, of which the first two have been settled.

    Of the killed one the second half of the rows is still in the journal; the sidecar is of the last commit.
    """
    clock = Clock()
    live = folder / "live"
    file = open_file(live, clock=clock)
    for number in range(1, ROWS + 3):
        clock.now_us += SECOND_US
        make(file, numbered(number))
        if number == ROWS // 2:
            _settle_two(file)
            file.close()
            file = open_file(live, clock=clock)
            file.read(lambda tables: tables.db.execute("PRAGMA wal_autocheckpoint = 0").fetchall())
    take(file)  # so that the rows stay apart
    file._notebook._next_s = 0
    file.upkeep()
    shutil.copytree(live, folder / "killed")
    file.close()
    shutil.copytree(live, folder / "closed")


def _settle_two(file: SpoolFile) -> None:
    written, other, *_ = (row for row in file.take(after=0, max_lines=10**9, max_bytes=10**9) if row.channel != "own")
    letters = tuple(DeadLetter(line=b"m v=%d 1" % n, count=1, code=400, reason="no", target="db") for n in range(DEAD))
    make(
        file,
        Settle(
            (
                Settled(row_id=written.id, written=LINES_A_ROW),
                Settled(row_id=other.id, written=LINES_A_ROW - DEAD, dead=letters),
            )
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """What was left of a spool when its salvage was over.

    Attributes:
        rows: The numbers of the rows that were found.
        unreadable: Rows that only their reader found to be damaged, and settled as such.
        own: Lines of the server's own points.
    """

    rows: set[int]
    unreadable: int
    own: int
    totals: Totals
    server_id: str


def survive(folder: Path) -> Survivor:
    """Open a damaged spool, have it take a line at once, and let it salvage what it can; the laws hold throughout."""
    file = open_file(folder)
    assert put(file, intake(1, stream="anew", count=1)) == Receipt()
    while file.upkeep() == 0:
        assert file.audit() == []
    rows, unreadable = _read(file)
    assert file.audit() == []
    own = sum(row.count for row in take(file, channel="own"))
    survivor = Survivor(rows=rows, unreadable=unreadable, own=own, totals=file.totals, server_id=file.server_id)
    file.close()
    assert open_and_audit(folder) == survivor.totals.lines
    return survivor


def open_and_audit(folder: Path) -> LineTotals:
    file = open_file(folder)
    lines = file.totals.lines
    assert file.audit() == []
    file.close()
    return lines


def _read(file: SpoolFile) -> tuple[set[int], int]:
    """Read all rows as the writer does: what cannot be read is dropped for damage."""
    take(file)
    while file.upkeep() == 0:  # when only this read has met the damage
        assert file.audit() == []
    rows = take(file, channel="events")
    found: set[int] = set()
    damaged: list[Settled] = []
    for row in rows:
        try:
            found |= {int(number) for number in re.findall(rb"row=(\d+)", row.body())}
        except Rejected:
            damaged.append(Settled(row_id=row.id, written=0, dropped={"damage": row.count}))
    make(file, Settle(tuple(damaged)))
    return found, len(damaged)


def overwrite(path: Path, at: int, raw: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(raw)


def flip(path: Path, at: int) -> None:
    raw = path.read_bytes()
    overwrite(path, at, bytes([raw[at] ^ 0x10]))
