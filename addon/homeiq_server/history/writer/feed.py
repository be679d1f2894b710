"""Rows out of the spool, in fair turns."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from homeiq_server.history.spool import Row, Settled, Totals

from .cursors import Cursors
from .requests import Limits


class Queue(Protocol):
    """What the writer needs of the spool."""

    async def take(self, *, after: int, max_lines: int, max_bytes: int, up_to: int | None = None) -> list[Row]:
        """Return the oldest rows with ``after < id <= up_to``."""
        ...

    async def settle(self, results: Sequence[Settled]) -> None:
        """Take rows out of the queue; those that have left it before are passed over."""
        ...

    async def wait_for_rows(self, after: int) -> None:
        """Return when there is a row with an id above ``after``."""
        ...

    def totals(self) -> Totals:
        """Return all numbers as of the last commit."""
        ...


class Feed:
    """Hands out each row once, until it begins anew."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._cursors = Cursors()
        self._idle = asyncio.Event()

    @property
    def has_backlog(self) -> bool:
        """Whether there may be rows from before the database's latest return."""
        return self._cursors.has_backlog

    def returned(self) -> None:
        """Let what is accepted from now on go first: the database is there."""
        self._cursors.returned(self._queue.totals().newest_row_id)

    def begin_anew(self) -> None:
        """Hand out all rows again, the oldest first; but what is accepted from now on before them."""
        self._cursors.begin_anew(self._queue.totals().newest_row_id)

    async def take(self, limits: Limits, *, backlog: bool) -> list[Row]:
        """Return the rows whose turn it is, none when there are none.

        Args:
            limits: Of them together; a single row may be beyond.
            backlog: Whether they may be of the backlog.
        """
        while True:
            for cursor in self._cursors.by_turn():
                if cursor is not self._cursors.fresh and not backlog:
                    continue
                if rows := await self._queue.take(
                    after=cursor.after, up_to=cursor.up_to, max_lines=limits.lines, max_bytes=limits.raw_bytes
                ):
                    self._cursors.passed(cursor, rows[-1].id, sum(row.count for row in rows))
                    return rows
                self._cursors.exhausted(cursor)
            if not (self._cursors.has_backlog and backlog):
                return []

    async def wait(self, timeout_s: float | None) -> None:
        """Return when there is a fresh row, or after ``timeout_s``. Only when ``take`` has returned none."""
        if not self._cursors.has_backlog:
            self._idle.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._queue.wait_for_rows(self._cursors.fresh.after)
        self._idle.clear()

    async def drained(self) -> None:
        """Return when there is no row that was not handed out, and the last ones were dealt with."""
        await self._idle.wait()
        while await self._queue.take(after=self._cursors.fresh.after, max_lines=1, max_bytes=1):
            await self._idle.wait()  # it was idle before these rows came, and is about to notice them
