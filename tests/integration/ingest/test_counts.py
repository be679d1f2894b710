"""Counts of what devices send, on a real database: all that is counted arrives, once."""

import asyncio

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.counts import Counts
from homeiq_server.store.pool import Pool
from tests.integration.api.ingest_served import Switched
from tests.integration.store.rows import AT_US, DAY_US, HOUR_US
from tests.integration.store.tenant_rows import ACME, GLOBEX, add_customer
from tests.postgres import Database, as_owner

type Row = tuple[str, int, str, int, int, int]

START_US = AT_US - AT_US % HOUR_US


class Clock:
    """The time, as the test wants it."""

    def __init__(self, now_us: int = AT_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture(autouse=True)
async def customers(database: Database) -> None:
    await add_customer(database)
    await add_customer(database, GLOBEX)


async def stored(database: Database) -> list[Row]:
    """Return tenant, hour after the first, outcome, messages, metrics and bytes."""
    async with as_owner(database) as owner:
        rows = await owner.fetch("SELECT * FROM ingest_counts ORDER BY tenant_id, hour, outcome")
    return [
        (
            row["tenant_id"],
            (int(row["hour"].timestamp()) * 1_000_000 - START_US) // HOUR_US,
            row["outcome"],
            row["messages"],
            row["metrics"],
            row["bytes"],
        )
        for row in rows
    ]


async def test_what_is_counted_in_pieces_is_there_as_a_whole(pool: Pool, database: Database) -> None:
    clock = Clock()
    counts = Counts(pool, now_us=clock)
    for _ in range(2):
        counts.add(ACME, "ACCEPTED", metrics=3, size=100)
        counts.add(ACME, "ACCEPTED", metrics=2, size=50)
        counts.add(ACME, "INVALID_JSON", size=7)
        counts.add(GLOBEX, "ACCEPTED")
        await counts.flush()
    clock.now_us += HOUR_US
    counts.add(ACME, "ACCEPTED", metrics=1, size=1)
    await counts.flush()
    await counts.flush()
    assert await stored(database) == [
        (ACME, 0, "ACCEPTED", 4, 10, 300),
        (ACME, 0, "INVALID_JSON", 2, 0, 14),
        (ACME, 1, "ACCEPTED", 1, 1, 1),
        (GLOBEX, 0, "ACCEPTED", 2, 0, 0),
    ]
    assert len(counts) == 0


async def test_servers_that_count_at_once_lose_nothing(pool: Pool, database: Database) -> None:
    servers = [Counts(pool, now_us=Clock()) for _ in range(4)]

    async def work(counts: Counts) -> None:
        for _ in range(20):
            for tenant_id in (GLOBEX, ACME):
                counts.add(tenant_id, "ACCEPTED", size=1)
            await counts.flush()

    await asyncio.gather(*(work(counts) for counts in servers))
    assert await stored(database) == [(ACME, 0, "ACCEPTED", 80, 0, 80), (GLOBEX, 0, "ACCEPTED", 80, 0, 80)]


async def test_what_tenants_that_have_gone_sent_is_nobodys(pool: Pool, database: Database) -> None:
    counts = Counts(pool, now_us=Clock())
    for tenant_id in ("gone", "away", "-", ACME):
        counts.add(tenant_id, "UNKNOWN_TENANT", size=1)
    await counts.flush()
    assert await stored(database) == [("-", 0, "UNKNOWN_TENANT", 3, 0, 3), (ACME, 0, "UNKNOWN_TENANT", 1, 0, 1)]


async def test_while_the_store_is_away_counts_gather_and_none_is_lost(pool: Pool, database: Database) -> None:
    store, clock = Switched(pool), Clock()
    counts = Counts(store, now_us=clock)
    store.is_off = True
    for _ in range(3):
        counts.add(ACME, "ACCEPTED", size=2)
        with pytest.raises(RetryLater):
            await counts.flush()
        clock.now_us += HOUR_US // 2
    assert len(counts) == 2
    store.is_off = False
    await counts.flush()
    assert sum(row[3] for row in await stored(database)) == 3


async def test_there_is_room_for_so_many_sums_and_what_has_none_is_told(pool: Pool, database: Database) -> None:
    counts = Counts(pool, limit=2, now_us=Clock())
    for tenant_id in (ACME, GLOBEX, "home", "home", ACME):
        counts.add(tenant_id, "ACCEPTED")
    assert (len(counts), counts.uncounted) == (2, 2)
    await counts.flush()
    assert [row[:1] + row[3:4] for row in await stored(database)] == [(ACME, 2), (GLOBEX, 1)]


async def test_what_was_counted_last_is_stored_when_it_ends(pool: Pool, database: Database) -> None:
    counts = Counts(pool, now_us=Clock())
    task = asyncio.create_task(counts.run())
    await asyncio.sleep(0)
    counts.add(ACME, "ACCEPTED")
    task.cancel()
    await asyncio.wait([task])
    assert await stored(database) == [(ACME, 0, "ACCEPTED", 1, 0, 0)]


async def test_it_ends_also_while_the_store_is_away(pool: Pool) -> None:
    store = Switched(pool)
    counts = Counts(store, now_us=Clock())
    task = asyncio.create_task(counts.run())
    await asyncio.sleep(0)
    store.is_off = True
    counts.add(ACME, "ACCEPTED")
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert counts.faults == 0


async def test_counts_of_more_than_400_days_ago_are_forgotten(pool: Pool, database: Database) -> None:
    clock = Clock(AT_US - 401 * DAY_US)
    counts = Counts(pool, now_us=clock)
    counts.add(ACME, "ACCEPTED")
    await counts.flush()
    clock.now_us = AT_US - 399 * DAY_US
    counts.add(ACME, "ACCEPTED")
    await counts.flush()
    clock.now_us = AT_US
    await counts.prune()
    assert [row[1] for row in await stored(database)] == [-399 * 24]
