"""From the spool into a real VictoriaMetrics, and read back from it."""

import json
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest

from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.target import Identity, Kept
from tests.integration.writing import points, put, until, writing


class Database(Protocol):
    """What the fixture of this folder yields."""

    url: str

    async def restart(self, *, kill: bool) -> None: ...


async def exported(url: str) -> dict[str, list[float]]:
    """Return the values by entity."""
    match = {"match[]": '{__name__="climate_value"}'}
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/export", params=match) as answer:
        series = [json.loads(line) for line in (await answer.text()).splitlines()]
    return {one["metric"]["entity_id"]: one["values"] for one in series}


async def test_lines_are_written_settle_and_can_be_read_back(victoria_metrics: Database, tmp_path: Path) -> None:
    async with writing(tmp_path, InfluxSettings(url=victoria_metrics.url)) as (spool, writer):
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
    async with writing(tmp_path, InfluxSettings(url=victoria_metrics.url)) as (spool, _):
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
    async with writing(tmp_path, InfluxSettings(url=victoria_metrics.url)) as (spool, writer):
        await put(spool, *points(500))
        await until(lambda: writer.report().settling == 500)
        await victoria_metrics.restart(kill=True)
        assert spool.totals().lines.written == 0
        await until(lambda: spool.totals().lines.written == 500)
        assert len(await exported(victoria_metrics.url)) == 500
    assert "sending 500 again" in caplog.text


async def test_an_outage_in_the_middle_loses_nothing(victoria_metrics: Database, tmp_path: Path) -> None:
    async with writing(tmp_path, InfluxSettings(url=victoria_metrics.url)) as (spool, _):
        lines = points(300)
        for start in range(0, 300, 50):
            await put(spool, *lines[start : start + 50])
            if start == 100:
                await victoria_metrics.restart(kill=False)
        await until(lambda: spool.totals().lines.written == 300)
        assert await exported(victoria_metrics.url) == {f"e{n}": [n + 0.5] for n in range(300)}


async def test_it_tells_which_times_it_keeps(victoria_metrics: Database) -> None:
    target = Influx(InfluxSettings(url=victoria_metrics.url))
    assert isinstance(await target.identify(), Identity)
    assert (target.form, target.kept) == ("victoria", Kept(past=timedelta(days=3_650), future=timedelta(days=2)))
    await target.close()


async def test_what_it_would_forget_is_dropped_with_the_reason_and_not_counted_written(
    victoria_metrics: Database, tmp_path: Path
) -> None:
    now_us, day_us = time.time_ns() // 1_000, 86_400_000_000
    old = f"climate,entity_id=old value=1.5 {now_us - 3_651 * day_us}"
    new = f"climate,entity_id=new value=1.5 {now_us + 3 * day_us}"
    async with writing(tmp_path, InfluxSettings(url=victoria_metrics.url)) as (spool, _):
        good = points(10)
        await put(spool, *good[:5], old, new, *good[5:])
        await until(lambda: spool.totals().lines.queued == 0)
        lines = spool.totals().lines
        assert (lines.written, lines.dead) == (10, 0)
        assert lines.dropped == {"outside retention": 1, "too far in the future": 1}
        assert len(await exported(victoria_metrics.url)) == 10
