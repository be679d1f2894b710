"""All tables of one connection, and the transaction that changes them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from .batches import Batch, merge
from .counters import GAPS, LINES, Counters, Key
from .labels import EntityLabels
from .queue_table import DeadLetters, Queue
from .sources import Gaps, Sources, Streams
from .totals import LineTotals, Totals

_FORGET_EVERY_US: Final = 3600 * 1_000_000
_SERVER_ID = "SELECT value FROM meta WHERE key = 'server_id'"


@dataclass(slots=True)
class Group:
    """What one transaction gathers before its end: the lines to queue and the counts to add."""

    now_us: int
    batches: list[Batch] = field(default_factory=list)
    counts: Counter[Key] = field(default_factory=Counter)


class Tables:
    """The spool's tables. Their sums in memory are right whenever no transaction is open.

    After a sqlite3.Error they are not: throw the object away with its connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.counters = Counters(db)
        self.queue = Queue(db)
        self.dead = DeadLetters(db)
        self.streams = Streams(db)
        self.sources = Sources(db)
        self.gaps = Gaps(db)
        self.labels = EntityLabels(db)
        self.server_id = str(db.execute(_SERVER_ID).fetchone()[0])
        self._forget_at_us = 0

    @contextmanager
    def transaction(self, now_us: int) -> Iterator[Group]:
        """Commit what the block did and what its group gathered; nothing of it when the block fails."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield (group := Group(now_us))
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
            group.counts[LINES, "spooled", ""] += batch.lines.count
        group.counts[LINES, "dropped", "dead_letters_full"] += self.dead.trim()
        self.counters.add(group.counts)
        if group.now_us >= self._forget_at_us:
            self._forget_at_us = group.now_us + _FORGET_EVERY_US
            self.streams.forget(group.now_us)
            self.sources.forget()
            self.labels.forget()
        self.queue.refresh()

    def totals(self, *, limit_bytes: int, commit_s: tuple[float, ...] = ()) -> Totals:
        """Return all numbers, as of the last commit."""
        return Totals(
            intake=self.counters.intake(),
            lines=LineTotals(
                spooled=self.counters.total(LINES, "spooled"),
                written=self.counters.total(LINES, "written"),
                queued=self.queue.lines,
                dead=self.dead.lines,
                dropped=self.counters.by_reason(LINES, "dropped"),
            ),
            missed=self.counters.total(GAPS, "missed"),
            queued_bytes=self.queue.stored_bytes,
            limit_bytes=limit_bytes,
            dead_bytes=self.dead.stored_bytes,
            newest_row_id=self.queue.newest_id,
            oldest_accepted_us=self.queue.oldest_accepted_us(),
            open_gaps=self.gaps.count_open(),
            newest_gaps=self.gaps.newest(),
            sources=self.sources.newest(),
            commit_s=commit_s,
        )
