"""From the spool to the database, for as long as it takes.

One request is in flight. What is not settled stays in the spool: whatever stops the writer, and wherever, those rows
are sent again. That is harmless, because the same series at the same instant is the same point.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from homeiq_server.errors import RetryLater
from homeiq_server.history.points.translate import Memory
from homeiq_server.history.spool import Row, Settled
from homeiq_server.history.target import Identity, Target

from .connection import Connection, FormChanged
from .delivery import Delivery
from .feed import Feed, Queue
from .journal import Journal
from .outage import Timing
from .pace import Pace
from .report import Meter, WriterReport, percentile, state_of
from .requests import Request, limits_of
from .settling import Sent, Settling
from .unpacking import Terms, unpack
from .wall_clock import WallClock

_LOGGER = logging.getLogger(__name__)

# A round of settling asks the database for its epoch: at most three in a settling time.
_ROUNDS: Final = 3
_SPOOL_RETRY_S: Final = 1.0


class Writer:
    """Drains a spool into a database; ``run`` until cancelled."""

    def __init__(
        self,
        spool: Queue,
        target: Target,
        *,
        lines_per_second: int = 20_000,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Spare a small database: after an outage it gets no more than ``lines_per_second``."""
        timing = timing or Timing()
        self._spool = spool
        self._target = target
        self._lines_per_second = lines_per_second
        self._timing = timing
        self._clock = clock
        self._connection = Connection(target, timing=timing, returned=self._returned, clock=clock)
        self._wall_clock = WallClock(patience_s=timing.clock_wait, clock=clock)
        self._feed = Feed(spool)
        self._settling = Settling()
        self._next_round = 0.0
        self._meter = Meter()
        pace = Pace(lines_per_second, clock)
        self._delivery = Delivery(self._connection, target, pace=pace, meter=self._meter, clock=clock)
        self._known: Identity | None = None
        self._memory = Memory()
        self._journal = Journal(clock)

    async def run(self) -> None:
        """Send rows and settle them until cancelled."""
        while True:
            try:
                await self._connection.connect()
                while True:
                    await self._turn()
                    self._journal.spool_works()
            except RetryLater as err:
                self._journal.spool_fails(err)
                self._begin_anew()
                await asyncio.sleep(err.after or _SPOOL_RETRY_S)
            except FormChanged:
                _LOGGER.info("%s answers at %s now", self._target.name, self._target.url)
                self._begin_anew()

    async def drain(self, deadline_s: float) -> None:
        """Wait until everything in the spool has been sent once, at most ``deadline_s``; ``run`` must be running."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self._feed.drained()

    def report(self) -> WriterReport:
        """Return how things are now; no I/O."""
        outage, meter = self._connection.outage, self._meter
        refusal, identity = outage.refusal, self._connection.identity
        return WriterReport(
            state=state_of(refusal, identity),
            identity=identity,
            error=refusal.reason if refusal else None,
            category=refusal.category if refusal else None,
            retry_in_s=max(outage.retry_at - self._clock(), 0) if refusal else None,
            last_write_us=meter.last_write_us,
            newest_written_us=meter.newest_written_us,
            settling=self._settling.lines,
            write_p50_s=percentile(meter.write_s, 50),
            write_p99_s=percentile(meter.write_s, 99),
            accepted_to_written_p99_s=percentile(meter.accepted_to_written_s, 99),
            lines_written_per_minute=meter.rate.per_minute(),
            catching_up=self._feed.has_backlog,
            sent_again=meter.sent_again,
            coerced=meter.coerced,
            diverted=meter.diverted,
        )

    def _returned(self) -> None:
        """Take notice that the database is there, for the first time or again."""
        self._feed.returned()
        if self._known != self._connection.identity:
            self._delivery.forget_conflicts()
            self._known = self._connection.identity

    async def _turn(self) -> None:
        """Settle what is due, send what waits; or wait for either."""
        await self._settle_due()
        if self._settling.lost(self._connection.epoch):
            lines = self._begin_anew()
            _LOGGER.info("%s was restarted and may have lost lines: sending %d again", self._target.name, lines)
        if rows := await self._next_rows():
            await self._send(rows)

    async def _next_rows(self) -> list[Row]:
        """Return the next rows to send; none when none came before it is time to settle."""
        if self._settling.is_full:
            await asyncio.sleep(self._until_round() or 0)
            return []
        limits = limits_of(self._connection.identity, self._lines_per_second)
        if rows := await self._feed.take(limits, backlog=self._settling.has_room_for_backlog):
            return rows
        await self._feed.wait(self._until_round())
        return []

    async def _send(self, rows: Sequence[Row]) -> None:
        """Unpack rows and bring what is in them to the database."""
        while doubt := self._wall_clock.doubt(rows, self._target.kept.future):
            self._connection.outage.failed(doubt)
            await asyncio.sleep(self._timing.probe)
        self._connection.outage.ended()
        terms = Terms(
            product=self._target.name,
            form=self._target.form,
            kept=self._target.kept,
            now_us=self._wall_clock.now_us(),
            memory=self._memory,
        )
        unpacked = await asyncio.to_thread(unpack, rows, terms)
        self._journal.dropped(unpacked.dropped)
        await self._settle(unpacked.finished)
        for request in unpacked.requests:
            await self._deliver(request)

    async def _deliver(self, request: Request) -> None:
        """Send one request, and let its rows settle."""
        delivered = await self._delivery.send(request)
        self._journal.refused(delivered.condemned, by=self._target.name, of=request.count)
        self._meter.acknowledged(part.row for part in request.parts)
        due = self._clock() + self._target.settling_s
        results = request.results(delivered.condemned, self._target.name)
        self._settling.add([Sent(result, due, delivered.epoch) for result in results])

    def _until_round(self) -> float | None:
        """Return the seconds until rows can be settled; None when there are none."""
        due = self._settling.due
        return None if due is None else max(due, self._next_round) - self._clock()

    async def _settle_due(self) -> None:
        """Settle the rows that are due, and that the process has which acknowledged them."""
        wait_s = self._until_round()
        if wait_s is None or wait_s > 0 or not await self._connection.ask_epoch():
            return
        self._next_round = self._clock() + self._target.settling_s / _ROUNDS
        await self._settle(self._settling.take_due(self._clock(), self._connection.epoch))

    def _begin_anew(self) -> int:
        """Go back to the oldest row of the spool; return how many lines will be sent again."""
        self._feed.begin_anew()
        self._memory = Memory()
        lines = self._settling.clear()
        self._meter.sent_again += lines
        return lines

    async def _settle(self, results: Sequence[Settled]) -> None:
        """Take rows out of the spool; while its disk fails, again: the database has them, so they need not be sent."""
        if not results:
            return
        before = self._spool.totals().lines.written
        while True:
            try:
                await self._spool.settle(results)
                break
            except RetryLater as err:
                self._journal.spool_fails(err)
                await asyncio.sleep(err.after or _SPOOL_RETRY_S)
        self._journal.spool_works()
        # By the spool's own count: rows that it had to drop meanwhile were not written, whatever we have sent.
        self._meter.written(max(self._spool.totals().lines.written - before, 0))
