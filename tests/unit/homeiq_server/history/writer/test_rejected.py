"""What becomes of lines that a database refuses: from a real spool through real HTTP."""

import logging
import time
from datetime import timedelta
from pathlib import Path

import pytest

from homeiq_server.history.spool import Spool
from homeiq_server.history.spool.tables.dead_query import DeadQuery
from homeiq_server.history.writer.isolation import MAX_REQUESTS
from homeiq_server.history.writer.outside import OLD
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, Scripted, running
from tests.unit.homeiq_server.history.writer.writer_builders import Rig, rig

INFLUX = ["influx1.6", "influx1", "influx2", "influx3"]
NOW_US = time.time_ns() // 1_000


async def ready(it: Rig, database: FakeDatabase) -> None:
    await it.until(lambda: it.writer.report().state == "ok")
    database.write_sizes.clear()


async def reasons(spool: Spool) -> list[str]:
    return [letter.reason for letter in await spool.dead_letters(DeadQuery())]


async def dead_lines(spool: Spool) -> list[bytes]:
    return [letter.line for letter in await spool.dead_letters(DeadQuery())]


@pytest.mark.parametrize("dialect", [*INFLUX, "victoria"])
async def test_one_bad_line_among_five_thousand_costs_one_dead_letter_and_two_requests(
    tmp_path: Path, dialect: str
) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it, database)
        good = [b"m,t=%d f=1.0 %d" % (n, n) for n in range(NOW_US, NOW_US + 4_999)]
        await it.put(*good[:2_000], b'it\'s "not" a line', *good[2_000:])
        await it.until_empty()
        assert (it.written, it.dead, len(database.write_sizes)) == (4_999, 1, 2)
        assert set(database.stored) == set(good)


@pytest.mark.parametrize("dialect", INFLUX)
async def test_a_conflict_costs_the_line_that_shows_it_and_two_requests(tmp_path: Path, dialect: str) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it, database)
        database.pin("m", "f", "float")
        good = [b"m,t=%d f=1.0 %d" % (n, n) for n in range(999)]
        await it.put(*good[:500], b"m,t=x f=5i 7", *good[500:], b"m,t=y f=6i 8")
        await it.until_empty()
        assert (it.written, it.dead, len(database.write_sizes)) == (1_000, 1, 2)
        assert set(database.stored) == {*good, b"m,t=y f=6.0 8"}
        assert it.writer.report().coerced == 1


@pytest.mark.parametrize("dialect", INFLUX)
async def test_from_then_on_such_lines_are_coerced_or_diverted_and_nothing_is_refused(
    tmp_path: Path, dialect: str
) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it, database)
        database.pin("m", "f", "float")
        await it.put(b"m f=5i 1")
        await it.put(b'm f="on" 2')
        await it.until_empty()
        assert it.dead == 2
        database.write_sizes.clear()
        await it.put(b"m f=6i 3", b'm f="off" 4', b"m f=7.0 5", b"other f=8i 6")
        await it.until_empty()
        assert set(database.stored) == {b"m f=6.0 3", b'm f_string="off" 4', b"m f=7.0 5", b"other f=8i 6"}
        assert (it.dead, len(database.write_sizes)) == (2, 1)
        report = it.writer.report()
        assert (report.coerced, report.diverted) == (1, 1)


@pytest.mark.parametrize("dialect", INFLUX)
async def test_a_line_that_is_refused_at_the_other_key_too_is_a_dead_letter(tmp_path: Path, dialect: str) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it, database)
        database.pin("m", "f", "float")
        database.pin("m", "f_string", "integer")
        await it.put(b'm f="on" 1')
        await it.put(b'm f="off" 2')
        await it.put(b"m f=7.0 3")
        await it.until_empty()
        assert (it.dead, set(database.stored)) == (2, {b"m f=7.0 3"})
        assert await dead_lines(it.spool) == [b'm f="off" 2', b'm f="on" 1']
        assert it.writer.report().diverted == 0


@pytest.mark.parametrize("dialect", INFLUX)
async def test_a_dead_letter_that_is_replayed_gets_written_the_same_way(tmp_path: Path, dialect: str) -> None:
    async with running(FakeDatabase(dialect)) as database, rig(tmp_path, database, bucket="home") as it:
        await ready(it, database)
        database.pin("m", "f", "float")
        await it.put(b'm f="on" 1')
        await it.until_empty()
        assert await it.spool.replay(DeadQuery()) == 1
        await it.until(lambda: it.written == 1)
        assert (it.dead, database.stored) == (0, [b'm f_string="on" 1'])


async def test_many_kinds_of_conflicts_in_one_batch_cost_one_line_each(tmp_path: Path) -> None:
    async with running(FakeDatabase("influx2")) as database, rig(tmp_path, database) as it:
        await ready(it, database)
        for number in range(20):
            database.pin("m", f"f{number}", "float")
        await it.put(*(b'm f%d="x" %d' % (number % 20, number) for number in range(1_000)))
        await it.until_empty()
        assert (it.written, it.dead) == (980, 20)
        assert len(database.write_sizes) == 21


async def test_types_that_are_known_of_one_database_say_nothing_of_another(tmp_path: Path) -> None:
    async with running(FakeDatabase("influx2")) as database, rig(tmp_path, database) as it:
        await ready(it, database)
        database.pin("m", "f", "float")
        await it.put(b"m f=5i 1")
        await it.until_empty()
        await database.stop()
        database.dialect = "influx3"
        await it.put(b"n f=1.0 1")
        await it.until(lambda: it.writer.report().state == "unreachable")
        database.pin("m", "f", "integer")
        await database.start()
        await it.put(b"m f=6i 2")
        await it.until_empty()
        assert b"m f=6i 2" in database.stored


