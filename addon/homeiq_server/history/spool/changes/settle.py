"""Rows leave the queue, each of their lines with a fate."""

from collections import Counter
from dataclasses import dataclass

from homeiq_server.history.spool.rows import Settled
from homeiq_server.history.spool.tables.counters import LINES, Key
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.queue import Removed
from homeiq_server.history.spool.tables.tables import Tables

from .damage_gap import DAMAGE, open_gap


@dataclass(frozen=True, slots=True)
class Settle:
    """Take rows out of the queue: written, dead and dropped lines are counted, dead ones kept.

    A row that is no longer there has been accounted for by whoever took it away, and is passed over.
    """

    results: tuple[Settled, ...]

    def make(self, tables: Tables, group: Group) -> None:
        """Do so, or raise ValueError when a result does not account for exactly the lines of its row."""
        counts: Counter[Key] = Counter()
        dead_lines = dead_bytes = 0
        gone: list[Removed] = []
        damaged: list[Removed] = []
        for result in self.results:
            if (row := tables.queue.remove(result.row_id)) is None:
                continue
            if row.lines != result.count():
                raise ValueError(f"row {result.row_id} holds {row.lines} lines, {result.count()} are settled")
            gone.append(row)
            if result.dropped.get(DAMAGE):
                damaged.append(row)
            counts[LINES, "written", ""] += result.written
            for reason, n in result.dropped.items():
                counts[LINES, "dropped", reason] += n
            for letter in result.dead:
                dead_bytes += tables.dead.bury(letter, row.origin, group.now_us)
                dead_lines += letter.count
        for row in damaged:
            if row.origin.source is not None and row.since_us is not None and row.newest_us is not None:
                open_gap(tables, group, row.origin.source, row.since_us, row.newest_us + 1)
        for row in gone:
            tables.queue.forget(row)
        tables.dead.count(dead_lines, dead_bytes)
        group.counts.update(counts)
