"""A real InfluxDB 1 pins the types of fields by shard: what the writer learns of that, and what it costs."""

import time
from pathlib import Path

from homeiq_server.history.influx import InfluxSettings
from homeiq_server.history.spool import Spool
from homeiq_server.history.spool.tables.dead_query import DeadQuery
from tests.integration.real_influxd import RealInfluxd
from tests.integration.writing import points, put, until, writing

WEEK_US = 7 * 86_400_000_000


def settings(influxd: RealInfluxd) -> InfluxSettings:
    return InfluxSettings(url=influxd.url, username="writer", password="secret-of-the-writer", bucket="home")


async def fates(spool: Spool) -> tuple[int, int]:
    """Return how many lines were written and how many are dead letters, once all have left the queue."""
    await until(lambda: spool.totals().lines.queued == 0)
    assert spool.totals().imbalances() == []
    return spool.totals().lines.written, spool.totals().lines.dead


async def test_each_conflict_costs_one_line_and_what_follows_is_coerced_or_diverted(
    influxd: RealInfluxd, tmp_path: Path
) -> None:
    now_us = time.time_ns() // 1_000
    async with writing(tmp_path, settings(influxd)) as (spool, writer):
        await put(spool, *points(10))
        await put(spool, *(f"climate,entity_id=i{n} value={n}i {now_us + n}" for n in range(50)))
        await put(spool, *(f'climate,entity_id=s{n} value="warm" {now_us + n}' for n in range(50)))
        assert await fates(spool) == (108, 2)
        assert (writer.report().coerced, writer.report().diverted) == (49, 49)
        await spool.replay(DeadQuery())
        assert await fates(spool) == (110, 0)
    assert await influxd.count() == 60
    texts = await influxd.values("SELECT value_string FROM \"climate\" WHERE value_string = 'warm'")
    assert len(texts) == 50


async def test_what_an_old_shard_refuses_does_not_change_how_the_present_is_written(
    influxd: RealInfluxd, tmp_path: Path
) -> None:
    now_us = time.time_ns() // 1_000
    long_ago_us = now_us - 10 * WEEK_US
    async with writing(tmp_path, settings(influxd)) as (spool, writer):
        await put(spool, f'climate,entity_id=old value="warm" {long_ago_us}')
        await put(spool, *points(10))
        assert await fates(spool) == (11, 0)  # types differ between the shards
        await put(spool, *(f"climate,entity_id=old value={n}.5 {long_ago_us + n + 1}" for n in range(10)))
        assert await fates(spool) == (20, 1)
        assert writer.report().coerced == 9
        await put(spool, *points(10, start=100))
        assert await fates(spool) == (30, 1)
        assert writer.report().coerced == 9
    times = [row[0] for row in await influxd.values('SELECT value FROM "climate"')]
    assert sum(time_us > now_us - WEEK_US for time_us in times) == 20
