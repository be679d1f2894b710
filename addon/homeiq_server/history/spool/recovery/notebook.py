"""Keeps the sidecar up to date: at most every ten seconds while the numbers change, and at the end."""

import sqlite3
import time
from typing import Final

import msgspec

from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.history.spool.totals import SourceTotals, Totals

from .sidecar import Known, Noted, Sidecar, counts_of

EVERY_S: Final = 10.0
_LOOK_AT: Final = 100  # of the queue's rows, the oldest; of the sources, those that were seen last

_SOURCES = "SELECT source, covered_us, whole_us, seen_us FROM sources ORDER BY seen_us DESC LIMIT ?"

_WAITING = """
      SELECT source, min(since_us)
        FROM (SELECT source, since_us FROM queue ORDER BY id LIMIT ?)
       WHERE source IS NOT NULL
    GROUP BY source
"""


class Notebook:
    """What the sidecar says, and what it will say next."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._tables: Tables | None = None
        self._totals = self._written = Totals()
        self._at_us = self._last_row_id = 0
        self._sources: dict[str, Known] = {}
        self._salvaged: tuple[str, ...] = ()
        self._next_s = time.monotonic()

    def read(self) -> Noted | None:
        """Return what the sidecar says."""
        return self._sidecar.read()

    def note(self, tables: Tables, totals: Totals, now_us: int) -> None:
        """Remember the numbers of a commit; they are written when their time has come."""
        self._tables, self._totals = tables, totals
        self._at_us = now_us
        self._last_row_id = max(self._last_row_id, totals.newest_row_id)
        self._salvaged = tuple(copy.name for copy in tables.salvage.copies if copy.position is None)

    def memory(self) -> Noted | None:
        """Return the numbers of the last commit, from memory: they are exact. None when there was none."""
        return None if self._tables is None else self._compose(self._tables)

    @property
    def last_row_id(self) -> int:
        """The newest row that was queued when the sidecar was written; 0 when none was."""
        return self._written.newest_row_id

    def due_s(self) -> float | None:
        """Return the seconds until the sidecar should be written; None while it says all there is."""
        return None if self._totals is self._written else max(0.0, self._next_s - time.monotonic())

    def save(self, tables: Tables) -> None:
        """Write the sidecar."""
        self._sources = _sources(tables.db)
        if self._sidecar.write(self._compose(tables)):
            self._written = self._totals
        self._next_s = time.monotonic() + EVERY_S

    def _compose(self, tables: Tables) -> Noted:
        return Noted(
            server_id=tables.server_id,
            at_us=self._at_us,
            last_row_id=self._last_row_id,
            counts=counts_of(self._totals),
            sources=self._sources | {source.source: self._known(source) for source in self._totals.sources},
            salvaged=self._salvaged,
        )

    def _known(self, source: SourceTotals) -> Known:
        known = self._sources.get(source.source, Known())
        return msgspec.structs.replace(known, whole_us=source.last_event_us, seen_us=source.last_seen_us)


def _sources(db: sqlite3.Connection) -> dict[str, Known]:
    waiting: dict[str, int | None] = dict(db.execute(_WAITING, (_LOOK_AT,)))
    (rows,) = db.execute("SELECT count(*) FROM (SELECT 1 FROM queue LIMIT ?)", (_LOOK_AT + 1,)).fetchone()
    is_all = rows <= _LOOK_AT
    return {
        source: Known(
            covered_us=covered_us,
            whole_us=whole_us,
            written_us=waiting.get(source, whole_us if is_all else None),
            seen_us=seen_us,
        )
        for source, covered_us, whole_us, seen_us in db.execute(_SOURCES, (_LOOK_AT,))
    }
