"""The full queue makes room: its oldest rows are dropped, counted, and kept as gaps.

An episode lasts from the first row that is dropped until a fifth of the limit is free again. A dropped row may be on
its way to the database: whoever settles it finds it gone. What it held may then be in the database as well as in the
gap, and a backfill writes the same points again, which changes nothing.
"""

import sqlite3
from typing import Final

from homeiq_server.history.spool.channels import OF_SOURCE

from .counters import GAPS, LINES
from .dropped_gaps import DroppedGaps, Loss
from .group import Bounds, Group
from .queue import Oldest, Queue
from .space import Space
from .spans import is_known, span

_ENDS_BELOW: Final = 0.8  # of the limit
_STEP: Final = 8  # rows that are looked at together

_LOAD = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'dropping_since_us'"
_BEGIN = "INSERT INTO meta (key, value) VALUES ('dropping_since_us', ?)"
_END = "DELETE FROM meta WHERE key = 'dropping_since_us'"


class Overflow:
    """Drops rows, in the order in which they came, but for own points.

    Attributes:
        since_us: When the episode began; None while nothing is dropped. Kept over a restart.
    """

    def __init__(self, db: sqlite3.Connection, queue: Queue, space: Space) -> None:
        self._db = db
        self._queue = queue
        self._space = space
        self._gaps = DroppedGaps(db)
        row = db.execute(_LOAD).fetchone()
        self.since_us: int | None = None if row is None else row[0]

    def make_room(self, group: Group, bounds: Bounds) -> None:
        """Drop rows until the limit is kept, where that is wanted."""
        if bounds.when_full != "drop_oldest":
            return
        while (excess := self._space.used_bytes() - bounds.limit_bytes) > 0 and (rows := self._queue.oldest(_STEP)):
            for row in rows:
                excess -= self._drop(group, row)
                if excess <= 0:
                    break

    def _drop(self, group: Group, row: Oldest) -> int:
        """Drop a row, and return the bytes that it took."""
        loss = self._loss(row)
        if (removed := self._queue.remove(row.id)) is None:
            return 0
        self._queue.forget(removed)
        group.counts[LINES, "dropped", "overflow"] += row.lines
        group.counts[GAPS, "missed", ""] += row.lines if loss.is_final else 0
        self._gaps.add(loss, group.now_us)
        if self.since_us is None:
            self.since_us = group.now_us
            self._db.execute(_BEGIN, (str(self.since_us),))
        return removed.stored_bytes

    def _loss(self, row: Oldest) -> Loss:
        if row.source is None or row.channel not in OF_SOURCE:
            start_us, end_us, source = row.accepted_us, row.accepted_us + 1, row.channel
        else:
            start_us, end_us = span(row, None if is_known(row) else self._queue.read(row.id))
            source = row.source
        return Loss(source=source, start_us=start_us, end_us=end_us, lines=row.lines, is_final=source == row.channel)

    def finish(self, group: Group, bounds: Bounds) -> None:
        """End the episode when there is room again; have gaps told that were opened now, or grew until now."""
        group.gaps += self._gaps.take_opened()
        if self.since_us is None or (
            bounds.when_full == "drop_oldest" and self._space.used_bytes() >= bounds.limit_bytes * _ENDS_BELOW
        ):
            return
        group.gaps += self._gaps.end()
        self.since_us = None
        self._db.execute(_END)
