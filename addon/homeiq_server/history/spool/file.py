"""The spool without a thread or an event loop: one SQLite file, its transactions, and what to do when it fails."""

import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from homeiq_server.errors import Misconfigured, Rejected, RetryLater

from . import connection
from .changes.change import Change
from .changes.merging import Merger
from .recovery import damage
from .recovery.adoption import remembered
from .recovery.aside import Unusable
from .recovery.notebook import Notebook
from .recovery.opening import Opener
from .recovery.sidecar import Sidecar
from .room import DEFAULT_RESERVE, Reserve, Room
from .rows import Row
from .tables.group import Bounds, Group
from .tables.tables import Tables
from .totals import Totals, WhenFull
from .upkeep import Upkeep

_LOGGER = logging.getLogger(__name__)
_RETRY_S: Final = 1.0
_COMMIT_SAMPLES: Final = 512


def now_us() -> int:
    """Return the time of our clock."""
    return time.time_ns() // 1_000


class SpoolFile:
    """A spool on disk. Only one thread may use it, the one that made it.

    After each commit ``totals`` is as the tables are, and both laws hold. Beside the file lie its lock, its sidecar
    (``.totals.json``), the reserve for a full disk (``.ballast``), and what had to be set aside.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit_bytes: int,
        when_full: WhenFull = "refuse",
        reserve: Reserve = DEFAULT_RESERVE,
        clock: Callable[[], int] = now_us,
    ) -> None:
        """Open the file, or make it. One that is damaged is set aside and salvaged: see ``recovery``.

        Where the disk is too full or too faulty for any file, but the sidecar can be read, everything that is asked for
        gets RetryLater until the file can be opened.

        Args:
            path: The file; its folder is made when it is not there.
            limit_bytes: The queue is full while its rows occupy so much or more; one request may go beyond.
            when_full: Whether new lines are refused then, or the oldest rows dropped to make room.
            reserve: How much of the disk is kept free.
            clock: Returns microseconds since the epoch.

        Raises:
            Misconfigured: The file is another process's, or no file can be had here.
        """
        self._path = path
        self._bounds = Bounds(limit_bytes=limit_bytes, when_full=when_full)
        self._clock = clock
        self._commit_s: deque[float] = deque(maxlen=_COMMIT_SAMPLES)
        self._notebook = Notebook(Sidecar(path.with_suffix(".totals.json")))
        self._room = Room(path.with_suffix(".ballast"), reserve)
        self._opener = Opener(path, self._bounds, self._notebook, clock)
        self._upkeep = Upkeep(path, self._notebook, self._room)
        self._merger = Merger()
        self._found: Unusable | None = None
        self._tables: Tables | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as held:
                held.callback(os.close, connection.lock(path))
                self.server_id: Final = self._begin()
                self._held = held.pop_all()
        except (sqlite3.Error, OSError, Unusable) as err:
            raise Misconfigured(
                f"{path} cannot be opened: {err}: mend its disk, move the file away, or choose another data_dir"
            ) from err

    def commit(self, changes: Sequence[Change[Any]]) -> list[Any]:
        """Make all changes in one transaction, and return the answer to each in order, once they are durable.

        A change that cannot be made is answered with its error, not raised, and leaves the others alone.

        Raises:
            RetryLater: The disk or the file failed; none of the changes has been made.
        """
        began = time.perf_counter()
        outcomes = self._transact(lambda tables, group: [self._make(tables, group, change) for change in changes])
        self._commit_s.append(time.perf_counter() - began)
        self._publish()
        return outcomes

    def read[Answer](self, question: Callable[[Tables], Answer]) -> Answer:
        """Return the answer to a question about the tables, as of the last commit.

        Raises:
            RetryLater: The disk or the file failed.
        """
        return self._try(question, "read")

    def take(self, *, after: int, max_lines: int, max_bytes: int, up_to: int | None = None) -> list[Row]:
        """Return the oldest rows with ``after < id <= up_to``: one at least if there is one, else within the limits.

        Raises:
            RetryLater: The disk or the file failed.
        """
        rows = self.read(lambda tables: tables.queue.take(after, max_lines=max_lines, max_bytes=max_bytes, up_to=up_to))
        if rows:
            self._merger.leave(rows[-1].id)
        return rows

    def audit(self) -> list[str]:
        """Return one sentence for each number that the tables and ``totals`` do not agree in, and each broken law."""
        counted = self._count(Tables(self._ready().db, self._bounds))
        faults = self.totals.imbalances()
        if counted != self.totals:
            faults.append(f"the tables say {counted}, but {self.totals} was published")
        return faults

    def upkeep(self, *, is_idle: bool = True) -> float | None:
        """Do a little of what no request waits for; return the seconds until there is more to do, or None.

        Raises:
            RetryLater: The disk or the file failed.
        """
        wait_s = self.read(lambda tables: self._upkeep.run(tables, is_idle=is_idle))
        tables = self._ready()
        if self._upkeep.may_salvage(tables):
            self._transact(self._upkeep.salvage)
            self._upkeep.salvaged(tables)
            self._publish()
            self._merger.leave(self.totals.newest_row_id)  # what was carried over is in no order
            return 0.0
        if self._may_merge():
            self._transact(lambda tables, _: self._merger.step(tables, self._notebook.last_row_id))
            self._publish()
            return 0.0
        if self._room.shortage() != self.totals.shortage:
            self._publish()
        return wait_s

    def close(self) -> None:
        """Empty the journal into the file, and let others have it."""
        try:
            if self._tables is not None:
                self._notebook.save(self._tables)
                self._tables.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as err:
            _LOGGER.warning("The spool's journal stays beside it: %s", err)
        self._abandon()
        self._held.close()

    def _may_merge(self) -> bool:
        """Tell whether rows may be merged: such as the sidecar knows of, because a salvage counts by their ids."""
        return self._merger.is_due(self._notebook.last_row_id) and self._room.shortage() is None

    def _begin(self) -> str:
        """Open the file for the first time, and return the server's id."""
        try:
            tables = self._open()
        except (sqlite3.Error, OSError, Unusable) as err:
            if (noted := self._notebook.read()) is None:
                raise
            _LOGGER.error("The spool %s cannot be opened, and is tried again: %s", self._path, err)  # noqa: TRY400
            self.totals = remembered(noted, self._bounds)
            return noted.server_id
        self._tables = tables
        self._publish()
        return tables.server_id

    def _open(self) -> Tables:
        """Open the file, with the reserve's room where the disk is full."""
        try:
            tables = self._opener.open(self._found)
        except sqlite3.Error, OSError:
            if not (self._room.shortage() and self._room.give_up_ballast()):
                raise
            tables = self._opener.open(self._found)
        self._found = None
        return tables

    def _ready(self) -> Tables:
        """Return the tables; after a failure, those of a new connection.

        A failed fsync is told once, and the old connection's pages may not be what is on disk.
        """
        if self._tables is None:
            try:
                self._tables = self._open()
                self._publish()
            except (sqlite3.Error, OSError, Misconfigured, Unusable) as err:
                raise RetryLater(f"the spool cannot be opened: {err}", after=_RETRY_S) from err
        return self._tables

    def _transact[Answer](self, work: Callable[[Tables, Group], Answer]) -> Answer:
        def transact(tables: Tables) -> Answer:
            with tables.transaction(self._clock()) as group:
                group.shortage = self._room.shortage()
                return work(tables, group)

        return self._try(transact, "write")

    def _try[Answer](self, work: Callable[[Tables], Answer], verb: str) -> Answer:
        """Do something with the tables; where they are found to be damaged, once more with those of the new file."""
        for may_repeat in (True, False):
            tables = self._ready()
            try:
                return work(tables)
            except sqlite3.Error as err:
                self._failed(err)
                if not (may_repeat and damage.is_damage(err)):
                    raise RetryLater(f"the spool cannot {verb}: {err}", after=_RETRY_S) from err
            except BaseException:
                self._abandon()
                raise
        raise AssertionError

    def _failed(self, err: sqlite3.Error) -> None:
        """Give the connection up, and do what must be done before there can be another."""
        if damage.is_damage(err):
            self._found = Unusable("damaged", str(err))
            if self._tables is not None:
                connection.keep_whole(self._tables.db, whole=False)
        if damage.is_full(err):
            self._room.give_up_ballast()
        self._abandon()

    def _abandon(self) -> None:
        self._upkeep.forget_salvage()
        if self._tables is not None:
            self._tables.db.close()
            self._tables = None

    def _publish(self) -> None:
        tables = self._ready()
        self.totals = self._count(tables)
        self._notebook.note(tables, self.totals, self._clock())

    def _count(self, tables: Tables) -> Totals:
        return replace(
            tables.totals(commit_s=tuple(self._commit_s)),
            shortage=self._room.shortage(),
            salvage=self._upkeep.salvage_totals(tables),
        )

    def _make[Answer](self, tables: Tables, group: Group, change: Change[Answer]) -> Answer | Exception:
        try:
            with tables.part():
                return change.make(tables, group)
        except (OverflowError, UnicodeEncodeError, sqlite3.IntegrityError, sqlite3.DataError) as err:
            rejected = Rejected(f"the spool cannot hold this: {err}")
            rejected.__cause__ = err
            return rejected
        except ValueError as err:
            return err
