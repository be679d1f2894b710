"""From a path to tables that can be relied on, whatever lies at the path.

A damaged spool never keeps the server from starting, nor from going on: it is set aside, and a new file takes its place
and its numbers at once.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from homeiq_server.history.spool import connection
from homeiq_server.history.spool.changes.damage_gap import open_gap
from homeiq_server.history.spool.tables.group import Bounds, Group
from homeiq_server.history.spool.tables.tables import Tables

from . import aside, damage
from .adoption import adopt, catch_up
from .aside import Unusable
from .notebook import Notebook
from .sidecar import Noted, counts_of

_LOGGER = logging.getLogger(__name__)
_SMALL: Final = ("meta", "counters", "streams", "sources", "gaps")
_SHAPE: Final = "SELECT name, sql FROM sqlite_schema ORDER BY name"


class Opener:
    """Opens one spool, and opens it anew after a failure."""

    def __init__(self, path: Path, bounds: Bounds, notebook: Notebook, clock: Callable[[], int]) -> None:
        self._path: Final = path
        self._bounds = bounds
        self._notebook = notebook
        self._clock = clock

    def open(self, found: Unusable | None = None) -> Tables:
        """Return the tables, of a new file when the present one cannot be used.

        Args:
            found: What made the file useless while it was open.

        Raises:
            Unusable: A new file is useless too.
            Misconfigured: A setting of SQLite cannot be had here.
            sqlite3.Error: The disk is faulty or full.
            OSError: The disk is faulty, or the folder is not ours to change.
        """
        aside.finish(self._path)
        memory = self._notebook.memory()
        if found is None:
            try:
                return self._attempt(memory)
            except Unusable as err:
                found = err
        self._set_aside(found)
        return self._attempt(memory)

    def _set_aside(self, found: Unusable) -> None:
        kind = damage.kind(self._path) if found.kind == "foreign" else found.kind
        copy = aside.set_aside(self._path, kind, self._clock())
        follows = "; what can be read of it is being carried over" if kind == "damaged" else ""
        _LOGGER.error(
            "The spool %s cannot be used: %s. It was set aside as %s, and a new one takes its place%s",
            self._path, found, copy.name, follows,
        )  # fmt: skip

    def _attempt(self, memory: Noted | None) -> Tables:
        damage.inspect(self._path)
        with contextlib.ExitStack() as on_failure:
            try:
                db = connection.connect(self._path)
                on_failure.callback(db.close)
                tables = self._take_over(self._checked(db), memory)
            except sqlite3.Error as err:
                if damage.is_damage(err):
                    raise Unusable("damaged" if memory else "foreign", str(err)) from err
                raise
            connection.keep_whole(db)
            on_failure.pop_all()
        return tables

    def _checked(self, db: sqlite3.Connection) -> Tables:
        """Return the tables, once their numbers add up: a damaged page can look whole to SQLite.

        Of the small tables every value is looked at. The queue takes too long for that; its rows show damage when they
        are read.
        """
        if _shape(db) != _shape_of_a_spool():
            raise Unusable("damaged", "its tables are not those of a spool")
        for table in _SMALL:
            (verdict, *_) = db.execute(f"PRAGMA quick_check({table})").fetchone()
            if verdict != "ok":
                raise Unusable("damaged", str(verdict))
        tables = Tables(db, self._bounds)
        for fault in tables.totals().imbalances():
            raise Unusable("damaged", f"its rows do not match its counters: {fault}")
        return tables

    def _take_over(self, tables: Tables, memory: Noted | None) -> Tables:
        """Let the file know what is known of the one before it, or of its own future."""
        file = Noted(server_id=tables.server_id, counts=counts_of(tables.totals()))
        noted = memory or self._notebook.read()
        if noted is not None and file.counts and noted.server_id != file.server_id:
            noted = None  # somebody has put another server's file or sidecar here
        copies = [copy for copy in reversed(aside.damaged(self._path)) if not tables.salvage.knows(copy.name)]
        is_behind = noted is not None and (file.is_behind(noted) or file.server_id != noted.server_id)
        if not copies and not is_behind:
            return tables
        with tables.transaction(self._clock()) as group:
            done = () if noted is None else noted.salvaged
            if noted is not None and is_behind and (file.counts or all(copy.name in done for copy in copies)):
                self._catch_up(tables, group, file, noted)
            for copy in copies:
                adopt(tables.db, copy, noted, is_exact=memory is not None, is_done=copy.name in done)
        return Tables(tables.db, self._bounds)

    def _catch_up(self, tables: Tables, group: Group, file: Noted, noted: Noted) -> None:
        whole_us = {source: tables.sources.whole_us(source) for source in noted.sources}
        totals = tables.totals()
        lost = catch_up(tables.db, file, noted, held=totals.lines.queued + totals.lines.dead)
        for source, known in noted.sources.items():
            start_us = known.written_us if whole_us[source] is None else whole_us[source]
            if lost and start_us is not None and known.whole_us is not None:
                open_gap(tables, group, source, start_us, known.whole_us + 1)
        if noted.counts:
            _LOGGER.error("%s has lost its latest commits: %d lines are lost, counted as dropped", self._path, lost)


def _shape(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the definition of each table: SQLite does not notice when a letter of one is not what it was."""
    return db.execute(_SHAPE).fetchall()


@cache
def _shape_of_a_spool() -> list[tuple[str, str]]:
    with contextlib.closing(connection.blank()) as db:
        return _shape(db)
