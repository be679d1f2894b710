"""How well devices are, and how well they were."""

from homeiq_server.insights.finding import BatteryEnd, Health
from homeiq_server.store import health
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import AT_US, DAY_US, HOME, healthy, rows_of, unwell
from tests.postgres import Database, as_owner


async def save(pool: Pool, at_us: int = AT_US, **given: Health) -> None:
    async with pool.tenant(HOME) as conn:
        await health.save(conn, HOME, at_us, given)


async def history(database: Database) -> list[tuple[object, ...]]:
    return [(row["device_id"], row["at"], row["score"]) for row in await rows_of(database, "device_health_history")]


async def test_deductions_are_objects_in_the_database_too(pool: Pool, database: Database) -> None:
    end = BatteryEnd(level=12.5, expected_us=AT_US + DAY_US, earliest_us=AT_US, latest_us=AT_US + 2 * DAY_US)
    await save(pool, lamp=unwell(), door=healthy(battery_end=end))
    async with as_owner(database) as owner:
        kinds = await owner.fetch(
            "SELECT jsonb_typeof(deductions), jsonb_typeof(deductions->0), jsonb_typeof(deductions->0->'evidence'),"
            " jsonb_typeof(battery_end) FROM device_health ORDER BY device_id DESC"
        )
    assert [tuple(row) for row in kinds] == [("array", "object", "object", None), ("array", None, None, "object")]
    [door, lamp] = await rows_of(database, "device_health")
    assert lamp["deductions"] == [
        {"name": "offline", "points": 60, "since": "2026-11-18T11:06:40Z", "evidence": {"offline_h": 2.5}}
    ]
    assert door["battery_end"] == {
        "level": 12.5,
        "expected": "2026-11-19T11:06:40Z",
        "earliest": "2026-11-18T11:06:40Z",
        "latest": "2026-11-20T11:06:40Z",
    }


async def test_the_same_health_again_touches_no_row(pool: Pool, database: Database) -> None:
    await save(pool, lamp=unwell(), door=healthy(), new=Health(state="learning", score=None, confidence=0.1))
    before = await rows_of(database, "device_health"), await rows_of(database, "device_health_history")
    await save(pool, AT_US + 1, lamp=unwell(), door=healthy(), new=Health(state="learning", score=None, confidence=0.1))
    assert (await rows_of(database, "device_health"), await rows_of(database, "device_health_history")) == before


async def test_history_grows_where_state_or_score_change_and_nowhere_else(pool: Pool, database: Database) -> None:
    await save(pool, 1, lamp=unwell(60), door=healthy())
    await save(pool, 2, lamp=unwell(70), door=healthy(confidence=0.5))
    await save(pool, 3, lamp=unwell(70, "silent"), door=Health(state="affected", score=100, confidence=1))
    assert await history(database) == [
        ("door", moment(1), 100),
        ("door", moment(3), 100),
        ("lamp", moment(1), 40),
        ("lamp", moment(2), 30),
    ]
    assert [row["assessed_at"] for row in await rows_of(database, "device_health")] == [moment(3), moment(3)]


async def test_a_device_that_is_learnt_again_has_no_score(pool: Pool, database: Database) -> None:
    await save(pool, 1, lamp=healthy())
    await save(pool, 2, lamp=Health(state="learning", score=None, confidence=0.2))
    [row] = await rows_of(database, "device_health")
    assert (row["state"], row["score"], row["confidence"]) == ("learning", None, 0.2)


async def test_history_is_read_newest_first_and_bounded(pool: Pool) -> None:
    for n in range(health.MAX_HISTORY + 2):
        await save(pool, n, lamp=unwell(n % 2 + 1))
    async with pool.tenant(HOME) as conn:
        rows = await health.history(conn, HOME, "lamp")
    assert len(rows) == health.MAX_HISTORY
    assert rows[0]["at"] == moment(health.MAX_HISTORY + 1)


async def test_pruning_forgets_the_past_and_not_the_present(pool: Pool, database: Database) -> None:
    await save(pool, 1, lamp=unwell(60))
    await save(pool, 3, lamp=unwell(70))
    async with pool.tenant(HOME) as conn:
        await health.prune(conn, HOME, 3)
    assert await history(database) == [("lamp", moment(3), 30)]
    assert len(await rows_of(database, "device_health")) == 1
