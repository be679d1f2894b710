"""A spool and a writer between a test and a real database."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.spool import Spool
from homeiq_server.history.writer import Writer
from homeiq_server.history.writer.outage import Timing
from homeiq_server.model import Intake, Lines, Tally

SETTLING_S = 5.0


@asynccontextmanager
async def writing(folder: Path, settings: InfluxSettings) -> AsyncIterator[tuple[Spool, Writer]]:
    """Run a writer from a spool in ``folder``; it tries again soon, whatever is wrong."""
    spool = await Spool.open(folder / "spool.sqlite", limit_bytes=1024**3)
    target = Influx(settings, victoria_settling_s=SETTLING_S)
    writer = Writer(spool, target, timing=Timing(backoff=0.1, hold=0.1, probe=0.1))
    task = asyncio.create_task(writer.run(), name="writer")
    try:
        yield spool, writer
    finally:
        assert not task.done(), task
        task.cancel()
        await asyncio.wait([task])
        await target.close()
        await spool.close()


async def put(spool: Spool, *lines: str) -> None:
    """Put lines of microseconds into the spool."""
    tally = Tally(received=len(lines), converted=len(lines), skipped={}, rejected={})
    body = Lines("\n".join(lines).encode(), len(lines), "us")
    await spool.put(Intake(channel="line_protocol", tally=tally, lines=body))


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a condition on another process has no event
            await asyncio.sleep(0.02)


def points(count: int, *, start: int = 0) -> list[str]:
    """Return lines of as many series, one millisecond apart, from now on."""
    now_us = time.time_ns() // 1_000
    return [f"climate,entity_id=e{n} value={n}.5 {now_us + n * 1_000}" for n in range(start, start + count)]
