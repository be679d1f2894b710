"""What a spool does between requests: its sidecar, its reserve, giving disk back, and the salvage of a damaged copy."""

import logging
from pathlib import Path
from typing import Final

from .recovery import aside
from .recovery.notebook import Notebook
from .recovery.salvage import Salvage
from .room import Room
from .tables.group import Group
from .tables.tables import Tables
from .totals import SalvageTotals

_LOGGER = logging.getLogger(__name__)
_LOOK_FOR_ROOM_S: Final = 5.0
_TRY_BALLAST_S: Final = 60.0
_SHRINK_ABOVE_PAGES: Final = 1_024  # 4 MiB
_LITTLE_BYTES: Final = 4 * 1024 * 1024


class Upkeep:
    """Small pieces of work, none of which a request has to wait for long."""

    def __init__(self, path: Path, notebook: Notebook, room: Room) -> None:
        self._path = path
        self._notebook = notebook
        self._room = room
        self._salvage: Salvage | None = None

    def run(self, tables: Tables, *, is_idle: bool) -> float | None:
        """Do what is due, the salvage apart; return the seconds until something will be, or None.

        Raises:
            sqlite3.Error: The file or its disk is faulty.
        """
        if self._notebook.due_s() == 0:
            self._notebook.save(tables)
        waits = [self._notebook.due_s()]
        if not self._room.keep_ballast():
            waits.append(_TRY_BALLAST_S)
        if is_short := self._room.has_given_up or self._room.shortage() is not None:
            waits.append(_LOOK_FOR_ROOM_S)
        if is_idle and _shrink(tables, is_short=is_short) and is_short:
            waits.append(0.0)
        return min((wait for wait in waits if wait is not None), default=None)

    def may_salvage(self, tables: Tables) -> bool:
        """Tell whether there is something to salvage, and room for it.

        On a short disk it goes on when the queue is nearly drained: the pages that became free are used again.
        """
        is_left = tables.salvage.next_copy() is not None
        return is_left and (tables.queue.stored_bytes < _LITTLE_BYTES or not self._room.shortage())

    def salvage(self, tables: Tables, group: Group) -> None:
        """Carry a few more rows of a damaged copy over, in the transaction that is open."""
        copy = tables.salvage.next_copy()
        if copy is None:
            return
        if self._salvage is None or self._salvage.name != copy.name:
            self.forget_salvage()
            self._salvage = Salvage(tables, self._path.with_name(copy.name))
        self._salvage.step(tables, group, copy)

    def salvaged(self, tables: Tables) -> None:
        """Tell what came of it, once it is committed that nothing is left."""
        notes = tables.salvage
        if notes.next_copy() is not None or self._salvage is None:
            return
        name = self._salvage.name
        self.forget_salvage()
        aside.keep_newest(self._path, {copy.name for copy in notes.copies})
        _LOGGER.log(
            logging.ERROR if notes.lost else logging.WARNING,
            "Salvaged %d lines of the damaged spool %s, which is kept; %d are lost, counted as dropped for damage",
            notes.found, self._path.with_name(name), notes.lost,
        )  # fmt: skip

    def salvage_totals(self, tables: Tables) -> SalvageTotals | None:
        """Return what has come of the newest copy, while it lies there."""
        notes = tables.salvage
        if not notes.copies:
            return None
        is_running = notes.next_copy() is not None
        copy = self._path.with_name(notes.copies[0].name)
        if not is_running and not copy.exists():
            return None
        return SalvageTotals(str(copy), is_running, notes.unsalvaged, notes.found, notes.lost)

    def forget_salvage(self) -> None:
        """Close the copy that is being salvaged; the next step opens it again."""
        if self._salvage is not None:
            self._salvage.close()
            self._salvage = None


def _shrink(tables: Tables, *, is_short: bool) -> bool:
    """Give up to 1 MiB of disk back when more than half of the file lies unused, or a short disk needs every page.

    Costs a few milliseconds; returns whether there was something to give back.
    """
    (free,) = tables.db.execute("PRAGMA freelist_count").fetchone()
    (pages,) = tables.db.execute("PRAGMA page_count").fetchone()
    if not (free if is_short else free > _SHRINK_ABOVE_PAGES and free * 2 > pages):
        return False
    tables.db.execute("PRAGMA incremental_vacuum(256)").fetchall()
    if is_short:  # the file becomes shorter, and the journal empty, only by this
        tables.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return True
