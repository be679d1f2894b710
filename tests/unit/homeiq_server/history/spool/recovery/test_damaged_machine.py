"""The machine of ``test_machine.py``, with a page of the file that is zeroed now and then between two runs.

``test_damage_machine.py`` has every other kind of damage, with fewer kinds of requests.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.changes.complete_gap import uncovered
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.channels import LIVE, OWN
from homeiq_server.history.spool.rows import Row, Settled
from homeiq_server.history.spool.tables.dead_query import DeadQuery
from homeiq_server.history.spool.tables.tables import Tables
from tests.unit.homeiq_server.history.spool.recovery.damaged_spools import PAGE, overwrite
from tests.unit.homeiq_server.history.spool.spool_model import Source, Stretches, Waiting, waiting
from tests.unit.homeiq_server.history.spool.test_machine import EVER, SpoolMachine, lines_of


def zero_a_page(path: Path, place: float) -> None:
    overwrite(path, int(place * path.stat().st_size) // PAGE * PAGE, bytes(PAGE))


class DamagedMachine(SpoolMachine):
    """After a damage the model learns from the spool what is left, once it is proved that the rest was counted."""

    @rule(place=st.floats(0, 1, exclude_max=True))
    def damage(self, place: float) -> None:
        self.clock.now_us += 1_000_000
        self.file.close()
        zero_a_page(self.folder / "spool.sqlite", place)
        self.open(self.how)
        self.file.read(meet_all_damage)
        self.salvage()
        self.give_up_unreadable_rows()
        self.check_the_loss()
        self.learn()

    def salvage(self) -> None:
        while self.file.upkeep() == 0:
            assert self.file.audit() == []

    def give_up_unreadable_rows(self) -> None:
        damaged = [row for row in self.rows() if not is_readable(row)]
        results = [Settled(row_id=row.id, written=0, dropped={"damage": row.count}) for row in damaged]
        assert self.file.commit([Settle(tuple(results))]) == [None]

    def check_the_loss(self) -> None:
        """No line comes twice, none is lost uncounted, and live ones are in a gap."""
        model, lines = self.model, self.file.totals.lines
        known = Counter((*model.queued, *model.dead))
        found = Counter((*lines_of(self.rows()), *self.dead()))
        new = list((found - known).elements())
        lost = list((known - found).elements())
        assert all(line.channel == OWN for line in new)
        assert lines.written == model.lines["written"]
        assert lines.spooled == model.lines["spooled"] + len(new)
        assert sum(lines.dropped.values()) == model.lines["dropped"] + len(lost)
        # What a source has sent is known by its beginning and its end, which a clock that is set back mixes up.
        if not self.was_set_back:
            self.check_that_gaps_are_open(lost)

    def check_that_gaps_are_open(self, lost: Sequence[Waiting]) -> None:
        for line in lost:
            if line.channel == LIVE and line in self.model.queued:
                missing = self.file.read(lambda tables, name=line.source: uncovered(tables, name, *EVER))  # type: ignore[misc]
                stretches = Stretches((part.start_us, part.end_us) for part in missing)
                assert stretches.holds(line.time_us, line.time_us + 1)

    def dead(self) -> list[Waiting]:
        letters = self.file.read(lambda tables: list(tables.dead.read(DeadQuery())))
        return [
            line for letter in letters for line in waiting(letter.origin.channel, letter.origin.source, letter.line)
        ]

    def learn(self) -> None:
        totals = self.file.totals
        channels = [channel for name, channel in totals.intake.items() if name != OWN]
        self.in_flight = []
        self.model.queued = lines_of(self.rows())
        self.model.dead = self.dead()
        self.model.lines = Counter(
            spooled=totals.lines.spooled,
            written=totals.lines.written,
            dropped=sum(totals.lines.dropped.values()),
            missed=totals.missed,
        )
        self.model.items = Counter(
            received=sum(channel.received for channel in channels),
            duplicate=sum(channel.duplicate for channel in channels),
        )
        self.file.read(self.learn_sources)

    def learn_sources(self, tables: Tables) -> None:
        self.model.seqs = Counter(
            {
                (source, stream): seq
                for source, stream, seq in tables.db.execute("SELECT source, stream, seq FROM streams")
            }
        )
        self.model.sources = {}
        for name, covered_us, whole_us in tables.db.execute("SELECT source, covered_us, whole_us FROM sources"):
            gaps = [gap for gap in tables.gaps.open_of(name) if gap.reason != "dropped"]
            noted = Stretches((gap.start_us, gap.end_us) for gap in gaps)
            self.model.sources[name] = Source(whole_us=whole_us, covered_us=covered_us, noted=noted)


def meet_all_damage(tables: Tables) -> None:
    """Fail as SQLite does when a page is met that is damaged; it would be met sooner or later."""
    if tables.db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def is_readable(row: Row) -> bool:
    try:
        row.body()
    except Rejected:
        return False
    return True


DamagedMachine.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=30, stateful_step_count=25)
TestDamagedSpool = DamagedMachine.TestCase
