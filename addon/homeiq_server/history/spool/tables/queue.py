"""The table of rows that wait."""

import sqlite3
from collections.abc import Iterator
from itertools import starmap
from typing import Any, Final, NamedTuple

from homeiq_server.history.spool.rows import Row

from .batches import Batch, Packer
from .dead_letters import Origin
from .shape import Misread

_MAX_ID: Final = 2**63 - 1

# What SQLite and the columns beside the body take of the disk, about: 128 bytes a row.
_SUM_QUEUE = "SELECT ifnull(sum(count), 0), ifnull(sum(length(body) + 128), 0), ifnull(max(id), 0) FROM queue"

_ADD = """
    INSERT INTO queue (id, accepted_us, channel, source, precision, form, count, raw_bytes, since_us, newest_us, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      RETURNING length(body) + 128
"""

_TAKE = """
      SELECT id, accepted_us, channel, source, precision, form, count, raw_bytes, newest_us, body
        FROM queue
       WHERE id > ? AND id <= ?
    ORDER BY id
"""

_REMOVE = """
    DELETE FROM queue
          WHERE id = ?
      RETURNING accepted_us, channel, source, precision, form, count, length(body) + 128, since_us, newest_us
"""

_READ = """
    SELECT id, accepted_us, channel, source, precision, form, count, raw_bytes, newest_us, body
      FROM queue
     WHERE id = ?
"""

_KINDS: Final = (int, int, str, str | None, str, str, int, int, int | None, bytes)  # of the columns that are taken

_OLDEST = """
      SELECT id, accepted_us, channel, source, count, since_us, newest_us
        FROM queue
       WHERE channel <> 'own'
    ORDER BY id
       LIMIT ?
"""

_OLDEST_ACCEPTED = "SELECT accepted_us FROM queue ORDER BY id LIMIT 1"
_NEWEST_ID = "SELECT ifnull(max(id), 0) FROM queue"


class Removed(NamedTuple):
    """What is left to know of a row that has left the queue."""

    origin: Origin
    lines: int
    stored_bytes: int
    since_us: int | None
    newest_us: int | None


class Oldest(NamedTuple):
    """What must be known of a row before it is dropped."""

    id: int
    accepted_us: int
    channel: str
    source: str | None
    lines: int
    since_us: int | None
    newest_us: int | None


class Queue:
    """Rows that wait. ``lines`` and ``stored_bytes`` equal the table's sums whenever no transaction is open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._packer = Packer()
        self.lines: int
        self.stored_bytes: int
        self.newest_id: int
        self.lines, self.stored_bytes, self.newest_id = db.execute(_SUM_QUEUE).fetchone()

    def add(self, batch: Batch, accepted_us: int) -> None:
        """Store a batch as the newest row, and count it."""
        self.count(batch.lines.count, self.insert(batch, accepted_us))

    def insert(self, batch: Batch, accepted_us: int, *, row_id: int | None = None) -> int:
        """Store a batch as the newest row, and return the bytes it takes; the caller counts it when all is well.

        With ``row_id`` it takes the place of a row that was removed.
        """
        lines = batch.lines
        values = (
            row_id,
            accepted_us,
            batch.channel,
            batch.source,
            lines.precision,
            batch.form,
            lines.count,
            len(lines.body),
            batch.since_us,
            batch.newest_us,
            self._packer.pack(lines.body),
        )
        (stored_bytes,) = self._db.execute(_ADD, values).fetchone()
        return int(stored_bytes)

    def count(self, lines: int, stored_bytes: int) -> None:
        """Add stored rows to the sums."""
        self.lines += lines
        self.stored_bytes += stored_bytes

    def take(self, after: int, *, max_lines: int, max_bytes: int, up_to: int | None = None) -> list[Row]:
        """Return the rows with ``after < id <= up_to``; at least one when there is one, else within the limits."""
        rows: list[Row] = []
        for row in self._rows(after, _MAX_ID if up_to is None else up_to):
            max_lines -= row.count
            max_bytes -= row.raw_bytes
            if rows and (max_lines < 0 or max_bytes < 0):
                break
            rows.append(row)
        return rows

    def _rows(self, after: int, up_to: int) -> Iterator[Row]:
        cursor = self._db.execute(_TAKE, (after, up_to))
        try:
            yield from map(_row, cursor, strict=True)
        finally:
            cursor.close()  # an open one would keep the journal from being emptied

    def read(self, row_id: int) -> Row:
        """Return a row that is there."""
        return Row(*self._db.execute(_READ, (row_id,)).fetchone())

    def oldest(self, count: int) -> list[Oldest]:
        """Return the oldest rows that may be dropped, oldest first."""
        return list(starmap(Oldest, self._db.execute(_OLDEST, (count,))))

    def remove(self, row_id: int) -> Removed | None:
        """Delete a row; None when it is not there. The caller counts it with ``forget`` when all is well."""
        values = self._db.execute(_REMOVE, (row_id,)).fetchone()
        return None if values is None else Removed(Origin(*values[:5]), *values[5:])

    def forget(self, removed: Removed) -> None:
        """Take a removed row off the sums."""
        self.lines -= removed.lines
        self.stored_bytes -= removed.stored_bytes

    def refresh(self) -> None:
        """Ask for the newest id, which rows that came or went have changed."""
        (self.newest_id,) = self._db.execute(_NEWEST_ID).fetchone()

    def oldest_accepted_us(self) -> int | None:
        """Return when the row that waits longest was accepted."""
        row = self._db.execute(_OLDEST_ACCEPTED).fetchone()
        return None if row is None else int(row[0])


def _row(values: tuple[Any, ...]) -> Row:
    """Return the row, unless its values are not of the kinds that were stored: SQLite does not look when it reads."""
    if not all(map(isinstance, values, _KINDS, strict=True)):
        raise Misread("a row of the queue holds what no row can hold")
    return Row(*values)
