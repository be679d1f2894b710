"""The gaps that rows leave which are dropped; they grow while the dropping goes on."""

import sqlite3
from dataclasses import dataclass
from itertools import starmap
from typing import Final

from homeiq_server.history.spool.totals import KnownGap

from .gaps import known_gap

# A source's gap is one stretch: rows between two that are dropped may have been written. A channel's is a number.
_GROW: Final = """
    UPDATE gaps
       SET start_us = min(start_us, :start_us),
           end_us = max(end_us, :end_us),
           events = events + :lines,
           missed = missed + :lines,
           closed_us = CASE state WHEN 'closed' THEN :now_us END
     WHERE id = (SELECT max(id)
                   FROM gaps
                  WHERE growing = 1 AND source = :source
                    AND (state = 'closed' OR (start_us <= :end_us AND end_us >= :start_us)))
"""

_OPEN: Final = """
    INSERT INTO gaps (source, start_us, end_us, reason, state, opened_us, growing)
         VALUES (:source, :start_us, :end_us, 'dropped', 'open', :now_us, 1)
      RETURNING id
"""

_OPEN_CLOSED: Final = """
    INSERT INTO gaps (source, start_us, end_us, events, reason, state, opened_us, closed_us, missed, growing)
         VALUES (:source, :start_us, :end_us, :lines, 'dropped', 'closed', :now_us, :now_us, :lines, 1)
      RETURNING id
"""

_READ: Final = "SELECT source, start_us, end_us, events, reason, state = 'open', missed FROM gaps WHERE id = ?"

_GROWING: Final = """
      SELECT source, start_us, end_us, events, reason, state = 'open', missed
        FROM gaps
       WHERE growing = 1
    ORDER BY id
"""

_END: Final = "UPDATE gaps SET growing = 0 WHERE growing = 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is lost with one row.

    Attributes:
        source: The Home Assistant instance, or the channel where nobody can supply the lines again.
        start_us: The first instant lost.
        end_us: The first instant after it.
        lines: How many lines.
        is_final: Nobody can supply them again.
    """

    source: str
    start_us: int
    end_us: int
    lines: int
    is_final: bool


class DroppedGaps:
    """One gap for each stretch of a source, and one for each channel, in an episode of dropping."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._opened: list[int] = []

    def add(self, loss: Loss, now_us: int) -> None:
        """Let the gap grow that the loss touches, or open one."""
        values = {
            "source": loss.source,
            "start_us": loss.start_us,
            "end_us": loss.end_us,
            "lines": loss.lines,
            "now_us": now_us,
        }
        if self._db.execute(_GROW, values).rowcount == 0:
            (gap_id,) = self._db.execute(_OPEN_CLOSED if loss.is_final else _OPEN, values).fetchone()
            self._opened.append(gap_id)

    def take_opened(self) -> list[KnownGap]:
        """Return those that were opened since this was last asked."""
        opened, self._opened = self._opened, []
        return [known_gap(*self._db.execute(_READ, (gap_id,)).fetchone()) for gap_id in opened]

    def end(self) -> list[KnownGap]:
        """Let none grow any more, and return those that did."""
        grown = list(starmap(known_gap, self._db.execute(_GROWING)))
        self._db.execute(_END)
        return grown