async def test_what_cannot_be_isolated_in_64_requests_is_one_dead_letter_for_each_row(tmp_path: Path) -> None:
    async with running(FakeDatabase("influx2")) as database:
        await database.stop()
        async with rig(tmp_path, database) as it:
            for start in range(0, 3_000, 1_000):
                await it.put(*(b"m,t=%d f=1.0 %d" % (n, n) for n in range(start, start + 1_000)))
            database.scripted.extend(Scripted(400, '{"error":"something is wrong"}') for _ in range(MAX_REQUESTS))
            await database.start()
            await it.until_empty()
            assert (it.written, it.dead, database.scripted) == (0, 3_000, database.scripted.__class__())
            letters = await it.spool.dead_letters(DeadQuery())
            assert [letter.count for letter in letters] == [1_000] * 3
            assert set(await reasons(it.spool)) == {"unisolated after 64 requests: 400: something is wrong"}
            assert database.stored == []
            await it.spool.replay(DeadQuery())
            await it.until(lambda: it.written == 3_000)


@pytest.mark.parametrize("dialect", ["influx1.6", "influx1", "influx2", "victoria"])
async def test_lines_outside_the_retention_are_dropped_with_the_reason_and_not_sent(
    tmp_path: Path, dialect: str
) -> None:
    async with running(FakeDatabase(dialect)) as database:
        database.keeps = timedelta(days=7)
        async with rig(tmp_path, database, bucket="home") as it:
            await it.put(b"m f=1.0 %d" % (NOW_US - 8 * 86_400_000_000), b"m f=1.0 %d" % NOW_US)
            await it.until_empty()
            assert (it.written, it.dead, it.dropped) == (1, 0, {OLD: 1})
            assert database.stored == [b"m f=1.0 %d" % NOW_US]
            assert set(database.write_sizes) == {1}


async def test_lines_too_far_in_the_future_are_dropped_with_the_reason(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database, rig(tmp_path, database) as it:
        await it.put(b"m f=1.0 %d" % (NOW_US + 3 * 86_400_000_000), b"m f=1.0 %d" % NOW_US)
        await it.until_empty()
        assert (it.written, it.dropped) == (1, {"too far in the future": 1})


@pytest.mark.parametrize("dialect", ["influx1.6", "influx1", "influx2"])
async def test_lines_that_only_the_database_knows_to_be_too_old_are_dropped_and_not_dead(
    tmp_path: Path, dialect: str
) -> None:
    async with running(FakeDatabase(dialect)) as database:
        database.keeps, database.tells_kept = timedelta(days=7), False
        async with rig(tmp_path, database, bucket="home") as it:
            old = [b"m f=1.0 %d" % (NOW_US - day * 86_400_000_000) for day in (9, 8, 10)]
            await it.put(old[0], b"m f=1.0 %d" % NOW_US, *old[1:], b"m f=1.0 %d" % (NOW_US + 1))
            await it.until_empty()
            assert (it.written, it.dead, it.dropped) == (2, 0, {OLD: 3})
            assert set(database.stored) == {b"m f=1.0 %d" % NOW_US, b"m f=1.0 %d" % (NOW_US + 1)}


async def test_the_queue_outlives_a_change_to_a_database_of_numbers(tmp_path: Path) -> None:
    async with running(FakeDatabase("influx2")) as influx:
        await influx.stop()
        async with rig(tmp_path, influx) as it:
            await it.put(
                b'm,e=a state="on",value=1.0 %d' % NOW_US, b'm,e=b note="x" %d' % NOW_US, b"m,e=c value=2i %d" % NOW_US
            )
    async with running(FakeDatabase("victoria")) as victoria, rig(tmp_path, victoria) as it:
        await it.until_empty()
        assert (it.written, it.dropped) == (2, {"not storable in VictoriaMetrics": 1})
        assert not any(b'"' in line for line in victoria.stored)


async def test_the_queue_outlives_a_change_to_influxdb(tmp_path: Path) -> None:
    async with running(FakeDatabase("influx2")) as influx:
        await influx.stop()
        async with rig(tmp_path, influx) as it:
            it.spool.form = "victoria"
            await it.put(b"m,e=a,state=on state=1.0 %d" % NOW_US, b"m,e=a,state=off state=0.0 %d" % NOW_US)
            await influx.start()
            await it.until_empty()
            assert (it.written, it.dropped) == (1, {"not storable in InfluxDB": 1})
            assert influx.stored == [b'm,e=a state="on" %d' % NOW_US]


async def test_the_queue_outlives_a_change_of_what_answers_at_the_address(tmp_path: Path) -> None:
    async with running(FakeDatabase("influx2")) as database, rig(tmp_path, database) as it:
        await ready(it, database)
        await database.stop()
        await it.put(b'm,e=a state="on" %d' % NOW_US)
        await it.until(lambda: it.writer.report().state == "unreachable")
        await it.put(b'm,e=a state="off" %d' % (NOW_US + 1_000_000))
        database.dialect = "victoria"
        await database.start()
        await it.until_empty()
        assert it.written == 2
        assert database.stored
        assert not any(b'"' in line for line in database.stored)


async def test_dead_letters_and_drops_are_logged_once_and_not_for_every_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running(FakeDatabase("influx2")) as database:
        database.keeps = timedelta(days=7)
        async with rig(tmp_path, database, bucket="home") as it:
            await ready(it, database)
            for _ in range(5):
                await it.put(b"bad", b"m f=1.0 1")
                await it.until_empty()
            assert (it.dead, it.dropped) == (5, {OLD: 5})
    logged = [record.message for record in caplog.records if record.name.startswith("homeiq_server.history.writer")]
    assert len(logged) == 2
    assert any("outside retention" in text for text in logged)
    assert any("they are dead letters: unable to parse" in text or "missing fields" in text for text in logged)
