"""``POST /api/v1/backfill`` and ``POST /api/v1/statistics`` over real HTTP, before the real spool."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import (
    Client,
    batch,
    event,
    eventually,
    laws_hold,
    options,
    row,
    serving,
    statistics,
)

BACKFILL = "/api/v1/backfill"
STATISTICS = "/api/v1/statistics"


@pytest.fixture
async def database() -> AsyncIterator[FakeDatabase]:
    async with running(FakeDatabase()) as fake:
        yield fake


@pytest.fixture
async def client(tmp_path: Path, database: FakeDatabase) -> AsyncIterator[Client]:
    async with serving(options(tmp_path, influx_url=database.url)) as client:
        await eventually(client.is_ok)
        yield client


async def test_an_event_of_the_past_is_the_point_that_it_would_have_been(
    client: Client, database: FakeDatabase
) -> None:
    await client.post(batch([event(1)]))
    answer = await client.post(batch([event(1), event(2)], stream="past"), BACKFILL)

    assert (answer.status, answer.body) == (200, {"accepted": 2, "duplicates": 0, "rejected": []})
    await eventually(lambda: len(database.stored) == 3)
    assert len(set(database.stored)) == 2
    status = await client.status()
    assert {name: channel["converted"] for name, channel in status["intake"].items()} == {"events": 1, "backfill": 2}
    assert laws_hold(status)


async def test_the_past_opens_no_gap_and_moves_no_source(client: Client) -> None:
    await client.post(batch([event(1)]))
    before = (await client.status())["sources"][0]["last_event_at"]
    gaps = [[1_790_000_000_000_000, 1_790_000_001_000_000, 5]]
    assert (await client.post(batch([event(9)], stream="past", gaps=gaps), BACKFILL)).status == 200

    status = await client.status()
    assert status["gaps"] == {"open": 0, "newest": []}
    assert status["sources"][0]["last_event_at"] == before


@pytest.mark.parametrize("path", [BACKFILL, STATISTICS])
async def test_a_repeated_batch_is_acknowledged_and_stored_once(
    client: Client, database: FakeDatabase, path: str
) -> None:
    body = batch([event(1), event(2)]) if path == BACKFILL else statistics([row(mean=1.0), row(start_us=5, sum=2)])
    first, again = await client.post(body, path), await client.post(body, path)

    assert (first.body["accepted"], again.body) == (2, {"accepted": 0, "duplicates": 2, "rejected": []})
    await eventually(lambda: len(database.stored) == 2)
    status = await client.status()
    assert status["intake"][path.rpartition("/")[2]]["duplicate"] == 2
    assert laws_hold(status)


@pytest.mark.parametrize("path", [BACKFILL, STATISTICS])
async def test_a_hole_is_refused_with_the_number_that_is_next(client: Client, path: str) -> None:
    body = batch(seq=3) if path == BACKFILL else statistics(seq=3)
    answer = await client.post(body, path)
    assert (answer.status, answer.body["expected"]) == (409, 1)
    assert (await client.status())["gaps"]["open"] == 0


@pytest.mark.parametrize("path", [BACKFILL, STATISTICS])
async def test_more_than_5000_are_refused(client: Client, path: str) -> None:
    body = batch([7] * 5_001) if path == BACKFILL else statistics([7] * 5_001)
    answer = await client.post(body, path)
    assert (answer.status, "at most 5000" in answer.body["detail"]) == (413, True)


async def test_one_bad_event_costs_only_itself(client: Client, database: FakeDatabase) -> None:
    bad = [event(state=3), ["sensor.short", "on"], event(entity_id="no_dot")]
    answer = await client.post(batch([event(1), *bad, event(2)]), BACKFILL)

    assert answer.body["accepted"] == 2
    assert [(one["index"], one["entity_id"]) for one in answer.body["rejected"]] == [
        (1, "sensor.power"), (2, "sensor.short"), (3, "no_dot"),
    ]  # fmt: skip
    await eventually(lambda: len(database.stored) == 2)
    assert laws_hold(await client.status())


async def test_one_bad_row_costs_only_itself(client: Client, database: FakeDatabase) -> None:
    rows = [row(mean=1.0), row(mean="x"), row(), row(start_us=9, sum=2)]
    answer = await client.post(statistics(rows), STATISTICS)

    assert answer.body["accepted"] == 3
    assert [(one["index"], one["entity_id"]) for one in answer.body["rejected"]] == [(1, "sensor.energy")]
    await eventually(lambda: len(database.stored) == 2)
    status = await client.status()
    assert status["intake"]["statistics"]["skipped_by_reason"] == {"no finite value": 1}
    assert status["intake"]["statistics"]["rejected_by_reason"] == {"mean malformed": 1}
    assert laws_hold(status)


@pytest.mark.parametrize(("dialect", "unit"), [("influx2", b"m\\"), ("victoria", b"m\\\\")])
async def test_statistics_are_points_of_their_own(tmp_path: Path, dialect: str, unit: bytes) -> None:
    async with (
        running(FakeDatabase(dialect)) as database,
        serving(options(tmp_path, influx_url=database.url)) as client,
    ):
        await eventually(lambda: client.takes(batch()))
        rows = [row(unit="m\\\\x", mean=1.5, min=1, max=2)]
        assert (await client.post(statistics(rows), STATISTICS)).body["accepted"] == 1
        await eventually(lambda: database.stored)
        (line,) = database.stored
    assert line.startswith(b"homeiq_statistics,source=home,statistic_id=sensor.energy,unit=" + unit)
    assert line.endswith(b" max=2.0,mean=1.5,min=1.0 1790000000000000")


async def test_the_past_waits_while_over_half_of_the_queue_is_taken(tmp_path: Path, database: FakeDatabase) -> None:
    async with serving(options(tmp_path, influx_url=database.url, spool_limit_mb=1)) as client:
        await eventually(client.is_ok)
        database.go_on.clear()
        for seq in range(1, 100):
            noise = [event(n, state=f"{hash((seq, n)):x}", entity_id=f"sensor.s{n}") for n in range(1_000)]
            assert (await client.post(batch(noise, seq=seq))).status == 200
            if (await client.status())["spool"]["fill"] > 0.5:
                break
        for path, body in ((BACKFILL, batch([event(1)], stream="past")), (STATISTICS, statistics([row(mean=1.0)]))):
            answer = await client.post(body, path)
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) >= 1
        assert "spool_refuses" not in [reason["code"] for reason in (await client.status())["reasons"]]

        database.go_on.set()

        async def takes() -> bool:
            return (await client.post(batch([event(1)], stream="past"), BACKFILL)).status == 200

        await eventually(takes)
        assert laws_hold(await client.status())


async def test_without_history_the_past_is_counted_and_not_kept(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False)) as client:
        assert (await client.post(batch([event(1)]), BACKFILL)).body["accepted"] == 1
        assert (await client.post(statistics([row(mean=1.0)]), STATISTICS)).body["accepted"] == 1
        status = await client.status()
    assert {name: channel["skipped_by_reason"] for name, channel in status["intake"].items()} == {
        "backfill": {"history is off": 1}, "statistics": {"history is off": 1},
    }  # fmt: skip


async def test_a_late_event_does_not_end_the_state_that_is_current(tmp_path: Path) -> None:
    async with (
        running(FakeDatabase("victoria")) as database,
        serving(options(tmp_path, influx_url=database.url)) as client,
    ):
        await eventually(lambda: client.takes(batch([event(9_000_000, state="cool", previous=None)])))
        await client.post(batch([event(1_000_000, state="heat", previous=None)], stream="past"), BACKFILL)
        await client.post(batch([event(12_000_000, state="idle", previous=None)], seq=2))
        await eventually(lambda: len(database.stored) == 5)

    ends = {
        (tags.split(b",state=")[1].split(b",")[0], value, time)
        for tags, value, time in (line.split(b" ") for line in database.stored)
    }
    at = {second: str(1_790_000_000_000_000 + second * 1_000_000).encode() for second in (1, 9, 12)}
    assert ends == {
        (b"heat", b"state=1.0", at[1]), (b"heat", b"state=0.0", at[9]), (b"cool", b"state=1.0", at[9]),
        (b"cool", b"state=0.0", at[12]), (b"idle", b"state=1.0", at[12]),
    }  # fmt: skip
