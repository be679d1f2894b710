"""All tables of one connection, and the transaction that changes them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from homeiq_server.history.spool.totals import LineTotals, Totals

from .batches import merge
from .counters import GAPS, LINES, Counters
from .dead_letters import DeadLetters
from .gaps import Gaps
from .group import Bounds, Group
from .labels import EntityLabels
from .overflow import Overflow
from .own import tell
from .queue import Queue
from .salvage_notes import SalvageNotes
from .sources import Sources, Streams
from .space import Space

_FORGET_EVERY_US: Final = 3600 * 1_000_000
_SERVER_ID = "SELECT value FROM meta WHERE key = 'server_id'"


class Tables:
    """The spool's tables. Their sums in memory are right whenever no transaction is open.

    After a sqlite3.Error they are not: throw the object away with its connection.
    """

    def __init__(self, db: sqlite3.Connection, bounds: Bounds) -> None:
        self.db = db
        self.bounds = bounds
        self.counters = Counters(db)
        self.queue = Queue(db)
        self.dead = DeadLetters(db)
        self.streams = Streams(db)
        self.sources = Sources(db)
        self.gaps = Gaps(db)
        self.labels = EntityLabels(db)
        self.space = Space(db, self.queue, self.dead)
        self.overflow = Overflow(db, self.queue, self.space)
        self.salvage = SalvageNotes.load(db)
        self.server_id = str(db.execute(_SERVER_ID).fetchone()[0])
        self._forget_at_us = 0

    @contextmanager
    def transaction(self, now_us: int) -> Iterator[Group]:
        """Commit what the block did and what its group gathered; nothing of it when the block fails."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield (group := Group(now_us, self.space.used_bytes()))
            self._end(group)
            self.db.execute("COMMIT")
        except BaseException:
            # SQLite itself has already rolled back after some errors, a full disk among them.
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    @contextmanager
    def part(self) -> Iterator[None]:
        """Undo what the block did, and only that, when it fails."""
        self.db.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK TO part")
            raise
        finally:
            if self.db.in_transaction:
                self.db.execute("RELEASE part")

    def _end(self, group: Group) -> None:
        for batch in merge(group.batches):
            self.queue.add(batch, group.now_us)
            self.overflow.make_room(group, self.bounds)
        self.overflow.make_room(group, self.bounds)
        self.overflow.finish(group, self.bounds)
        if group.gaps:
            own = tell(group, self.bounds.limit_bytes - self.space.used_bytes())
            if own is not None:
                self.queue.add(own, group.now_us)
        group.counts[LINES, "dropped", "dead_letters_full"] += self.dead.trim()
        self.counters.add(group.counts)
        self._forget(group.now_us)
        self.queue.refresh()

    def _forget(self, now_us: int) -> None:
        """Delete once an hour what is over its bounds.

        After a start, and after the clock has jumped, those that are in use get an hour to say so, before
        anything is found too old.
        """
        hours_late = (now_us - self._forget_at_us) / _FORGET_EVERY_US
        is_even = -1 <= hours_late <= 1
        if is_even and hours_late < 0:
            return
        self._forget_at_us = now_us + _FORGET_EVERY_US
        self.streams.forget(now_us, is_even=is_even)
        self.sources.forget(now_us)
        self.labels.forget(now_us)
        self.gaps.forget(now_us, is_even=is_even)

    def totals(self, *, commit_s: tuple[float, ...] = ()) -> Totals:
        """Return all numbers, as of the last commit."""
        return Totals(
            intake=self.counters.intake(),
            lines=LineTotals(
                spooled=self.counters.total(LINES, "spooled"),
                written=self.counters.total(LINES, "written"),
                queued=self.queue.lines + self.salvage.unsalvaged,
                dead=self.dead.lines,
                dropped=self.counters.by_reason(LINES, "dropped"),
            ),
            missed=self.counters.total(GAPS, "missed"),
            queued_bytes=self.space.used_bytes(),
            limit_bytes=self.bounds.limit_bytes,
            when_full=self.bounds.when_full,
            dropping_since_us=self.overflow.since_us,
            dead_bytes=self.dead.stored_bytes,
            newest_row_id=self.queue.newest_id,
            oldest_accepted_us=self.queue.oldest_accepted_us(),
            open_gaps=self.gaps.count_open(),
            newest_gaps=self.gaps.newest(),
            sources=self.sources.newest(),
            commit_s=commit_s,
        )
