"""The spool without a thread or an event loop: one SQLite file, its transactions, and what to do when it fails."""

import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from homeiq_server.errors import Misconfigured, Rejected, RetryLater
from homeiq_server.model import Labels, Receipt

from . import changes, connection
from .changes import Put
from .rows import Row, Settled
from .tables import Group, Tables
from .totals import Totals

type Change = Put | tuple[Settled, ...]
"""What one caller asks for; done wholly or not at all."""

type Outcome = Receipt | Exception | None
"""The answer to a change: of an intake a receipt, of settled rows None, else the error to raise."""

_LOGGER = logging.getLogger(__name__)
_RETRY_S: Final = 1.0
_COMMIT_SAMPLES: Final = 512
_SHRINK_ABOVE_PAGES: Final = 1_024  # 4 MiB


def now_us() -> int:
    """Return the time of our clock."""
    return time.time_ns() // 1_000


class SpoolFile:
    """A spool on disk. Only one thread may use it, the one that made it.

    After each commit ``totals`` is as the tables are, and both laws hold.
    """

    def __init__(self, path: Path, *, limit_bytes: int, clock: Callable[[], int] = now_us) -> None:
        """Open the file, or make it.

        Args:
            path: The file; its folder is made when it is not there.
            limit_bytes: Lines are refused while the queued rows occupy so much or more; one commit may go beyond.
            clock: Returns microseconds since the epoch.

        Raises:
            Misconfigured: The file is another process's, not a spool, or cannot be opened.
        """
        self._path = path
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._commit_s: deque[float] = deque(maxlen=_COMMIT_SAMPLES)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as held:
                held.callback(os.close, connection.lock(path))
                self._tables: Tables | None = self._open()
                self._held = held.pop_all()
        except (sqlite3.Error, OSError) as err:
            raise Misconfigured(
                f"{path} cannot be opened: {err}: mend its disk, move the file away, or choose another data_dir"
            ) from err
        self.server_id: Final = self._tables.server_id
        self.totals = self._count(self._tables)
        for fault in self.totals.imbalances():
            _LOGGER.error("The rows of %s do not match its counters: %s", path, fault)

    def commit(self, changes: Sequence[Change]) -> list[Outcome]:
        """Make all changes in one transaction, and return the answer to each in order, once they are durable.

        A change that cannot be made is answered with its error and leaves the others alone.

        Raises:
            RetryLater: The disk or the file failed; none of the changes has been made.
        """
        tables = self._ready()
        began = time.perf_counter()
        try:
            with tables.transaction(self._clock()) as group:
                outcomes = [self._make(tables, group, change) for change in changes]
            self._commit_s.append(time.perf_counter() - began)
            self.totals = self._count(tables)
        except sqlite3.Error as err:
            self._abandon()
            raise RetryLater(f"the spool cannot write: {err}", after=_RETRY_S) from err
        except BaseException:
            self._abandon()
            raise
        return outcomes

    def take(self, *, after: int, max_lines: int, max_bytes: int) -> list[Row]:
        """Return the oldest rows whose id is above ``after``: one at least when there is one, else within the limits.

        Raises:
            RetryLater: The disk or the file failed.
        """
        return self._read(lambda tables: tables.queue.take(after=after, max_lines=max_lines, max_bytes=max_bytes))

    def labels(self, source: str) -> dict[str, Labels]:
        """Return what a source last told of its entities, by entity_id.

        Raises:
            RetryLater: The disk or the file failed.
        """
        return self._read(lambda tables: tables.labels.read(source))

    def audit(self) -> list[str]:
        """Return one sentence for each number that the tables and ``totals`` do not agree in, and each broken law."""
        counted = Tables(self._ready().db).totals(limit_bytes=self._limit_bytes, commit_s=self.totals.commit_s)
        faults = self.totals.imbalances()
        if counted != self.totals:
            faults.append(f"the tables say {counted}, but {self.totals} was published")
        return faults

    def shrink(self) -> None:
        """Give up to 1 MiB of disk back when more than half of the file lies unused. Costs a few milliseconds."""
        if self._tables is None:
            return
        try:
            (free,) = self._tables.db.execute("PRAGMA freelist_count").fetchone()
            (pages,) = self._tables.db.execute("PRAGMA page_count").fetchone()
            if free > _SHRINK_ABOVE_PAGES and free * 2 > pages:
                self._tables.db.execute("PRAGMA incremental_vacuum(256)").fetchall()
        except sqlite3.Error as err:
            _LOGGER.debug("The spool cannot shrink now: %s", err)

    def close(self) -> None:
        """Empty the journal into the file, and let others have it."""
        try:
            if self._tables is not None:
                self._tables.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as err:
            _LOGGER.warning("The spool's journal stays beside it: %s", err)
        self._abandon()
        self._held.close()

    def _open(self) -> Tables:
        db = connection.connect(self._path)
        try:
            return Tables(db)
        except BaseException:
            db.close()
            raise

    def _ready(self) -> Tables:
        """Return the tables; after a failure, those of a new connection.

        A failed fsync is told once, and the old connection's pages may not be what is on disk.
        """
        if self._tables is None:
            try:
                self._tables = self._open()
                self.totals = self._count(self._tables)
            except (sqlite3.Error, OSError, Misconfigured) as err:
                raise RetryLater(f"the spool cannot be opened: {err}", after=_RETRY_S) from err
        return self._tables

    def _abandon(self) -> None:
        if self._tables is not None:
            self._tables.db.close()
            self._tables = None

    def _count(self, tables: Tables) -> Totals:
        return tables.totals(limit_bytes=self._limit_bytes, commit_s=tuple(self._commit_s))

    def _make(self, tables: Tables, group: Group, change: Change) -> Outcome:
        try:
            with tables.part():
                if isinstance(change, Put):
                    return changes.put(tables, group, change, limit_bytes=self._limit_bytes)
                changes.settle(tables, group, change)
                return None
        except (OverflowError, UnicodeEncodeError, sqlite3.IntegrityError, sqlite3.DataError) as err:
            rejected = Rejected(f"the spool cannot hold this: {err}")
            rejected.__cause__ = err
            return rejected
        except ValueError as err:
            return err

    def _read[Answer](self, question: Callable[[Tables], Answer]) -> Answer:
        try:
            return question(self._ready())
        except sqlite3.Error as err:
            self._abandon()
            raise RetryLater(f"the spool cannot be read: {err}", after=_RETRY_S) from err
