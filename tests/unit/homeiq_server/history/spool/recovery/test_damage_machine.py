"""Whatever is killed and damaged between whatever is asked: both laws hold after each step, and no loss is hidden."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import override

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.rows import Row, Settled
from homeiq_server.model import Intake, Lines, Position, Receipt
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import LINES_A_ROW, PAGE, body, flip, overwrite
from tests.unit.homeiq_server.history.spool.spool_builders import Clock, make, open_file, take, tally

NAME = "spool.sqlite"
anywhere = st.floats(0, 1, exclude_max=True)


class DamageMachine(RuleBasedStateMachine):
    """One source sends; every line is unlike all others, so that each can be looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.root = tempfile.TemporaryDirectory(prefix="damage")
        self.folder = Path(self.root.name) / "0"
        self.clock = Clock()
        self.accepted: set[bytes] = set()
        self.settled: set[bytes] = set()
        self.seq = self.turn = 0
        self.stream = "0"
        self.is_exact = True
        self.file = open_file(self.folder, clock=self.clock)

    @rule(count=st.integers(1, 12))
    def put(self, count: int) -> None:
        for _ in range(count):
            self.clock.now_us += 1_000
            self.seq += 1
            self.turn += 1
            request = Intake(
                channel="events",
                tally=tally(converted=LINES_A_ROW),
                lines=Lines(body(self.turn), LINES_A_ROW),
                position=Position(source="home", stream=self.stream, seq=self.seq),
                last_us=self.clock.now_us,
            )
            (outcome,) = self.file.commit([Put(request, "influx")])
            if outcome == Receipt():
                self.accepted |= set(request.lines.body.split(b"\n"))
            else:  # what is known of the stream was lost: its sender begins a new one
                self.stream, self.seq = str(self.turn), 0

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        rows = [row for row in take(self.file) if data.draw(st.booleans())]
        make(self.file, Settle(tuple(map(written, rows))))
        self.settled |= lines_of(rows)

    @rule(steps=st.integers(1, 3))
    def keep_up(self, steps: int) -> None:
        for _ in range(steps):
            self.file.upkeep()

    @rule()
    def restart(self) -> None:
        self.file.close()
        self.file = open_file(self.folder, clock=self.clock)

    @rule()
    def kill(self) -> None:
        self.kill_before()
        self.file = open_file(self.folder, clock=self.clock)

    @precondition(lambda self: not self.is_salvaging())
    @rule(place=anywhere, is_killed=st.booleans())
    def zero_a_page(self, place: float, *, is_killed: bool) -> None:
        self.end(is_killed=is_killed)
        size = (self.folder / NAME).stat().st_size
        overwrite(self.folder / NAME, int(place * size) // PAGE * PAGE, bytes(PAGE))
        self.file = open_file(self.folder, clock=self.clock)

    @precondition(lambda self: not self.is_salvaging())
    @rule(place=anywhere, part=st.sampled_from(["", "-wal"]))
    def flip_a_bit(self, place: float, part: str) -> None:
        self.kill_before()
        path = self.folder / (NAME + part)
        if path.exists() and (size := path.stat().st_size):
            flip(path, int(place * size))
            # The page as it was before brings rows back that had been settled: as many as are lost may be found.
            self.is_exact = self.is_exact and not part
        self.file = open_file(self.folder, clock=self.clock)

    @precondition(lambda self: not self.is_salvaging())
    @rule(place=anywhere, part=st.sampled_from(["", "-wal"]))
    def cut(self, place: float, part: str) -> None:
        self.kill_before()
        path = self.folder / (NAME + part)
        if path.exists():
            os.truncate(path, int(place * path.stat().st_size))
        self.file = open_file(self.folder, clock=self.clock)

    @precondition(lambda self: not self.is_salvaging())
    @rule(part=st.sampled_from(["", "-wal", "-shm", ".lock"]))
    def delete(self, part: str) -> None:
        self.kill_before()
        (self.folder / (NAME + part)).unlink(missing_ok=True)
        self.file = open_file(self.folder, clock=self.clock)

    def is_salvaging(self) -> bool:
        salvage = self.file.totals.salvage
        return salvage is not None and salvage.is_running

    def end(self, *, is_killed: bool) -> None:
        if is_killed:
            self.kill_before()
        else:
            self.file.close()

    def kill_before(self) -> None:
        """Leave the files as they are at this moment, the sidecar up to date."""
        self.file._notebook._next_s = 0
        self.file.upkeep()
        self.turn += 1
        folder = Path(self.root.name) / str(self.turn)
        shutil.copytree(self.folder, folder)
        self.file.close()
        shutil.rmtree(self.folder)
        self.folder = folder

    @invariant()
    def both_laws_hold(self) -> None:
        assert self.file.audit() == []

    @invariant()
    def what_is_queued_was_accepted_and_what_is_missing_is_counted(self) -> None:
        take(self.file)  # may meet damage, and so change what is there
        rows = [row for row in take(self.file) if row.channel == "events"]
        queued = lines_of(rows)
        assert queued <= self.accepted
        missing = self.accepted - self.settled - queued
        salvage = self.file.totals.salvage
        unreadable = sum(row.count for row in rows if not lines_of([row]))
        known = unreadable + self.file.totals.lines.dropped.get("damage", 0) + (salvage.left if salvage else 0)
        assert not self.is_exact or len(missing) <= known

    @override
    def teardown(self) -> None:
        self.file.close()
        self.root.cleanup()


def written(row: Row) -> Settled:
    """Settle a row as the writer does: one that it cannot read is dropped for damage."""
    if not lines_of([row]):
        return Settled(row_id=row.id, written=0, dropped={"damage": row.count})
    return Settled(row_id=row.id, written=row.count)


def lines_of(rows: Sequence[Row]) -> set[bytes]:
    found: set[bytes] = set()
    for row in rows:
        with suppress(Rejected):
            found |= set(row.body().split(b"\n"))
    return found


DamageMachine.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=60, stateful_step_count=20)
TestDamage = DamageMachine.TestCase
