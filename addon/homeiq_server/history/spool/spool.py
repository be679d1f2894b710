"""The durable queue on disk between intake and database.

Format: one SQLite file (``schema.sql``). A row of ``queue`` is one batch of line protocol as one zstd
frame with checksum. Dead letters, the place of every stream, the gaps, the labels and the counters lie in
the same file, so that one transaction moves all of them: there are no two files that could disagree.

Invariant: an acknowledged batch is in the file, or its lines are counted as written, dead or dropped. A
receipt is given only after COMMIT with ``synchronous = FULL`` (the setting is read back). Both laws of
``totals.py`` hold after every commit; ``SpoolFile.audit`` compares the counters with the rows.

Recovery: killed at any instant, SQLite opens the file as of the last commit; what was not acknowledged is sent
again by its sender, and known by its place in the stream if it had been stored all the same. A commit or fsync that
fails is answered with RetryLater to all who waited for it, and the file is opened anew, because the pages in memory
may no longer be those on disk. A damaged file is set aside, a new one goes on at once with its numbers
(``recovery``), and its rows follow page by page. The totals stand once more in a sidecar. A disk that is short of
room takes no lines, and 8 MiB are kept in reserve for all that makes room (``room.py``).

Speed: one thread owns the only connection. It takes all that waits and commits it as one group, without a
timer: the slower the disk, the larger the groups. ``take`` reads on the same connection: a few hundred
kilobytes take less than a millisecond, and a second connection would hold the journal back and need answers
for a busy database. Cost a commit: about 15 KiB on the device, however small; so senders gather.
Small rows that wait and that nobody was given yet become large ones, which pack better (``changes/merging.py``).

Bounds: the queue by ``limit_bytes``, then intake is refused, or the oldest rows are dropped (``overflow.py``); file
and journal together stay within the limit and 16 MiB, the reserve and one damaged copy apart, and the dead letters,
which have 64 MiB of their own (oldest dropped, counted). Requests that wait by 8 MiB (then RetryLater), streams by
24 hours and 10,000, sources by 1,000, open gaps by 1,000 a source (oldest joined), closed ones by as many and 90
days, labels by 20,000 entities a source, reasons by 64 a counter (then ``other``). In memory stand the counters, at
most 10 gaps and 100 sources, and 512 durations.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from homeiq_server.errors import RetryLater
from homeiq_server.model import Intake, Labels, Receipt

from .changes.change import Change
from .changes.complete_gap import Completed, CompleteGap, Range, uncovered
from .changes.dead_letters import DiscardDead, ReplayDead
from .changes.put import Put
from .changes.settle import Settle
from .file import SpoolFile
from .notices import Notices
from .room import DEFAULT_RESERVE, Reserve
from .rows import Row, Settled
from .tables.dead_query import DeadQuery, StoredLetter, Which
from .tables.tables import Tables
from .thread import SpoolThread
from .totals import KnownGap, Totals, WhenFull

MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
_BUSY_RETRY_S: Final = 1.0
_CLOSED_RETRY_S: Final = 5.0


class Spool:
    """The queue as the event loop sees it. Make one with ``open``; every method belongs to that event loop.

    Attributes:
        server_id: Identifies this server for as long as the file or its sidecar lives, 32 hexadecimal digits.
        form: What the lines of the next ``put`` are encoded for, ``influx`` or ``victoria``; kept with each row. May be
            changed at any time, when another database is found.
    """

    server_id: str
    form: str = "influx"

    def __init__(self, path: Path, *, limit_bytes: int, when_full: WhenFull, reserve: Reserve) -> None:
        self._thread = SpoolThread(
            lambda: SpoolFile(path, limit_bytes=limit_bytes, when_full=when_full, reserve=reserve), self._publish
        )
        self._notices = Notices()
        self._totals = Totals(limit_bytes=limit_bytes)
        self._published = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(
        cls, path: Path, *, limit_bytes: int, when_full: WhenFull = "refuse", reserve: Reserve = DEFAULT_RESERVE
    ) -> Self:
        """Open the file, or make it; what lies there and is no spool, or a damaged one, is set aside.

        Args:
            path: The file; its folder is made when it is not there.
            limit_bytes: The queue is full while it takes so much of the disk or more.
            when_full: Whether new lines are refused then, or the oldest rows dropped to make room.
            reserve: How much of the disk is kept free.

        Raises:
            Misconfigured: Another process has it, or no file can be had there.
        """
        spool = cls(path, limit_bytes=limit_bytes, when_full=when_full, reserve=reserve)
        file = await spool._thread.start()
        spool.server_id = file.server_id
        spool._publish(file.totals)
        return spool

    async def close(self) -> None:
        """Commit what waits, empty the journal, and close the file; what comes later gets RetryLater."""
        if not self._closed:
            self._closed = True
            self._published.set()
            await self._thread.stop()

    async def put(self, intake: Intake) -> Receipt:
        """Store what one request brought; return when it is on disk.

        A cancelled caller does not undo the change; sent again, it is a duplicate.

        Raises:
            SequenceHole: A batch before this one is missing.
            RetryLater: The spool is full, busy, closing, or its disk fails; nothing was stored.
            Rejected: A number or a text of the request cannot be stored, ever.
            ValueError: The request's own numbers contradict each other: a fault of the caller.
        """
        self._check_open()
        if self._thread.waiting_bytes >= MAX_WAITING_BYTES:
            raise RetryLater("the disk is slower than what comes in", after=_BUSY_RETRY_S)
        size = len(intake.lines.body) + sum(map(len, intake.labels.values()))
        return await self._thread.make(Put(intake, self.form), size=size)

    async def take(self, *, after: int, max_lines: int, max_bytes: int, up_to: int | None = None) -> list[Row]:
        """Return the oldest rows with ``after < id <= up_to``, all within the limits, but one if there is one.

        The rows stay in the queue until they are settled. ``max_bytes`` counts the bodies as decompressed.

        Raises:
            RetryLater: The spool is closing, or its disk fails.
        """
        self._check_open()
        return await self._thread.read(
            lambda file: file.take(after=after, max_lines=max_lines, max_bytes=max_bytes, up_to=up_to)
        )

    async def settle(self, results: Sequence[Settled]) -> None:
        """Take rows out of the queue, each line written, dead or dropped; return when that is on disk.

        Rows that have left the queue before are passed over.

        Raises:
            RetryLater: The spool is closing, or its disk fails; nothing was settled.
            Rejected: A dead letter cannot be stored; nothing was settled.
            ValueError: A result does not account for exactly the lines of its row; nothing was settled.
        """
        await self._make(Settle(tuple(results)))

    async def labels(self, source: str) -> dict[str, Labels]:
        """Return what ``source`` last told of its entities, by entity_id; the caller owns the dict.

        Raises:
            RetryLater: The spool is closing, or its disk fails.
        """
        return await self._read(lambda tables: tables.labels.read(source))

    async def uncovered(self, source: str, start_us: int, end_us: int) -> list[Range]:
        """Return what of the stretch is not known to be covered: before ``source`` first came, and its open gaps.

        In order and without overlap.

        Raises:
            RetryLater: The spool is closing, or its disk fails.
        """
        return await self._read(lambda tables: uncovered(tables, source, start_us, end_us))

    async def covered_since_us(self, source: str) -> int | None:
        """Return from when on the events of ``source`` have come, gaps apart; None when none has come live.

        Raises:
            RetryLater: The spool is closing, or its disk fails.
        """
        return await self._read(lambda tables: tables.sources.covered_us(source))

    async def open_gaps(self, source: str) -> list[KnownGap]:
        """Return the open gaps of ``source``, by their start.

        Raises:
            RetryLater: The spool is closing, or its disk fails.
        """
        return await self._read(lambda tables: tables.gaps.open_of(source))

    async def complete_gap(self, source: str, start_us: int, end_us: int, missed: int | None) -> Completed:
        """Close the gaps in a stretch that a backfill has covered; what reaches beyond stays open.

        The source's coverage begins earlier when the stretch leads up to it. ``missed`` are events of the stretch
        that could not be supplied, or None when nobody counted.

        Raises:
            RetryLater: The spool is closing, or its disk fails; nothing was closed.
            Rejected: A time is beyond 64 bits.
            ValueError: The stretch has no length, or ``missed`` is negative.
        """
        return await self._make(CompleteGap(source, start_us, end_us, missed))

    async def dead_letters(self, query: DeadQuery) -> list[StoredLetter]:
        """Return dead letters, newest first.

        Raises:
            RetryLater: The spool is closing, or its disk fails.
        """
        return await self._read(lambda tables: tables.dead.search(query))

    async def replay(self, which: Which) -> int:
        """Queue dead letters again, oldest first and so many as find room; return how many lines.

        Lines that are too long for any database stay where they are.

        Raises:
            RetryLater: The spool is full or closing, or its disk fails; nothing was moved.
        """
        return await self._make(ReplayDead(which))

    async def discard(self, which: Which) -> int:
        """Give dead letters up; return how many lines, which count as dropped.

        Raises:
            RetryLater: The spool is closing, or its disk fails; nothing was deleted.
        """
        return await self._make(DiscardDead(which))

    def totals(self) -> Totals:
        """Return all numbers as of the last commit, without touching the disk."""
        return self._totals

    async def wait_for_rows(self, after: int) -> None:
        """Return when a row with an id above ``after`` is queued.

        Raises:
            RetryLater: The spool is closing.
        """
        self._check_open()
        while self._totals.newest_row_id <= after:
            await self._published.wait()
            self._check_open()

    def _publish(self, totals: Totals) -> None:
        """Renew the totals, and wake those who wait for rows; a new event is for the next commit."""
        self._notices.see(totals)
        self._totals = replace(totals, is_filling=self._notices.is_filling)
        self._published.set()
        self._published = asyncio.Event()

    async def _read[Answer](self, question: Callable[[Tables], Answer]) -> Answer:
        self._check_open()
        return await self._thread.read(lambda file: file.read(question))

    async def _make[Answer](self, change: Change[Answer]) -> Answer:
        self._check_open()
        return await self._thread.make(change)

    def _check_open(self) -> None:
        if self._closed:
            raise RetryLater("the spool is closing", after=_CLOSED_RETRY_S)
