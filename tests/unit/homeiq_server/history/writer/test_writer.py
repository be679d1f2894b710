"""From a real spool through real HTTP into a database that misbehaves."""

import logging
import time
from collections import Counter
from pathlib import Path

import pytest

from homeiq_server.history.answers import Category
from homeiq_server.history.target import Identity
from homeiq_server.history.writer.outage import Timing
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, Scripted, running
from tests.unit.homeiq_server.history.writer.writer_builders import Rig, rig


async def test_lines_are_written_in_order_and_counted(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await it.until(lambda: it.writer.report().state == "ok")
        for _ in range(20):
            await it.put_many(10)
        await it.until_empty()
        assert database.stored == it.put_lines
        assert (it.written, it.dead) == (200, 0)


async def test_nothing_is_asked_at_the_start_but_who_answers(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await it.until(lambda: it.writer.report().state == "ok")
        assert set(database.requests) <= {("GET", "/ping")}
        assert it.writer.report().identity == Identity("InfluxDB", "2.7.11")


async def test_an_answer_of_503_again_and_again_then_204_writes_everything_once(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        database.scripted.extend(Scripted(503) for _ in range(7))
        await it.put_many(100)
        await it.until_empty()
        assert database.stored == it.put_lines
        assert it.written == 100


async def test_a_slow_answer_that_is_500_in_the_end_never_counts_as_written(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await it.until(lambda: it.writer.report().state == "ok")
        database.scripted.extend(Scripted(500) for _ in range(1_000))
        database.go_on.clear()
        await it.put_many(5)
        await database.hanging.wait()
        assert it.written == 0
        database.go_on.set()
        await it.until(lambda: it.writer.report().state == "refusing")
        assert it.written == 0
        assert it.spool.totals().lines.queued == 5
        database.scripted.clear()
        await it.until_empty()
        assert it.written == 5


async def test_a_long_outage_loses_nothing_and_ends_when_the_database_answers(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await it.put_many(10)
        await it.until_empty()
        await database.stop()
        await it.put_many(10)
        await it.until(lambda: it.writer.report().state == "unreachable")
        await it.put_many(10)
        report = it.writer.report()
        assert (report.category, report.retry_in_s is not None) == (Category.NETWORK, True)
        await database.start()
        await it.until_empty()
        assert database.stored == it.put_lines
        assert it.writer.report().error is None


async def test_the_health_is_asked_meanwhile_so_that_the_backoff_need_not_be_waited_for(tmp_path: Path) -> None:
    patient = Timing(backoff=3_600, longest_backoff=3_600, probe=0.01)
    async with running(FakeDatabase()) as database:
        await database.stop()
        async with rig(tmp_path, database, timing=patient) as it:
            await it.put_many(5)
            await it.until(lambda: it.writer.report().state == "unreachable")
            assert (it.writer.report().retry_in_s or 0) > 1
            await database.start()
            await it.until_empty()


async def test_an_outage_is_logged_once_at_its_start_and_once_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await it.until(lambda: it.writer.report().state == "ok")
        database.scripted.extend(Scripted(503) for _ in range(6))
        await it.put_many(5)
        await it.until_empty()
    logged = [record for record in caplog.records if record.name.startswith("homeiq_server.history")]
    assert [record.levelname for record in logged] == ["WARNING", "INFO"]
    assert "6 failures" in logged[1].message


async def test_a_wrong_token_holds_everything_and_condemns_nothing(tmp_path: Path) -> None:
    async with running(FakeDatabase(token="right")) as database, rig(tmp_path, database, token="wrong") as it:
        await it.put_many(5)
        await it.until(lambda: it.writer.report().state == "misconfigured")
        await it.until(lambda: database.requests.count(("POST", "/api/v2/write")) >= 3)
        report = it.writer.report()
        assert (report.category, report.error) == (Category.AUTH, "401: unauthorized access")
        assert (it.written, it.dead, it.spool.totals().lines.queued) == (0, 0, 5)
        database.token = "wrong"
        await it.until_empty()
        assert database.stored == it.put_lines


async def test_a_data_fault_behind_a_500_is_isolated_too(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        database.pin("m", "f", "float")
        conflict = (
            'field type conflict: input field "f" on measurement "m" is type integer, already exists as type float'
        )
        database.scripted.append(Scripted(500, f"unexpected error writing points: partial write: {conflict} dropped=1"))
        await it.put(b"m f=1.0 1", b"m f=2i 2")
        await it.until_empty()
        assert (it.written, it.dead, database.stored) == (1, 1, [b"m f=1.0 1"])


async def test_dead_letters_belong_to_the_rows_they_came_from(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        await database.stop()
        async with rig(tmp_path, database) as it:
            await it.put(b"m f=1.0 1", b"bad", precision="us")
            await it.put(b"m f=2.0 2", precision="us")
            await it.put(b"bad", b"bad", precision="us")
            await database.start()
            await it.until_empty()
            assert (it.written, it.dead) == (2, 3)


async def test_a_request_that_is_too_large_is_halved_until_it_fits(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        database.limit_bytes = 500
        await it.put(b"m,t=large f=1.0 1" + b"0" * 600, *(b"m,t=%d f=1.0 %d" % (n, n) for n in range(300)))
        await it.until_empty()
        assert (it.written, it.dead) == (300, 1)
        assert Counter(database.stored) == Counter(it.put_lines[1:])


async def test_rows_of_different_precision_travel_apart(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        await database.stop()
        async with rig(tmp_path, database) as it:
            for precision in ("us", "us", "ns", "s"):
                await it.put(b"m f=1.0 1", precision=precision)
            await database.start()
            await it.until_empty()
            assert it.written == 4
            assert [query["precision"] for query in database.queries][-3:] == ["us", "ns", "s"]


async def acknowledged(it: Rig, database: FakeDatabase) -> None:
    """Put five lines, which the database acknowledges, and which do not settle before its metrics can be read."""
    await it.until(lambda: it.writer.report().state == "ok")
    database.metrics_open.clear()
    await it.put_many(5)
    await it.until(lambda: it.writer.report().settling == 5)
    assert database.stored == it.put_lines


async def test_what_the_database_acknowledged_counts_only_when_it_has_settled(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database) as it:
        await acknowledged(it, database)
        assert (it.written, it.spool.totals().lines.queued) == (0, 5)
        database.metrics_open.set()
        await it.until_empty()
        assert it.written == 5
        assert it.writer.report().settling == 0


async def test_what_a_killed_database_had_acknowledged_is_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database) as it:
        await acknowledged(it, database)
        await database.kill()
        assert database.stored == []
        database.metrics_open.set()
        await database.start()
        await it.until_empty()
        assert set(database.stored) == set(it.put_lines)
        assert it.written == 5
    assert "sending 5 again" in caplog.text


async def test_what_had_not_settled_when_the_app_ended_is_sent_again(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database:
        async with rig(tmp_path, database) as it:
            await acknowledged(it, database)
            lines = it.put_lines
        database.metrics_open.set()
        async with rig(tmp_path, database) as it:
            await it.until_empty()
            assert it.written == 5
        assert set(database.stored) == set(lines)


async def test_rows_go_on_being_sent_while_others_settle(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database) as it:
        for _ in range(5):
            await it.put_many(1)
            await it.until(lambda: database.stored == it.put_lines)
        await it.until_empty()
        assert database.stored == it.put_lines


async def test_a_cancelled_writer_leaves_what_is_in_flight_in_the_spool(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        async with rig(tmp_path, database) as it:
            await it.until(lambda: it.writer.report().state == "ok")
            database.go_on.clear()
            await it.put_many(5)
            await database.hanging.wait()
        database.go_on.set()
        async with rig(tmp_path, database) as again:
            assert again.spool.totals().lines.written == 0
            await again.until_empty()
            assert again.written == 5


async def test_draining_ends_when_all_is_sent_or_the_time_is_over(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await it.put_many(5)
        await it.writer.drain(20)
        assert database.stored == it.put_lines
        await database.stop()
        await it.put_many(5)
        await it.until(lambda: it.writer.report().state == "unreachable")
        await it.writer.drain(0.01)
        assert it.spool.totals().lines.queued == 5


async def test_draining_waits_for_the_backlog_and_for_what_is_fresh(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        await database.stop()
        for _ in range(5):
            await it.put_many(2_000)
        await it.until(lambda: it.writer.report().state == "unreachable")
        await database.start()
        await it.until(lambda: it.writer.report().state == "ok")
        await it.put_many(10)
        await it.writer.drain(20)
        assert sorted(database.stored) == sorted(it.put_lines)


async def test_the_report_tells_times_and_rates(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, rig(tmp_path, database) as it:
        before = it.writer.report()
        assert (before.write_p50_s, before.last_write_us, before.newest_written_us) == (None, None, None)
        start_us = time.time_ns() // 1_000
        await it.put(b"m f=1.0 1", b"m f=1.0 2", newest_us=77)
        await it.until_empty()
        after = it.writer.report()
        assert after.last_write_us is not None
        assert after.last_write_us >= start_us
        assert after.newest_written_us == 77
        assert after.lines_written_per_minute == 2
        assert after.write_p50_s is not None
        assert after.write_p99_s is not None
        assert after.accepted_to_written_p99_s is not None
        assert after.accepted_to_written_p99_s >= 0
