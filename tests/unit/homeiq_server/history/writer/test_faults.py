"""Whatever a database or the way to it does: nothing is lost, and what stands still goes on by itself."""

import asyncio
import time
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.answers import Category
from homeiq_server.history.spool import Settled
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, Scripted, running
from tests.unit.homeiq_server.history.writer.faulty_database import Fault, FaultyDatabase
from tests.unit.homeiq_server.history.writer.writer_builders import Rig, numbered, rig

DIALECTS = ["influx1.6", "influx1", "influx2", "cloud", "influx3", "victoria"]


async def ready(it: Rig) -> None:
    await it.until(lambda: it.writer.report().state == "ok")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507])
async def test_what_a_busy_database_does_not_take_is_kept_until_it_does(
    tmp_path: Path, dialect: str, status: int
) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it)
        database.scripted.extend(
            [Scripted(status), Scripted(status, "busy"), Scripted(status, headers={"Retry-After": "0.01"})]
        )
        await it.put_many(3)
        await it.until_empty()
        assert (database.stored, it.written, it.dead, it.dropped) == (it.put_lines, 3, 0, {})


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 405, 451])
async def test_a_setting_that_is_wrong_holds_everything_until_it_is_mended(
    tmp_path: Path, dialect: str, status: int
) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it)
        database.scripted.extend(Scripted(status) for _ in range(10_000))
        await it.put_many(3)
        await it.put_many(3)
        await it.until(lambda: it.writer.report().state == "misconfigured")
        await it.until(lambda: len(database.scripted) <= 9_997)  # it asks again
        assert it.writer.report().category in (Category.AUTH, Category.CONFIGURATION)
        assert (it.queued, it.written, it.dead) == (6, 0, 0)
        database.scripted.clear()
        await it.until_empty()
        assert (sorted(database.stored), it.written) == (sorted(it.put_lines), 6)
        assert it.writer.report().state == "ok"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_request_that_is_too_large_goes_in_parts(tmp_path: Path, dialect: str) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        database.limit_bytes = 500
        await it.put_many(300)
        await it.until_empty()
        assert (sorted(set(database.stored)), it.written, it.dead) == (sorted(it.put_lines), 300, 0)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("status", [400, 422, 500])
async def test_lines_that_nobody_wants_are_found_though_the_answer_names_none(
    tmp_path: Path, dialect: str, status: int
) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it)
        # Of eight lines, the third one: all, the first half, its second half, that one line.
        refused = Scripted(status, '{"code":"invalid","message":"partial write: somehow","error":"partial write"}')
        database.scripted.extend([refused, refused])
        await it.put_many(2)
        await it.until_empty()
        assert (it.written, it.dead, database.stored) == (1, 1, [it.put_lines[1]])


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", ["in the request", "before the answer", "in the answer"])
async def test_a_connection_that_is_reset_half_way_costs_nothing(tmp_path: Path, dialect: str, fault: Fault) -> None:
    async with running(database := FaultyDatabase(dialect)), rig(tmp_path, database, bucket="home") as it:
        await ready(it)
        database.resets.extend([fault] * 3)
        for _ in range(5):
            await it.put_many(200)
        await it.until_empty()
        assert set(database.stored) == set(it.put_lines)
        assert (it.written, it.dead, it.dropped) == (1_000, 0, {})


@pytest.mark.parametrize("dialect", ["influx1", "influx2", "influx3", "victoria"])
async def test_a_database_that_hangs_is_given_up_in_time_and_asked_again(tmp_path: Path, dialect: str) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home", timeout_s=0.2) as it:
        await ready(it)
        database.go_on.clear()
        await it.put_many(5)
        await it.until(lambda: it.writer.report().category is Category.TIMEOUT)
        assert (it.queued, it.written) == (5, 0)
        database.go_on.set()
        await it.until_empty()
        assert (set(database.stored), it.written) == (set(it.put_lines), 5)


async def test_a_slow_database_is_waited_for_and_sent_nothing_twice(tmp_path: Path) -> None:
    async with running(database := FaultyDatabase()), rig(tmp_path, database) as it:
        await ready(it)
        database.delay_s = 0.05
        for _ in range(20):
            await it.put_many(10)
        await it.until_empty()
        assert database.stored == it.put_lines


