"""What was measured of devices last."""

from homeiq_server.insights.finding import Facts
from homeiq_server.store import facts
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import AT_US, HOME, rows_of
from tests.postgres import Database

FULL = Facts(
    available=True,
    battery_level=87.3,
    battery_low=False,
    link_quality=-61.5,
    link_unit="dBm",
    last_seen_us=AT_US + 1,
    last_reported_us=AT_US + 2,
)


async def save(pool: Pool, **given: Facts) -> None:
    async with pool.tenant(HOME) as conn:
        await facts.save(conn, HOME, given)


async def test_every_fact_is_kept_exactly(pool: Pool, database: Database) -> None:
    await save(pool, lamp=FULL)
    [row] = await rows_of(database, "device_facts")
    del row["xmin"]
    assert row == {
        "tenant_id": HOME,
        "device_id": "lamp",
        "available": True,
        "battery_level": 87.3,
        "battery_low": False,
        "link_quality": -61.5,
        "link_unit": "dBm",
        "last_seen_at": moment(AT_US + 1),
        "last_reported_at": moment(AT_US + 2),
    }


async def test_three_devices_change_in_one_statement(pool: Pool, database: Database) -> None:
    await save(pool, a=FULL, b=FULL, c=FULL)
    await save(pool, **{name: Facts(battery_level=level) for name, level in (("a", 1), ("b", 2), ("c", 3))})
    rows = await rows_of(database, "device_facts")
    assert [row["battery_level"] for row in rows] == [1, 2, 3]
    assert len({row["xmin"] for row in rows}) == 1


async def test_what_is_not_measured_now_keeps_what_was(pool: Pool, database: Database) -> None:
    await save(pool, lamp=FULL)
    before = await rows_of(database, "device_facts")
    await save(pool, lamp=Facts())
    assert await rows_of(database, "device_facts") == before


async def test_false_and_zero_are_measurements(pool: Pool, database: Database) -> None:
    await save(pool, lamp=FULL)
    await save(pool, lamp=Facts(available=False, battery_level=0))
    [row] = await rows_of(database, "device_facts")
    assert (row["available"], row["battery_level"]) == (False, 0)


async def test_the_same_facts_again_touch_no_row(pool: Pool, database: Database) -> None:
    await save(pool, lamp=FULL, door=Facts(available=False))
    before = await rows_of(database, "device_facts")
    await save(pool, lamp=FULL, door=Facts(available=False))
    assert await rows_of(database, "device_facts") == before


async def test_no_facts_are_no_fault(pool: Pool, database: Database) -> None:
    await save(pool)
    assert await rows_of(database, "device_facts") == []
