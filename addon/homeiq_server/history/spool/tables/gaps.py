"""The table of gaps: stretches of time for which events of a source are missing."""

import sqlite3
from itertools import starmap
from typing import Final, NamedTuple

from homeiq_server.history.spool.totals import KnownGap

MAX_OPEN_GAPS: Final = 1_000  # for one source
MAX_CLOSED_GAPS: Final = 1_000  # for one source
CLOSED_LIFE_US: Final = 90 * 24 * 3600 * 1_000_000
_PUBLISHED_GAPS: Final = 10
_EVER: Final = (-(2**63), 2**63 - 1)

_OPEN = """
    INSERT INTO gaps (source, start_us, end_us, events, reason, state, opened_us)
         VALUES (?, ?, ?, ?, ?, 'open', ?)
"""

_FIND = "SELECT end_us FROM gaps WHERE source = ? AND start_us = ? AND reason = ? AND state = 'open'"
_EXTEND = "UPDATE gaps SET end_us = ? WHERE source = ? AND start_us = ? AND reason = ? AND state = 'open'"

_SURPLUS = """
      SELECT id, start_us, end_us, events
        FROM gaps
       WHERE source = ?1 AND state = 'open'
    ORDER BY start_us
       LIMIT 1 + max(0, (SELECT count(*) FROM gaps WHERE source = ?1 AND state = 'open') - ?2)
"""

_DELETE = "DELETE FROM gaps WHERE id = ?"
_WIDEN = "UPDATE gaps SET end_us = ?, events = ? WHERE id = ?"
_COUNT_OPEN = "SELECT count(*) FROM gaps WHERE state = 'open'"
_COUNT_OPEN_OF = "SELECT count(*) FROM gaps WHERE source = ? AND state = 'open'"

_NEWEST = """
      SELECT source, start_us, end_us, events, reason, state = 'open', missed
        FROM gaps
    ORDER BY id DESC
       LIMIT ?
"""

_OVERLAPPING = """
      SELECT id, opened_us, growing, source, start_us, end_us, events, reason, state = 'open', missed
        FROM gaps
       WHERE source = ? AND state = 'open' AND start_us < ? AND end_us > ?
    ORDER BY start_us, id
"""

_CLOSE = """
    UPDATE gaps
       SET state = 'closed', start_us = ?, end_us = ?, events = ?, closed_us = ?, missed = ?, growing = 0
     WHERE id = ?
"""

_REOPEN_PART = """
    INSERT INTO gaps (source, start_us, end_us, reason, state, opened_us, growing)
         VALUES (?, ?, ?, ?, 'open', ?, ?)
"""

_PULL_BACK = "UPDATE gaps SET closed_us = ?1 WHERE state = 'closed' AND closed_us > ?1"
_FORGET_OLD = "DELETE FROM gaps WHERE state = 'closed' AND closed_us < ? AND growing = 0"

_FORGET_SURPLUS = """
    DELETE FROM gaps
          WHERE id IN (SELECT id FROM gaps WHERE source = ? AND state = 'closed'
                     ORDER BY closed_us DESC, id DESC LIMIT -1 OFFSET ?)
"""

# A source that is forgotten is not covered at all, so its gaps say nothing more.
_FORGET_ORPHANS = "DELETE FROM gaps WHERE state = 'open' AND source NOT IN (SELECT source FROM sources)"


class OpenGap(NamedTuple):
    """A gap that a backfill may close, and where it lies."""

    id: int
    opened_us: int
    growing: int
    gap: KnownGap


