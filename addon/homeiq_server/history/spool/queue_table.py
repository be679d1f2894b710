"""The table of rows that wait, and the table of dead letters that some of their lines become."""

import sqlite3
from collections.abc import Iterator
from itertools import starmap
from typing import Final, NamedTuple

from .batches import Batch, Packer
from .rows import DeadLetter, Row

MAX_DEAD_BYTES: Final = 64 * 1024 * 1024
_MAX_REASON_CHARACTERS: Final = 1_000

# What SQLite and the columns beside the body take of the disk, about: 128 bytes a row.
_SUM_QUEUE = "SELECT ifnull(sum(count), 0), ifnull(sum(length(body) + 128), 0), ifnull(max(id), 0) FROM queue"
_SUM_DEAD = "SELECT ifnull(sum(count), 0), ifnull(sum(length(line) + 128), 0) FROM dead"

_ADD = """
    INSERT INTO queue (accepted_us, channel, source, precision, form, count, raw_bytes, since_us, newest_us, body)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      RETURNING id, length(body) + 128
"""

_TAKE = """
      SELECT id, accepted_us, channel, source, precision, form, count, raw_bytes, newest_us, body
        FROM queue
       WHERE id > ?
    ORDER BY id
"""

_REMOVE = """
    DELETE FROM queue
          WHERE id = ?
      RETURNING accepted_us, channel, source, precision, form, count, length(body) + 128
"""

_OLDEST = "SELECT accepted_us FROM queue ORDER BY id LIMIT 1"
_NEWEST_ID = "SELECT ifnull(max(id), 0) FROM queue"

_BURY = """
    INSERT INTO dead (died_us, accepted_us, channel, source, precision, form, count, code, reason, target, line)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      RETURNING length(line) + 128
"""

_FORGET_OLDEST = """
    DELETE FROM dead
          WHERE id = (SELECT min(id) FROM dead)
      RETURNING count, length(line) + 128
"""


class Removed(NamedTuple):
    """What is left to know of a row that has left the queue."""

    accepted_us: int
    channel: str
    source: str | None
    precision: str
    form: str
    lines: int
    stored_bytes: int


class Queue:
    """Rows that wait. ``lines`` and ``stored_bytes`` equal the table's sums whenever no transaction is open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._packer = Packer()
        self.lines, self.stored_bytes, self.newest_id = db.execute(_SUM_QUEUE).fetchone()

    def add(self, batch: Batch, accepted_us: int) -> None:
        """Store a batch as the newest row."""
        lines = batch.lines
        values = (
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
        self.newest_id, stored_bytes = self._db.execute(_ADD, values).fetchone()
        self.lines += lines.count
        self.stored_bytes += stored_bytes

    def take(self, *, after: int, max_lines: int, max_bytes: int) -> list[Row]:
        """Return the rows that follow ``after``; at least one when there is one, else within the limits."""
        rows: list[Row] = []
        for row in self._rows(after):
            max_lines -= row.count
            max_bytes -= row.raw_bytes
            if rows and (max_lines < 0 or max_bytes < 0):
                break
            rows.append(row)
        return rows

    def _rows(self, after: int) -> Iterator[Row]:
        cursor = self._db.execute(_TAKE, (after,))
        try:
            yield from starmap(Row, cursor)
        finally:
            cursor.close()  # an open one would keep the journal from being emptied

    def remove(self, row_id: int) -> Removed | None:
        """Delete a row; None when it is not there. The caller counts it with ``forget`` when all is well."""
        values = self._db.execute(_REMOVE, (row_id,)).fetchone()
        return None if values is None else Removed(*values)

    def forget(self, removed: Removed) -> None:
        """Take a removed row off the sums."""
        self.lines -= removed.lines
        self.stored_bytes -= removed.stored_bytes

    def refresh(self) -> None:
        """Ask for the newest id, which ``remove`` may have taken."""
        (self.newest_id,) = self._db.execute(_NEWEST_ID).fetchone()

    def oldest_accepted_us(self) -> int | None:
        """Return when the row that waits longest was accepted."""
        row = self._db.execute(_OLDEST).fetchone()
        return None if row is None else int(row[0])


class DeadLetters:
    """Lines that no database takes, at most 64 MiB of them: the oldest go first, counted as dropped."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.lines, self.stored_bytes = db.execute(_SUM_DEAD).fetchone()

    def bury(self, letter: DeadLetter, row: Removed, died_us: int) -> int:
        """Store a letter and return the bytes it takes; the caller counts it with ``count`` when all is well."""
        values = (
            died_us,
            *row[:5],
            letter.count,
            letter.code,
            letter.reason[:_MAX_REASON_CHARACTERS],
            letter.target,
            letter.line,
        )
        (stored_bytes,) = self._db.execute(_BURY, values).fetchone()
        return int(stored_bytes)

    def count(self, lines: int, stored_bytes: int) -> None:
        """Add buried letters to the sums."""
        self.lines += lines
        self.stored_bytes += stored_bytes

    def trim(self) -> int:
        """Delete the oldest letters until the rest are within the bound; return the lines that went."""
        dropped = 0
        while self.stored_bytes > MAX_DEAD_BYTES:
            lines, stored_bytes = self._db.execute(_FORGET_OLDEST).fetchone()
            self.count(-lines, -stored_bytes)
            dropped += lines
        return dropped