async def test_a_database_that_refuses_connections_is_found_again(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await ready(it)
        for _ in range(3):
            await database.stop()
            await it.put_many(10)
            await it.until(lambda: it.writer.report().state == "unreachable")
            await database.start()
            await it.until_empty()
        assert sorted(database.stored) == sorted(it.put_lines)


@pytest.mark.parametrize("hangs_in", ["write", "metrics"])
async def test_a_stop_while_the_database_hangs_ends_at_once_and_loses_nothing(tmp_path: Path, hangs_in: str) -> None:
    async with running(FakeDatabase("victoria")) as database:
        async with rig(tmp_path, database, timeout_s=3_600) as it:
            await ready(it)
            if hangs_in == "write":
                database.go_on.clear()
                await it.put_many(5)
                await database.hanging.wait()
            else:
                database.metrics_open.clear()
                await it.put_many(5)
                await it.until(lambda: it.writer.report().settling == 5)
            lines = it.put_lines
        database.go_on.set()  # only now: the writer was stopped while it waited
        database.metrics_open.set()
        async with rig(tmp_path, database) as it:
            await it.until_empty()
            assert (set(database.stored), it.written) == (set(lines), 5)


async def test_a_stop_does_not_wait_longer_for_a_hanging_database_than_it_may(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database, timeout_s=3_600) as it:
        await ready(it)
        database.go_on.clear()
        await it.put_many(5)
        await database.hanging.wait()
        await it.writer.drain(0.01)
        assert it.queued == 5


@pytest.mark.parametrize("dialect", ["influx2", "victoria"])
async def test_lines_are_sent_twice_only_when_they_may_have_been_lost(tmp_path: Path, dialect: str) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database) as it:
        for _ in range(5):
            await it.put_many(100)
        await it.until_empty()
        assert (len(database.stored), it.writer.report().sent_again) == (500, 0)


async def test_what_a_killed_database_may_have_lost_is_sent_again_at_once_and_counted(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database) as it:
        await ready(it)
        database.metrics_open.clear()
        await it.put_many(500)
        await it.until(lambda: it.writer.report().settling == 500)
        await database.kill()
        await it.put_many(100)
        await it.until(lambda: it.writer.report().state == "unreachable")
        await it.put_many(100)
        database.metrics_open.set()
        await database.start()
        await it.until_empty()
        assert set(database.stored) == set(it.put_lines)
        assert it.written == 700
        again = it.writer.report().sent_again
        assert 500 <= again <= 600  # the request that was in flight may have gone to the new process first
        assert len(database.stored) == 700 + again - 500


async def test_kills_while_both_cursors_move_lose_nothing(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database, settling_s=3_600) as it:
        await ready(it)
        for _ in range(5):
            for _ in range(10):
                await it.put_many(50)
            await database.kill()
            await it.put_many(50)
            await it.until(lambda: it.writer.report().state == "unreachable")
            await it.put_many(5_000)
            await database.start()
            await ready(it)
            await it.put_many(50)
        await it.until(lambda: set(database.stored) == set(it.put_lines))
        assert (it.queued, it.written) == (len(it.put_lines), 0)


async def test_restarts_of_the_app_between_kills_of_the_database_lose_nothing(tmp_path: Path) -> None:
    lines: list[bytes] = []
    async with running(FakeDatabase("victoria")) as database:
        for number in range(4):
            async with rig(tmp_path, database) as it:
                await it.put(*numbered(number * 100, number * 100 + 100))
                await it.until(lambda: it.writer.report().settling or not it.queued)
                lines += it.put_lines
                if number % 2:
                    await database.kill()
                    await database.start()
        async with rig(tmp_path, database) as it:
            await it.until_empty()
            assert (it.written, set(database.stored)) == (400, set(lines))


async def test_a_row_that_the_spool_dropped_meanwhile_is_not_counted_as_written(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database) as it:
        await ready(it)
        database.metrics_open.clear()
        await it.put_many(5)
        await it.put_many(7)
        await it.until(lambda: it.writer.report().settling == 12)
        (oldest, *_) = await it.spool.take(after=0, max_lines=1, max_bytes=1)
        await it.spool.settle([Settled(row_id=oldest.id, written=0, dropped={"overflow": oldest.count})])
        database.metrics_open.set()
        await it.until_empty()
        assert (it.written, it.dropped) == (12 - oldest.count, {"overflow": oldest.count})
        assert it.writer.report().lines_written_per_minute == it.written


@pytest.mark.parametrize("jump_s", [-40 * 365 * 86_400, -86_400, 86_400, 40 * 365 * 86_400])
async def test_a_clock_that_jumps_during_an_outage_changes_no_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await ready(it)
        await database.stop()
        await it.put_many(10)
        await it.until(lambda: it.writer.report().state == "unreachable")
        now_ns = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: now_ns() + jump_s * 10**9)
        await database.start()
        await it.put_many(10)
        await it.until_empty()
        assert (sorted(database.stored), it.written) == (sorted(it.put_lines), 20)


async def test_a_spool_whose_disk_fails_for_a_while_costs_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await ready(it)
        take, fails = it.spool.take, asyncio.Event()

        async def failing(**_: object) -> object:
            fails.set()
            raise RetryLater("the disk fails", after=0.01)

        monkeypatch.setattr(it.spool, "take", failing)
        await it.put_many(10)
        await fails.wait()
        monkeypatch.setattr(it.spool, "take", take)
        await it.until_empty()
        assert (set(database.stored), it.written) == (set(it.put_lines), 10)
