"""How far each source and each of its streams has come."""

import sqlite3
from typing import Final

from homeiq_server.history.spool.totals import SourceTotals

STREAM_LIFE_US: Final = 24 * 3600 * 1_000_000
MAX_STREAMS: Final = 10_000
MAX_SOURCES: Final = 1_000
_PUBLISHED_SOURCES: Final = 100

_LAST_SEQ = "SELECT seq FROM streams WHERE source = ? AND stream = ?"

_ADVANCE = """
    INSERT INTO streams (source, stream, seq, opened_us, used_us)
         VALUES (?1, ?2, ?3, ?4, ?4)
    ON CONFLICT (source, stream)
      DO UPDATE SET seq = max(seq, excluded.seq), used_us = excluded.used_us
"""

# A clock that was ahead has been set back: what is of the future would never grow old.
_PULL_STREAMS_BACK = "UPDATE streams SET used_us = ?1 WHERE used_us > ?1"
_PULL_SOURCES_BACK = "UPDATE sources SET seen_us = ?1 WHERE seen_us > ?1"

_FORGET_OLD_STREAMS = "DELETE FROM streams WHERE used_us < ?"

_FORGET_SURPLUS_STREAMS = """
    DELETE FROM streams
          WHERE (source, stream) IN
                (SELECT source, stream FROM streams ORDER BY used_us DESC LIMIT -1 OFFSET ?)
"""

_WHOLE = "SELECT whole_us FROM sources WHERE source = ?"

_COVERED = "SELECT covered_us FROM sources WHERE source = ?"

_SEEN = """
    INSERT INTO sources (source, covered_us, whole_us, first_us, seen_us)
         VALUES (?1, ?2, ?3, ?4, ?4)
    ON CONFLICT (source)
      DO UPDATE SET covered_us = ifnull(covered_us, excluded.covered_us),
                    whole_us = excluded.whole_us,
                    seen_us = excluded.seen_us
"""

_COVER = "UPDATE sources SET covered_us = ?2 WHERE source = ?1 AND covered_us > ?2 AND covered_us <= ?3"

_FORGET_SURPLUS_SOURCES = """
    DELETE FROM sources
          WHERE source IN (SELECT source FROM sources ORDER BY seen_us DESC LIMIT -1 OFFSET ?)
"""

_NEWEST_SOURCES = "SELECT source, whole_us, seen_us FROM sources ORDER BY seen_us DESC, source LIMIT ?"


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

    def forget(self, now_us: int, *, is_even: bool) -> None:
        """Delete what is over the bounds; a forgotten stream is answered as a hole and begins anew.

        Args:
            now_us: The time of our clock.
            is_even: Whether the clock has gone evenly for a while, so that those in use have been used since.
        """
        self._db.execute(_PULL_STREAMS_BACK, (now_us,))
        if is_even:
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

    def covered_us(self, source: str) -> int | None:
        """Return from when on all events have come, known gaps apart; None when none has come live."""
        row = self._db.execute(_COVERED, (source,)).fetchone()
        return None if row is None else row[0]

    def seen(self, source: str, *, whole_us: int | None, now_us: int, covered_us: int | None = None) -> None:
        """Note that the source was heard of, how far it has come, and where that began, if it is not known yet."""
        self._db.execute(_SEEN, (source, covered_us, whole_us, now_us))

    def cover(self, source: str, start_us: int, end_us: int) -> None:
        """Let the coverage begin at ``start_us``, when what lies between is whole up to ``end_us``."""
        self._db.execute(_COVER, (source, start_us, end_us))

    def forget(self, now_us: int) -> None:
        """Delete what is over the bound."""
        self._db.execute(_PULL_SOURCES_BACK, (now_us,))
        self._db.execute(_FORGET_SURPLUS_SOURCES, (MAX_SOURCES,))

    def newest(self) -> tuple[SourceTotals, ...]:
        """Return those that were seen last, last first."""
        return tuple(
            SourceTotals(source=source, last_event_us=whole_us, last_seen_us=seen_us)
            for source, whole_us, seen_us in self._db.execute(_NEWEST_SOURCES, (_PUBLISHED_SOURCES,))
        )
