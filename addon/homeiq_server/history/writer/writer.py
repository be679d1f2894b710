"""From the spool to the database, for as long as it takes.

One request is in flight, oldest rows first. What is not settled stays in the spool: whatever stops the writer, and
wherever, those rows are sent again. That is harmless, because the same series at the same instant is the same point.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from homeiq_server.errors import RetryLater
from homeiq_server.history.answers import Action, Refusal
from homeiq_server.history.spool import Row, Settled
from homeiq_server.history.target import Identity, Target

from .isolation import Condemned, isolate
from .outage import Outage, Timing
from .pace import Pace
from .report import Meter, WriterReport, percentile, state_of
from .requests import MAX_BYTES, MAX_LINES, Request, unpack
from .settling import Sent, Settling

_LOGGER = logging.getLogger(__name__)

# A round of settling asks the database for its epoch: at most three in a settling time.
_ROUNDS: Final = 3
_SPOOL_RETRY_S: Final = 1.0
_QUIET_S: Final = 600.0


class Queue(Protocol):
    """What the writer needs of the spool."""

    async def take(self, *, after: int, max_lines: int, max_bytes: int) -> list[Row]:
        """Return the oldest rows with an id above ``after``."""
        ...

    async def settle(self, results: Sequence[Settled]) -> None:
        """Take rows out of the queue."""
        ...

    async def wait_for_rows(self, after: int) -> None:
        """Return when there is a row with an id above ``after``."""
        ...


class Writer:
    """Drains a spool into a database; ``run`` until cancelled."""

    def __init__(
        self, spool: Queue, target: Target, *, lines_per_second: int = 20_000, timing: Timing | None = None
    ) -> None:
        """Spare a small database: after an outage it gets no more than ``lines_per_second``."""
        self._spool = spool
        self._target = target
        self._timing = timing or Timing()
        self._pace = Pace(lines_per_second)
        self._outage = Outage(target.name, self._timing)
        self._settling = Settling()
        self._meter = Meter()
        self._identity: Identity | None = None
        self._connected = False
        self._epoch = ""
        self._cursor = 0  # the newest row that was sent
        self._next_round = 0.0
        self._quiet_until = 0.0
        self._idle = asyncio.Event()

    async def run(self) -> None:
        """Send rows and settle them until cancelled."""
        spool_fails = False
        while True:
            try:
                await self._persist(_nothing_yet)
                while True:
                    await self._turn()
                    spool_fails = False
            except RetryLater as err:
                if not spool_fails:
                    _LOGGER.warning("the writer waits for the spool: %s", err)
                spool_fails = True
                self._begin_anew()
                await asyncio.sleep(err.after or _SPOOL_RETRY_S)

    async def _turn(self) -> None:
        """Settle what is due, send what waits; or wait for either."""
        await self._settle_due()
        if rows := await self._next_rows():
            unpacked = await asyncio.to_thread(unpack, rows)
            if unpacked.damaged:
                _LOGGER.error("%d rows of the spool are damaged: their lines are lost", len(unpacked.damaged))
                await self._settle(unpacked.damaged)
            for request in unpacked.requests:
                await self._deliver(request)

    async def drain(self, deadline_s: float) -> None:
        """Wait until everything in the spool has been sent once, at most ``deadline_s``; ``run`` must be running."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self._idle.wait()
                while await self._spool.take(after=self._cursor, max_lines=1, max_bytes=1):
                    await self._idle.wait()  # it was idle before these rows came, and is about to notice them

    def report(self) -> WriterReport:
        """Return how things are now; no I/O."""
        refusal, meter = self._outage.refusal, self._meter
        return WriterReport(
            state=state_of(refusal, self._identity),
            identity=self._identity,
            error=refusal.reason if refusal else None,
            category=refusal.category if refusal else None,
            retry_in_s=max(self._outage.retry_at - time.monotonic(), 0) if refusal else None,
            last_write_us=meter.last_write_us,
            newest_written_us=meter.newest_written_us,
            settling=self._settling.lines,
            write_p50_s=percentile(meter.write_s, 50),
            write_p99_s=percentile(meter.write_s, 99),
            accepted_to_written_p99_s=percentile(meter.accepted_to_written_s, 99),
            lines_written_per_minute=meter.rate.per_minute(),
        )

    async def _next_rows(self) -> list[Row]:
        """Return the next rows to send; none when none came before it is time to settle."""
        if self._settling.is_full:
            await asyncio.sleep(self._until_round() or 0)
            return []
        if rows := await self._spool.take(after=self._cursor, max_lines=MAX_LINES, max_bytes=MAX_BYTES):
            self._cursor = rows[-1].id
            return rows
        self._idle.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._until_round()):
                await self._spool.wait_for_rows(self._cursor)
        self._idle.clear()
        return []

    async def _deliver(self, request: Request) -> None:
        """Send one request, and again, and its parts, until each line was taken or condemned."""
        epochs: set[str] = set()

        async def attempt(body: bytes) -> Refusal | None:
            refusal = await self._persist(partial(self._write, body, request.precision))
            epochs.add(self._epoch)
            return refusal

        condemned: list[Condemned] = []
        if refusal := await attempt(request.body):
            condemned = await isolate(request.body.split(b"\n"), refusal, attempt)
            self._tell(condemned, request)
        self._meter.acknowledged(request.rows)
        due = time.monotonic() + self._target.settling_s
        # Sent in parts to more than one process: the first has lost its part, so no process vouches for the rows.
        epoch = epochs.pop() if len(epochs) == 1 else None
        results = request.results(condemned, self._target.name)
        self._settling.add([Sent(result, due, epoch) for result in results])

    async def _write(self, body: bytes, precision: str) -> Refusal | None:
        await self._pace.wait(body.count(b"\n") + 1)
        started = time.monotonic()
        refusal = await self._target.write(body, precision=precision)
        if refusal is None:
            self._meter.write_s.append(time.monotonic() - started)
        return refusal

    async def _persist[T](self, ask: Callable[[], Awaitable[T | Refusal]]) -> T | Refusal:
        """Ask until the database answers for good: with what was asked for, or a refusal of the lines themselves."""
        while True:
            answer = await self._connect() or await ask()
            if not isinstance(answer, Refusal) or answer.lines_at_fault:
                self._outage.ended()
                return answer
            self._connected = False
            self._outage.failed(answer)
            await self._pause(answer)

    async def _connect(self) -> Refusal | None:
        """Find out who answers, unless nothing has failed since that was last asked."""
        if self._connected:
            return None
        if isinstance(identity := await self._target.identify(), Refusal):
            return identity
        if isinstance(epoch := await self._target.epoch(), Refusal):
            return epoch
        self._identity, self._epoch, self._connected = identity, epoch, True
        return None

    async def _pause(self, refusal: Refusal) -> None:
        """Wait for the next try, but no longer than until the database answers again after it did not."""
        probe_s = self._timing.probe
        was_away = refusal.status is None
        if refusal.action is Action.RETRY and refusal.after is None:
            while self._outage.retry_at - time.monotonic() > probe_s:
                await asyncio.sleep(probe_s)
                is_healthy = await self._target.healthy()
                if was_away and is_healthy:
                    return
                was_away = not is_healthy
        await asyncio.sleep(max(self._outage.retry_at - time.monotonic(), 0))

    def _until_round(self) -> float | None:
        """Return the seconds until rows can be settled; None when there are none."""
        due = self._settling.due
        return None if due is None else max(due, self._next_round) - time.monotonic()

    async def _settle_due(self) -> None:
        """Settle the rows that are due; send all again that a database's process took with it when it ended."""
        wait_s = self._until_round()
        if wait_s is None or wait_s > 0:
            return
        epoch = await self._persist(self._target.epoch)
        if isinstance(epoch, Refusal):
            return
        self._epoch = epoch
        self._next_round = time.monotonic() + self._target.settling_s / _ROUNDS
        await self._settle(self._settling.take_due(time.monotonic(), epoch))
        if self._settling.lost(epoch):
            lines = self._begin_anew()
            _LOGGER.info("%s was restarted and may have lost lines: sending %d again", self._target.name, lines)

    def _begin_anew(self) -> int:
        """Go back to the oldest row of the spool; return how many lines will be sent again."""
        self._cursor = 0
        return self._settling.clear()

    async def _settle(self, results: Sequence[Settled]) -> None:
        if results:
            await self._spool.settle(results)
            self._meter.settled(results)

    def _tell(self, condemned: Sequence[Condemned], request: Request) -> None:
        """Log dead letters, but not for every request of a device that goes on sending what is refused."""
        if time.monotonic() < self._quiet_until:
            return
        self._quiet_until = time.monotonic() + _QUIET_S
        lines = sum(len(verdict.lines) for verdict in condemned)
        _LOGGER.warning(
            "%s refused %d of %d lines, they are dead letters: %s",
            self._target.name, lines, request.count, condemned[0].reason,
        )  # fmt: skip


async def _nothing_yet() -> None:
    """Ask for nothing: the connection is made, and it is known who answers, before there is a line to send."""
