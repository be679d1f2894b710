"""From the spool into a real VictoriaMetrics, and read back from it."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.spool import Spool
from homeiq_server.history.writer import Writer
from homeiq_server.history.writer.outage import Timing
from homeiq_server.model import Intake, Lines, Tally

SETTLING_S = 5.0


class Database(Protocol):
    """What the fixture of this folder yields."""

    url: str

    async def restart(self, *, kill: bool) -> None: ...


@asynccontextmanager
async def writing(folder: Path, url: str) -> AsyncIterator[tuple[Spool, Writer]]:
    spool = await Spool.open(folder / "spool.sqlite", limit_bytes=1024**3)
    target = Influx(InfluxSettings(url=url), victoria_settling_s=SETTLING_S)
    writer = Writer(spool, target, timing=Timing(backoff=0.1, probe=0.1))
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
    tally = Tally(received=len(lines), converted=len(lines), skipped={}, rejected={})
    body = Lines("\n".join(lines).encode(), len(lines), "us")
    await spool.put(Intake(channel="line_protocol", tally=tally, lines=body))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a condition on another process has no event
            await asyncio.sleep(0.02)


async def exported(url: str) -> dict[str, list[float]]:
    """Return the values by entity."""
    match = {"match[]": '{__name__="climate_value"}'}
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/export", params=match) as answer:
        series = [json.loads(line) for line in (await answer.text()).splitlines()]
    return {one["metric"]["entity_id"]: one["values"] for one in series}


def points(count: int) -> list[str]:
    now_us = time.time_ns() // 1_000
    return [f"climate,entity_id=e{n} value={n}.5 {now_us + n * 1_000}" for n in range(count)]


async def test_lines_are_written_settle_and_can_be_read_back(victoria_metrics: Database, tmp_path: Path) -> None:
    async with writing(tmp_path, victoria_metrics.url) as (spool, writer):
        await put(spool, *points(1_000))
        await until(lambda: writer.report().settling == 1_000)
        assert spool.totals().lines.written == 0
        await until(lambda: spool.totals().lines.written == 1_000)
        identity = writer.report().identity
        assert identity is not None
        assert identity.product == "VictoriaMetrics"
        assert spool.totals().imbalances() == []
        assert await exported(victoria_metrics.url) == {f"e{n}": [n + 0.5] for n in range(1_000)}


async def test_a_bad_line_costs_itself(victoria_metrics: Database, tmp_path: Path) -> None:
    async with writing(tmp_path, victoria_metrics.url) as (spool, _):
        good = points(10)
        await put(spool, *good[:5], 'this "is" no\ttemperature of 5 °C', *good[5:])
        await until(lambda: spool.totals().lines.queued == 0)
        lines = spool.totals().lines
        assert (lines.written, lines.dead) == (10, 1)
        assert len(await exported(victoria_metrics.url)) == 10


async def test_what_a_killed_database_had_acknowledged_is_written_in_the_end(
    victoria_metrics: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "homeiq_server.history")
    async with writing(tmp_path, victoria_metrics.url) as (spool, writer):
        await put(spool, *points(500))
        await until(lambda: writer.report().settling == 500)
        await victoria_metrics.restart(kill=True)
        assert spool.totals().lines.written == 0
        await until(lambda: spool.totals().lines.written == 500)
        assert len(await exported(victoria_metrics.url)) == 500
    assert "sending 500 again" in caplog.text


async def test_an_outage_in_the_middle_loses_nothing(victoria_metrics: Database, tmp_path: Path) -> None:
    async with writing(tmp_path, victoria_metrics.url) as (spool, _):
        lines = points(300)
        for start in range(0, 300, 50):
            await put(spool, *lines[start : start + 50])
            if start == 100:
                await victoria_metrics.restart(kill=False)
        await until(lambda: spool.totals().lines.written == 300)
        assert await exported(victoria_metrics.url) == {f"e{n}": [n + 0.5] for n in range(300)}
