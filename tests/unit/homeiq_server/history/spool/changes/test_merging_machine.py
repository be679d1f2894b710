"""The machine of ``test_machine.py``, with rows that are merged while they wait: nobody notices."""

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import override

from hypothesis import settings
from hypothesis.stateful import rule

from homeiq_server.history.spool.changes.merging import Effort, Merger
from homeiq_server.history.spool.channels import OWN
from homeiq_server.history.spool.rows import Row
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.history.spool.totals import WhenFull
from tests.unit.homeiq_server.history.spool.spool_model import Waiting
from tests.unit.homeiq_server.history.spool.test_machine import Asked, Killed, SpoolMachine, asked, lines_of

LITTLE = Effort(every=2, window=8, growth=2)


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge as a change, so that the model is told what else the commit did."""

    merger: Merger

    def make(self, tables: Tables, _: Group) -> None:
        self.merger.step(tables, tables.queue.newest_id)


class MergingMachine(SpoolMachine):
    """Its writer begins anew when the spool does, so nobody holds rows of another process."""

    @override
    def open(self, how: tuple[int, WhenFull]) -> None:
        super().open(how)
        self.in_flight = []
        self.file._merger = Merger(LITTLE)

    @override
    def rows(self) -> list[Row]:
        """Look at all rows without being given them."""
        return self.file.read(lambda tables: tables.queue.take(0, max_lines=10**9, max_bytes=10**9))

    @rule()
    def merge(self) -> None:
        self.commit()  # drops what a smaller limit has no room for, and tells of it
        self.commit()
        before, newest = self.rows(), self.file.totals.newest_row_id
        while self.file._merger.is_due(self.file.totals.newest_row_id):
            self.commit(Merge(self.file._merger))
        after = [row for row in self.rows() if row.id <= newest]
        assert in_order(after) == in_order(before)
        assert {row.id for row in after} <= {row.id for row in before}
        assert [row for row in after if row.channel == OWN] == [row for row in before if row.channel == OWN]
        assert {row.id for row in self.in_flight} & {row.id for row in before} <= {row.id for row in after}

    @rule(one=asked)
    def gather(self, one: Asked) -> None:
        """Let so much wait that there is something to merge, and so much more that merged rows have to go."""
        self.fill((*one[:3], 1, 1))
        self.merge()
        self.fill(one)

    @rule()
    def kill_in_a_merge(self) -> None:
        folder = Path(self.folders.name) / str(int(self.folder.name) + 1)

        def end(tables: Tables) -> None:
            with tables.transaction(self.clock.now_us):
                self.file._merger.step(tables, tables.queue.newest_id)
                shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*-shm"))
                raise Killed

        try:
            self.file.read(end)
        except Killed:
            self.file.close()
        self.folder = folder
        self.open(self.how)


def in_order(rows: list[Row]) -> dict[tuple[str, str | None], list[Waiting]]:
    lines: dict[tuple[str, str | None], list[Waiting]] = defaultdict(list)
    for row in rows:
        lines[row.channel, row.source] += lines_of([row])
    return lines


MergingMachine.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=40, stateful_step_count=25)
TestMerging = MergingMachine.TestCase
