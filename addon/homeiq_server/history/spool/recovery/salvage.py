"""Carries the rows of a damaged copy over into the new file, a few pages in each transaction.

How far it has come is part of the same transaction: killed at any instant, it goes on where it was, and no row comes
twice. Rows get new ids, above all that the damaged file ever gave away, so that the writer comes to them and no result
that it still holds meets a wrong row.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.changes.damage_gap import DAMAGE, open_gap
from homeiq_server.history.spool.rows import DeadLetter, Row
from homeiq_server.history.spool.tables.batches import Batch
from homeiq_server.history.spool.tables.counters import LINES
from homeiq_server.history.spool.tables.dead_letters import Origin
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.salvage_notes import Copy
from homeiq_server.history.spool.tables.shape import Shape
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.model import Lines

from .adoption import carve

_MAX_PAGES: Final = 64  # in one step
_MAX_BYTES: Final = 1024 * 1024  # of lines in one step, about


class Salvage:
    """One copy that is being salvaged."""

    def __init__(self, tables: Tables, path: Path) -> None:
        """Open the copy; a missing one has nothing to salvage."""
        self.name: Final = path.name
        self._carver = carve(tables.db, path)
        shapes = [Shape.of(tables.db, table) for table in _CARRY]
        self._pages = [(shape, self._carver.pages(shape.table)) for shape in shapes]
        self._count = sum(len(pages) for _, pages in self._pages)

    def close(self) -> None:
        """Close the copy."""
        self._carver.close()

    def step(self, tables: Tables, group: Group, copy: Copy) -> None:
        """Carry a few pages over, and end the salvage with the last ones."""
        position, carried_bytes = copy.position or 0, 0
        last = min(self._count, position + _MAX_PAGES)
        while position < last and carried_bytes < _MAX_BYTES:
            shape, page = self._page(position)
            for found in self._carver.rows(page):
                if found is not None and (row := shape.fit(*found)) is not None:
                    carried_bytes += self._carry(tables, group, shape, row)
            position += 1
        copy.position = position if position < self._count else None
        if tables.salvage.next_copy() is None:
            _end(tables, group)
        tables.salvage.save(tables.db)

    def _page(self, position: int) -> tuple[Shape, int]:
        for shape, pages in self._pages:
            if position < len(pages):
                return shape, pages[position]
            position -= len(pages)
        raise IndexError(position)

    def _carry(self, tables: Tables, group: Group, shape: Shape, row: dict[str, Any]) -> int:
        """Carry one row over, unless it is damaged; return how many bytes of lines it holds."""
        try:
            with tables.part():
                lines, size = _CARRY[shape.table](tables, shape, row)
        except Rejected, KeyError, sqlite3.IntegrityError, sqlite3.DataError:
            return 0
        if lines:
            row_id = row["id"] if shape.table == "queue" else 0
            group.counts[LINES, "spooled", ""] += tables.salvage.account(lines, row_id)
        return size


def _carry_queued(tables: Tables, _: Shape, row: dict[str, Any]) -> tuple[int, int]:
    stored = Row(
        id=row["id"],
        accepted_us=row["accepted_us"],
        channel=row["channel"],
        source=row["source"],
        precision=row["precision"],
        form=row["form"],
        count=row["count"],
        raw_bytes=row["raw_bytes"],
        newest_us=row["newest_us"],
        packed=row["body"],
    )
    body = stored.body()
    lines = Lines(body, body.count(b"\n") + 1, stored.precision)
    batch = Batch(
        channel=stored.channel,
        source=stored.source,
        form=stored.form,
        lines=lines,
        since_us=row["since_us"],
        newest_us=stored.newest_us,
    )
    tables.queue.add(batch, stored.accepted_us)
    span = None if stored.source is None else tables.salvage.spans.get(stored.source)
    if span and batch.since_us is not None and batch.newest_us is not None:
        span.cover(batch.since_us, batch.newest_us)
    return lines.count, len(body)


def _carry_dead(tables: Tables, _: Shape, row: dict[str, Any]) -> tuple[int, int]:
    letter = DeadLetter(
        line=row["line"], count=row["count"], code=row["code"], reason=row["reason"], target=row["target"]
    )
    origin = Origin(row["accepted_us"], row["channel"], row["source"], row["precision"], row["form"])
    tables.dead.count(letter.count, tables.dead.bury(letter, origin, row["died_us"]))
    return letter.count, len(letter.line)


def _carry_label(tables: Tables, shape: Shape, row: dict[str, Any]) -> tuple[int, int]:
    shape.insert(tables.db, row)
    return 0, len(row["json"])


_CARRY: Final = {"queue": _carry_queued, "dead": _carry_dead, "labels": _carry_label}


def _end(tables: Tables, group: Group) -> None:
    """Count what was not found as dropped, and open a gap for each source that may have lost some of it."""
    notes = tables.salvage
    notes.lost, notes.unsalvaged = notes.unsalvaged, 0
    group.counts[LINES, "dropped", DAMAGE] += notes.lost
    for source, span in notes.spans.items():
        if notes.lost and (stretch := span.close()):
            open_gap(tables, group, source, *stretch)
    notes.spans = {}
