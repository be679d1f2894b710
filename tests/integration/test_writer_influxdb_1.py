"""From the spool into a real InfluxDB 1, and read back from it."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from homeiq_server.history.answers import Refusal
from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.spool import Spool
from homeiq_server.history.target import Identity, Kept
from homeiq_server.history.writer import Writer
from tests.integration.real_influxd import RealInfluxd
from tests.integration.writing import points, put, until, writing


def settings(influxd: RealInfluxd, bucket: str = "home") -> InfluxSettings:
    return InfluxSettings(url=influxd.url, username="writer", password="secret-of-the-writer", bucket=bucket)


async def until_empty(spool: Spool) -> tuple[int, int]:
    """Return how many lines were written and how many are dead letters."""
    await until(lambda: spool.totals().lines.queued == 0)
    assert spool.totals().imbalances() == []
    return spool.totals().lines.written, spool.totals().lines.dead


def dropped(spool: Spool) -> dict[str, int]:
    return dict(spool.totals().lines.dropped)


def error(writer: Writer) -> str:
    return writer.report().error or ""


async def test_it_is_detected_with_its_version_and_what_it_keeps(influxd: RealInfluxd) -> None:
    await influxd.run("GRANT READ ON home TO writer")
    await influxd.run("CREATE RETENTION POLICY short ON home DURATION 36h REPLICATION 1")
    for bucket, past in (("home", None), ("home/short", timedelta(hours=36))):
        target = Influx(settings(influxd, bucket))
        identity = await target.identify()
        assert isinstance(identity, Identity)
        assert (identity.product, identity.version and identity.version[:2]) == ("InfluxDB", "1.")
        assert (target.form, target.settling_s, target.kept) == ("influx", 0, Kept(past=past))
        await target.close()


async def test_lines_are_written_to_the_microsecond(influxd: RealInfluxd, tmp_path: Path) -> None:
    async with writing(tmp_path, settings(influxd)) as (spool, writer):
        lines = points(1_000)
        await put(spool, *lines)
        assert await until_empty(spool) == (1_000, 0)
        assert writer.report().state == "ok"
    rows = await influxd.values('SELECT value, entity_id FROM "climate"')
    assert [f"climate,entity_id={entity} value={value} {time_us}" for time_us, value, entity in rows] == lines


async def test_a_wrong_password_holds_everything_until_it_is_right(influxd: RealInfluxd, tmp_path: Path) -> None:
    async with writing(tmp_path, replace(settings(influxd), password="another")) as (spool, writer):
        await put(spool, *points(10))
        await until(lambda: writer.report().state == "misconfigured")
        assert "authorization failed" in error(writer)
        assert spool.totals().lines.queued == 10
        await influxd.run("SET PASSWORD FOR writer = 'another'")
        assert await until_empty(spool) == (10, 0)
    assert await influxd.count() == 10


async def test_a_user_who_may_not_write_holds_everything_until_he_may(influxd: RealInfluxd, tmp_path: Path) -> None:
    await influxd.run("REVOKE WRITE ON home FROM writer")
    async with writing(tmp_path, settings(influxd)) as (spool, writer):
        await put(spool, *points(10))
        await until(lambda: writer.report().state == "misconfigured")
        assert "not authorized to write" in error(writer)
        await influxd.run("GRANT WRITE ON home TO writer")
        assert await until_empty(spool) == (10, 0)
    assert await influxd.count() == 10


@pytest.mark.parametrize(
    ("bucket", "fault", "remedy"),
    [
        ("home", 'database not found: "home"', "CREATE DATABASE home"),
        ("home/raw", "retention policy not found", "CREATE RETENTION POLICY raw ON home DURATION 0s REPLICATION 1"),
    ],
)
async def test_a_missing_place_holds_everything_until_it_is_made(
    influxd: RealInfluxd, tmp_path: Path, bucket: str, fault: str, remedy: str
) -> None:
    if bucket == "home":
        await influxd.run("DROP DATABASE home")
        await influxd.run("GRANT ALL PRIVILEGES TO writer")
    async with writing(tmp_path, settings(influxd, bucket)) as (spool, writer):
        await put(spool, *points(10))
        await until(lambda: writer.report().state == "misconfigured")
        assert fault in error(writer)
        assert spool.totals().lines.queued == 10
        await influxd.run(remedy)
        assert await until_empty(spool) == (10, 0)


async def test_a_type_conflict_costs_its_own_line(influxd: RealInfluxd, tmp_path: Path) -> None:
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        good = points(1_001)
        await put(spool, good[0])
        await put(spool, *good[1:500], f'climate,entity_id=x value="warm" {time.time_ns() // 1_000}', *good[500:])
        assert await until_empty(spool) == (1_001, 1)
    assert await influxd.count() == 1_001


async def test_a_type_conflict_within_one_request_of_a_new_field_costs_one_side(
    influxd: RealInfluxd, tmp_path: Path
) -> None:
    now_us = time.time_ns() // 1_000
    lines = [f"new,entity_id=e{n} value={n}.5 {now_us + n}" for n in range(20)]
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        await put(spool, *lines[:10], f"new,entity_id=x value=7i {now_us}", *lines[10:])
        written, dead = await until_empty(spool)
    assert written + dead == 21
    assert await influxd.count("new") == written
    assert dead == 1


async def test_a_line_that_cannot_be_read_costs_itself(influxd: RealInfluxd, tmp_path: Path) -> None:
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        good = points(1_000)
        await put(spool, *good[:500], 'this "is" no\ttemperature of 5 °C', *good[500:])
        assert await until_empty(spool) == (1_000, 1)
    assert await influxd.count() == 1_000


async def test_faults_of_every_kind_in_one_request_cost_their_own_lines(influxd: RealInfluxd, tmp_path: Path) -> None:
    await influxd.run("CREATE RETENTION POLICY short ON home DURATION 1d REPLICATION 1 DEFAULT")
    now_us = time.time_ns() // 1_000
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        good = points(100)
        await put(spool, good[0])
        old = f"climate,entity_id=old value=1.5 {now_us - 2 * 86_400_000_000}"
        await put(spool, *good[1:40], "nonsense", old, *good[40:], f"climate,entity_id=x value=1i {now_us}")
        assert await until_empty(spool) == (100, 2)
        assert dropped(spool) == {"outside retention": 1}
    assert await influxd.count() == 100


@pytest.mark.parametrize("may_ask", [True, False])
async def test_points_beyond_the_retention_are_dropped_with_that_reason_and_none_counted_written(
    influxd: RealInfluxd, tmp_path: Path, *, may_ask: bool
) -> None:
    if may_ask:
        await influxd.run("GRANT ALL ON home TO writer")
    await influxd.run("CREATE RETENTION POLICY short ON home DURATION 1d REPLICATION 1 DEFAULT")
    two_days_ago_us = time.time_ns() // 1_000 - 2 * 86_400_000_000
    old = [f"climate,entity_id=old{n} value=1.5 {two_days_ago_us + n}" for n in range(300)]
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        good = points(900)
        mixed = [line for n in range(300) for line in (good[3 * n], old[n], *good[3 * n + 1 : 3 * n + 3])]
        await put(spool, *mixed)
        assert await until_empty(spool) == (900, 0)
        assert dropped(spool) == {"outside retention": 300}
    assert await influxd.count() == 900


async def test_a_restart_in_the_middle_loses_nothing(influxd: RealInfluxd, tmp_path: Path) -> None:
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        lines = points(300)
        for start in range(0, 300, 50):
            await put(spool, *lines[start : start + 50])
            if start == 100:
                await influxd.restart(kill=False)
        assert await until_empty(spool) == (300, 0)
    assert await influxd.count() == 300


async def test_what_was_acknowledged_survives_a_kill_and_nothing_is_there_twice(
    influxd: RealInfluxd, tmp_path: Path
) -> None:
    async with writing(tmp_path, settings(influxd)) as (spool, _):
        lines = points(3_000)
        for round_ in range(3):
            for start in range(round_ * 1_000, round_ * 1_000 + 1_000, 100):
                await put(spool, *lines[start : start + 100])
            acknowledged = spool.totals().lines.written
            await influxd.restart(kill=True)
            assert await influxd.count() >= acknowledged
        assert await until_empty(spool) == (3_000, 0)
    await influxd.restart(kill=True)
    assert await influxd.count() == 3_000


async def test_a_version_without_tokens_holds_a_token_with_the_remedy(influxd: RealInfluxd) -> None:
    target = Influx(InfluxSettings(url=influxd.url, token="writer:secret-of-the-writer", bucket="home"))
    refusal = await target.identify()
    await target.close()
    assert isinstance(refusal, Refusal)
    assert "influx_username" in refusal.reason
