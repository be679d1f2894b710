"""Which rows are sent next: what has come since the database returned, or what had waited until then. Pure.

First the fresh rows, for as long as they have had no more lines than the backlog: so a quiet home is up to date at
once, a busy one takes half, and neither waits for more than two requests of the other.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

MAX_SPANS: Final = 1_000
"""Returns of the database, each with rows before it that still wait; beyond, neighbours are one, sent rows between."""


@dataclass(slots=True)
class Cursor:
    """A place in the queue; its rows are those with ``after < id <= up_to``.

    Attributes:
        after: The newest row that it has passed.
        up_to: Its last row; None: it has all that will ever come.
    """

    after: int
    up_to: int | None = None


class Cursors:
    """The two places, and whose turn it is.

    The backlog has several spans when the database went away again before all was sent: fresh rows between them were.

    Attributes:
        fresh: The place behind everything that was there when the database returned.
    """

    def __init__(self) -> None:
        self.fresh = Cursor(0)
        self._backlog: deque[Cursor] = deque()
        self._lead = 0  # the lines that the fresh rows have had more than the backlog

    @property
    def has_backlog(self) -> bool:
        """Whether there may be rows from before the database's latest return."""
        return bool(self._backlog)

    def returned(self, newest: int) -> None:
        """Make everything up to ``newest`` that was not sent yet the end of the backlog: the database is back."""
        if newest <= self.fresh.after:
            return
        last = self._backlog[-1] if self._backlog else None
        if last and (last.up_to == self.fresh.after or len(self._backlog) == MAX_SPANS):
            last.up_to = newest
        else:
            self._backlog.append(Cursor(self.fresh.after, newest))
        self.fresh = Cursor(newest)

    def begin_anew(self, newest: int) -> None:
        """Go back to the oldest row; ``newest`` as for ``returned``."""
        self._backlog.clear()
        self._lead = 0
        self.fresh = Cursor(0)
        self.returned(newest)

    def by_turn(self) -> tuple[Cursor, ...]:
        """Return where to look for rows, first where it is the turn of."""
        if not self._backlog:
            return (self.fresh,)
        return (self._backlog[0], self.fresh) if self._lead > 0 else (self.fresh, self._backlog[0])

    def passed(self, cursor: Cursor, row_id: int, lines: int) -> None:
        """Move a place that had its turn: its rows up to ``row_id``, of so many lines, are on their way."""
        cursor.after = row_id
        if cursor is self.fresh:
            self._lead += lines if self._backlog else 0
            return
        self._lead = max(self._lead - lines, -lines)  # for the time in which nothing fresh came, no credit but this
        if row_id == cursor.up_to:
            self.exhausted(cursor)

    def exhausted(self, cursor: Cursor) -> None:
        """Note that no row is left at a place; none will ever come to a span of the backlog."""
        if self._backlog and cursor is self._backlog[0]:
            self._backlog.popleft()
        if not self._backlog:
            self._lead = 0
