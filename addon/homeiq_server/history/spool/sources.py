"""How far each source and each of its streams has come, and where its events are missing."""

import sqlite3
from typing import Final

from .totals import KnownGap, SourceTotals

STREAM_LIFE_US: Final = 24 * 3600 * 1_000_000
MAX_STREAMS: Final = 10_000
MAX_SOURCES: Final = 1_000
MAX_OPEN_GAPS: Final = 1_000  # for one source
_PUBLISHED_SOURCES: Final = 100
_PUBLISHED_GAPS: Final = 10

_LAST_SEQ = "SELECT seq FROM streams WHERE source = ? AND stream = ?"

_ADVANCE = """
    INSERT INTO streams (source, stream, seq, opened_us, used_us)
         VALUES (?1, ?2, ?3, ?4, ?4)
    ON CONFLICT (source, stream)
      DO UPDATE SET seq = max(seq, excluded.seq), used_us = excluded.used_us
"""

_FORGET_OLD_STREAMS = "DELETE FROM streams WHERE used_us < ?"

_FORGET_SURPLUS_STREAMS = """
    DELETE FROM streams
          WHERE (source, stream) IN
                (SELECT source, stream FROM streams ORDER BY used_us DESC LIMIT -1 OFFSET ?)
"""

_WHOLE = "SELECT whole_us FROM sources WHERE source = ?"

_SEEN = """
    INSERT INTO sources (source, whole_us, first_us, seen_us)
         VALUES (?1, ?2, ?3, ?3)
    ON CONFLICT (source)
      DO UPDATE SET whole_us = excluded.whole_us, seen_us = excluded.seen_us
"""

_FORGET_SURPLUS_SOURCES = """
    DELETE FROM sources
          WHERE source IN (SELECT source FROM sources ORDER BY seen_us DESC LIMIT -1 OFFSET ?)
"""

_NEWEST_SOURCES = "SELECT source, whole_us, seen_us FROM sources ORDER BY seen_us DESC, source LIMIT ?"

_OPEN_GAP = """
    INSERT INTO gaps (source, start_us, end_us, events, reason, state, opened_us)
         VALUES (?, ?, ?, ?, ?, 'open', ?)
"""

_EXTEND_GAP = """
    UPDATE gaps
       SET end_us = max(end_us, ?)
     WHERE source = ? AND start_us = ? AND reason = ? AND state = 'open'
"""

_SURPLUS_GAPS = """
      SELECT id, start_us, end_us, events
        FROM gaps
       WHERE source = ?1 AND state = 'open'
    ORDER BY start_us
       LIMIT 1 + max(0, (SELECT count(*) FROM gaps WHERE source = ?1 AND state = 'open') - ?2)
"""

_DELETE_GAP = "DELETE FROM gaps WHERE id = ?"

_WIDEN_GAP = "UPDATE gaps SET end_us = ?, events = ? WHERE id = ?"

_COUNT_OPEN_GAPS = "SELECT count(*) FROM gaps WHERE state = 'open'"

_NEWEST_GAPS = "SELECT source, start_us, end_us, events, reason, state FROM gaps ORDER BY id DESC LIMIT ?"


class Streams:
    """The last batch of each stream, kept for 24 hours after it; of more than 10,000 the longest unused go."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def last_seq(self, source: str, stream: str) -> int:
        """Return the last batch stored; 0 for a stream that is not known."""
        row = self._db.execute(_LAST_SEQ, (source, stream)).fetchone()
        return 0 if row is None else int(row[0])

    def advance(self, source: str, stream: str, seq: int, now_us: int) -> None:
        """Note that ``seq`` has come, perhaps once more."""
        self._db.execute(_ADVANCE, (source, stream, seq, now_us))

    def forget(self, now_us: int) -> None:
        """Delete what is over the bounds; a forgotten stream is answered as a hole and begins anew."""
        self._db.execute(_FORGET_OLD_STREAMS, (now_us - STREAM_LIFE_US,))
        self._db.execute(_FORGET_SURPLUS_STREAMS, (MAX_STREAMS,))


class Sources:
    """Up to when each source's events have come. Of more than 1,000 sources the longest unseen are forgotten."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def whole_us(self, source: str) -> int | None:
        """Return up to when all events have come, known gaps apart; None for a new source."""
        row = self._db.execute(_WHOLE, (source,)).fetchone()
        return None if row is None else row[0]

    def seen(self, source: str, *, whole_us: int | None, now_us: int) -> None:
        """Note that the source was heard of, and how far it has come."""
        self._db.execute(_SEEN, (source, whole_us, now_us))

    def forget(self) -> None:
        """Delete what is over the bound."""
        self._db.execute(_FORGET_SURPLUS_SOURCES, (MAX_SOURCES,))

    def newest(self) -> tuple[SourceTotals, ...]:
        """Return those that were seen last, last first."""
        return tuple(
            SourceTotals(source=source, last_event_us=whole_us, last_seen_us=seen_us)
            for source, whole_us, seen_us in self._db.execute(_NEWEST_SOURCES, (_PUBLISHED_SOURCES,))
        )


class Gaps:
    """Stretches for which events are missing. Only a backfill closes one, so a crash forgets none.

    Of more than 1,000 open ones of a source the oldest become one that covers them and what lies between:
    filling too much costs time and changes nothing.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def open(self, gap: KnownGap, now_us: int) -> None:
        """Note an open gap; a stretch without length is none."""
        if gap.start_us < gap.end_us:
            values = (gap.source, gap.start_us, gap.end_us, gap.events, gap.reason, now_us)
            self._db.execute(_OPEN_GAP, values)

    def extend(self, gap: KnownGap, now_us: int) -> None:
        """Make the open gap of the same reason and start reach as far as this one, or open it."""
        values = (gap.end_us, gap.source, gap.start_us, gap.reason)
        if self._db.execute(_EXTEND_GAP, values).rowcount == 0:
            self.open(gap, now_us)

    def join_surplus(self, source: str) -> None:
        """Join the oldest open gaps of a source that has too many."""
        first, *rest = self._db.execute(_SURPLUS_GAPS, (source, MAX_OPEN_GAPS)).fetchall() or [()]
        if not rest:
            return
        joined = (first, *rest)
        events = None if any(gap[3] is None for gap in joined) else sum(gap[3] for gap in joined)
        self._db.executemany(_DELETE_GAP, [(gap[0],) for gap in rest])
        self._db.execute(_WIDEN_GAP, (max(gap[2] for gap in joined), events, first[0]))

    def count_open(self) -> int:
        """Return how many are open, of all sources."""
        return int(self._db.execute(_COUNT_OPEN_GAPS).fetchone()[0])

    def newest(self) -> tuple[KnownGap, ...]:
        """Return the last ones that were opened, newest first."""
        return tuple(
            KnownGap(
                source=source,
                start_us=start_us,
                end_us=end_us,
                events=events,
                reason=reason,
                is_open=state == "open",
            )
            for source, start_us, end_us, events, reason, state in self._db.execute(_NEWEST_GAPS, (_PUBLISHED_GAPS,))
        )