class Gaps:
    """Only a backfill closes a gap, so a crash forgets none.

    Of more than 1,000 open ones of a source the oldest become one that covers them and what lies between:
    filling too much costs time and changes nothing. Closed ones are kept for 90 days, 1,000 of a source at most.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def open(self, gap: KnownGap, now_us: int) -> bool:
        """Note an open gap; return False for a stretch without length, which is none."""
        if gap.start_us >= gap.end_us:
            return False
        self._db.execute(_OPEN, (gap.source, gap.start_us, gap.end_us, gap.events, gap.reason, now_us))
        return True

    def extend(self, gap: KnownGap, now_us: int) -> bool:
        """Make the open gap of the same reason and start reach as far as this one, or open it; False if it did."""
        key = (gap.source, gap.start_us, gap.reason)
        if (found := self._db.execute(_FIND, key).fetchone()) is None:
            return self.open(gap, now_us)
        if found[0] >= gap.end_us:
            return False
        self._db.execute(_EXTEND, (gap.end_us, *key))
        return True

    def join_surplus(self, source: str) -> None:
        """Join the oldest open gaps of a source that has too many."""
        first, *rest = self._db.execute(_SURPLUS, (source, MAX_OPEN_GAPS)).fetchall() or [()]
        if not rest:
            return
        joined = (first, *rest)
        events = None if any(gap[3] is None for gap in joined) else sum(gap[3] for gap in joined)
        self._db.executemany(_DELETE, [(gap[0],) for gap in rest])
        self._db.execute(_WIDEN, (max(gap[2] for gap in joined), events, first[0]))

    def close(self, found: OpenGap, start_us: int, end_us: int, *, missed: int | None, now_us: int) -> None:
        """Close what lies between the two times; what reaches beyond stays open, its events uncounted."""
        gap = found.gap
        inside = max(gap.start_us, start_us), min(gap.end_us, end_us)
        events = gap.events if inside == (gap.start_us, gap.end_us) else None
        self._db.execute(_CLOSE, (*inside, events, now_us, missed, found.id))
        for part in ((gap.start_us, inside[0]), (inside[1], gap.end_us)):
            if part[0] < part[1]:
                self._db.execute(_REOPEN_PART, (gap.source, *part, gap.reason, found.opened_us, found.growing))
        self._db.execute(_FORGET_SURPLUS, (gap.source, MAX_CLOSED_GAPS))

    def overlapping(self, source: str, start_us: int, end_us: int) -> list[OpenGap]:
        """Return the open gaps of a source that share time with a stretch, by their start."""
        found = self._db.execute(_OVERLAPPING, (source, end_us, start_us))
        return [OpenGap(row[0], row[1], row[2], known_gap(*row[3:])) for row in found]

    def open_of(self, source: str) -> list[KnownGap]:
        """Return the open gaps of a source, by their start."""
        return [found.gap for found in self.overlapping(source, _EVER[0], _EVER[1])]

    def forget(self, now_us: int, *, is_even: bool) -> None:
        """Delete what is over the bounds; by age only when the clock has gone evenly for a while."""
        self._db.execute(_PULL_BACK, (now_us,))
        if is_even:
            self._db.execute(_FORGET_OLD, (now_us - CLOSED_LIFE_US,))
        self._db.execute(_FORGET_ORPHANS)

    def count_open(self, source: str | None = None) -> int:
        """Return how many are open, of all sources or of one."""
        found = self._db.execute(_COUNT_OPEN) if source is None else self._db.execute(_COUNT_OPEN_OF, (source,))
        return int(found.fetchone()[0])

    def newest(self) -> tuple[KnownGap, ...]:
        """Return the last ones that were opened, newest first."""
        return tuple(starmap(known_gap, self._db.execute(_NEWEST, (_PUBLISHED_GAPS,))))


def known_gap(  # noqa: PLR0913, PLR0917 - the columns of ``COLUMNS``
    source: str, start_us: int, end_us: int, events: int | None, reason: str, is_open: int, missed: int | None
) -> KnownGap:
    """Return a row as what is published of it."""
    return KnownGap(
        source=source,
        start_us=start_us,
        end_us=end_us,
        events=events,
        reason=reason,
        is_open=bool(is_open),
        missed=missed,
    )
