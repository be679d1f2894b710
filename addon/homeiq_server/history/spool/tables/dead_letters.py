"""The table of dead letters: lines that no database takes, kept for a person to look at."""

import json
import sqlite3
from collections.abc import Iterator
from itertools import starmap
from typing import Final, NamedTuple

from homeiq_server.history.line_protocol import INFLUX, VICTORIA
from homeiq_server.history.spool.rows import DeadLetter

from .dead_query import MAX_LISTED, SHOWN_BYTES, DeadQuery, StoredLetter, Which

MAX_DEAD_BYTES: Final = 64 * 1024 * 1024
_MAX_REASON_CHARACTERS: Final = 1_000

# What SQLite and the columns beside the texts take of the disk, about: 128 bytes a row.
_SUM = "SELECT ifnull(sum(count), 0), ifnull(sum(length(line) + length(reason) + 128), 0) FROM dead"

_BURY = """
    INSERT INTO dead (died_us, accepted_us, channel, source, precision, form, count, code, reason, target, line)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      RETURNING length(line) + length(reason) + 128
"""

_FORGET_OLDEST = """
    DELETE FROM dead
          WHERE id = (SELECT min(id) FROM dead)
      RETURNING count, length(line) + length(reason) + 128
"""

_MATCHING = """
     WHERE (:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))
       AND (:before_id IS NULL OR id < :before_id)
       AND (:reason IS NULL OR instr(reason, :reason) > 0)
       AND (:target IS NULL OR target = :target)
       AND (:source IS NULL OR source = :source)
       AND (:channel IS NULL OR channel = :channel)
       AND (:since_us IS NULL OR died_us >= :since_us)
       AND (:until_us IS NULL OR died_us < :until_us)
       AND (:influx_tagged IS NULL
            OR substr(line, 1, length(:influx_tagged)) IN (:influx_tagged, :influx_plain)
            OR substr(line, 1, length(:victoria_tagged)) IN (:victoria_tagged, :victoria_plain))
"""

# ruff: disable[S608] - made of constant texts only
_SEARCH = f"""
      SELECT id, died_us, accepted_us, channel, source, precision, form, count, code, reason, target,
             length(line), substr(line, 1, {SHOWN_BYTES})
        FROM dead {_MATCHING}
    ORDER BY id DESC
       LIMIT :limit
"""

_READ = f"""
      SELECT id, accepted_us, channel, source, precision, form, count, line
        FROM dead {_MATCHING}
    ORDER BY id
"""

_COUNT = f"{_SUM} {_MATCHING}"
_DELETE = f"DELETE FROM dead {_MATCHING}"
# ruff: enable[S608]


class Origin(NamedTuple):
    """What a line's row told of it, kept so that a replay can queue it again."""

    accepted_us: int
    channel: str
    source: str | None
    precision: str
    form: str


class Buried(NamedTuple):
    """A letter with all that a replay needs."""

    id: int
    origin: Origin
    lines: int
    line: bytes


class DeadLetters:
    """Lines that no database takes, at most 64 MiB of them: the oldest go first, counted as dropped."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.lines: int
        self.stored_bytes: int
        self.lines, self.stored_bytes = db.execute(_SUM).fetchone()

    def bury(self, letter: DeadLetter, origin: Origin, died_us: int) -> int:
        """Store a letter and return the bytes it takes; the caller counts it with ``count`` when all is well."""
        reason = letter.reason[:_MAX_REASON_CHARACTERS]
        values = (died_us, *origin, letter.count, letter.code, reason, letter.target, letter.line)
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

    def search(self, query: DeadQuery) -> list[StoredLetter]:
        """Return the letters that match, newest first."""
        values = _values(query) | {"limit": max(0, min(query.limit, MAX_LISTED))}
        return list(starmap(StoredLetter, self._db.execute(_SEARCH, values)))

    def read(self, which: Which) -> Iterator[Buried]:
        """Yield the letters, oldest first; none may be deleted meanwhile."""
        cursor = self._db.execute(_READ, _values(which))
        try:
            for letter_id, *origin, lines, line in cursor:
                yield Buried(letter_id, Origin(*origin), lines, line)
        finally:
            cursor.close()

    def delete(self, which: Which) -> tuple[int, int]:
        """Delete letters; return their lines and bytes, which the caller takes off with ``count`` when all is well."""
        values = _values(which)
        lines, stored_bytes = self._db.execute(_COUNT, values).fetchone()
        self._db.execute(_DELETE, values)
        return int(lines), int(stored_bytes)


def _values(which: Which) -> dict[str, object]:
    query = which if isinstance(which, DeadQuery) else DeadQuery()
    values: dict[str, object] = {
        "ids": None if isinstance(which, DeadQuery) else json.dumps(list(which)),
        "before_id": query.before_id,
        "reason": query.reason,
        "target": query.target,
        "source": query.source,
        "channel": query.channel,
        "since_us": query.since_us,
        "until_us": query.until_us,
    }
    return values | _beginnings(query.measurement)


def _beginnings(measurement: str | None) -> dict[str, object]:
    """Return how a line of the measurement begins, with tags and without, as each family of databases escapes it."""
    return {
        f"{name}_{kind}": None if measurement is None else f"{dialect.measurement(measurement)}{end}".encode()
        for name, dialect in (("influx", INFLUX), ("victoria", VICTORIA))
        for kind, end in (("tagged", ","), ("plain", " "))
    }
