"""Rows, a queue in memory, and a writer between a real spool and a fake database."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from compression import zstd
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from homeiq_server.errors import RetryLater
from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.spool import Row, Settled, Spool, Totals
from homeiq_server.history.spool.totals import LineTotals
from homeiq_server.history.writer import Writer
from homeiq_server.history.writer.outage import Timing
from homeiq_server.model import Intake, Lines, Tally
from tests.unit.homeiq_server.history.fake_database import FakeDatabase

QUICK = Timing(backoff=0.01, longest_backoff=0.05, hold=0.05, probe=0.01, clock_wait=0.05)


def row(row_id: int, body: bytes, **changes: object) -> Row:
    whole = Row(
        id=row_id,
        accepted_us=1,
        channel="events",
        source=None,
        precision="us",
        form="influx",
        count=body.count(b"\n") + 1,
        raw_bytes=len(body),
        newest_us=None,
        packed=zstd.compress(body, 1),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # a test's choice


class ShortQueue:
    """Rows in memory, and a disk that fails now and then.

    Attributes:
        rows: Those that wait, by id.
        settled: What became of the others.
        failures: How many times the disk is going to fail.
        emptied: Set whenever no row is left.
    """

    def __init__(self, rows: Sequence[Row] = (), *, failures: int = 0) -> None:
        self.rows = {row.id: row for row in rows}
        self.settled: list[Settled] = []
        self.failures = failures
        self.emptied = asyncio.Event()
        self._came = asyncio.Event()
        self._newest = max(self.rows, default=0)
        self._written = 0

    def put(self, one: Row) -> None:
        self.rows[one.id] = one
        self._newest = one.id
        self.emptied.clear()
        self._came.set()

    async def take(self, *, after: int, max_lines: int, max_bytes: int, up_to: int | None = None) -> list[Row]:
        taken: list[Row] = []
        for one in self.rows.values():
            if not after < one.id <= (up_to or one.id):
                continue
            max_lines -= one.count
            max_bytes -= one.raw_bytes
            if taken and (max_lines < 0 or max_bytes < 0):
                break
            taken.append(one)
        return taken

    async def settle(self, results: Sequence[Settled]) -> None:
        if self.failures:
            self.failures -= 1
            raise RetryLater("the disk fails", after=0.01)
        for result in results:
            if (gone := self.rows.pop(result.row_id, None)) is None:
                continue
            assert result.count() == gone.count
            self.settled.append(result)
            self._written += result.written
        if not self.rows:
            self.emptied.set()

    async def wait_for_rows(self, after: int) -> None:
        while self._newest <= after:
            self._came.clear()
            await self._came.wait()

    def totals(self) -> Totals:
        return Totals(newest_row_id=max(self.rows, default=0), lines=LineTotals(written=self._written))


class Rig:
    """A spool, a writer that runs, and what was put in."""

    def __init__(self, spool: Spool, target: Influx, writer: Writer) -> None:
        self.spool = spool
        self.target = target
        self.writer = writer
        self.put_lines: list[bytes] = []

    async def put(self, *lines: bytes, precision: str = "us", newest_us: int | None = None) -> None:
        tally = Tally(received=len(lines), converted=len(lines), skipped={}, rejected={})
        body = Lines(b"\n".join(lines), len(lines), precision)
        await self.spool.put(Intake(channel="line_protocol", tally=tally, lines=body, last_us=newest_us))
        self.put_lines += lines

    async def put_many(self, count: int) -> None:
        start = len(self.put_lines)
        await self.put(*numbered(start, start + count))

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, at most 20 s; both laws hold meanwhile."""
        deadline = time.monotonic() + 20
        while not condition():
            assert self.spool.totals().imbalances() == []
            assert time.monotonic() < deadline, (self.writer.report(), self.spool.totals().lines)
            await asyncio.sleep(0.005)

    async def until_empty(self) -> None:
        await self.until(lambda: self.queued == 0)

    @property
    def written(self) -> int:
        return self.spool.totals().lines.written

    @property
    def queued(self) -> int:
        return self.spool.totals().lines.queued

    @property
    def dead(self) -> int:
        return self.spool.totals().lines.dead

    @property
    def dropped(self) -> dict[str, int]:
        return dict(self.spool.totals().lines.dropped)


def numbered(start: int, stop: int) -> list[bytes]:
    return [b"m,t=%d f=1.0 %d" % (n, n) for n in range(start, stop)]


@asynccontextmanager
async def rig(
    folder: Path, database: FakeDatabase, *, timing: Timing = QUICK, settling_s: float = 0.05, **settings: object
) -> AsyncIterator[Rig]:
    """Run a writer between a spool in ``folder`` and ``database``."""
    spool = await Spool.open(folder / "spool.sqlite", limit_bytes=1024**3)
    options = {"url": database.url, "timeout_s": 5, **settings}
    target = Influx(InfluxSettings(**options), victoria_settling_s=settling_s)  # type: ignore[arg-type]  # a test's choice
    writer = Writer(spool, target, timing=timing)
    task = asyncio.create_task(writer.run(), name="writer")
    try:
        yield Rig(spool, target, writer)
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.wait([task])
        await target.close()
        await spool.close()
