"""What devices said last is kept, metric by metric, and followed without a gap."""

import asyncio
from typing import Any

from homeiq_server.ingest.message import Accepted
from homeiq_server.store import device_states
from homeiq_server.store.device_states import MOST_METRICS, Place
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import HOME, OTHER, START_US, World
from tests.postgres import as_owner


async def follow(world: World, after: Place | None = None, *, limit: int = 500) -> tuple[list[str], Place]:
    async with world.store.tenant(HOME) as conn:
        rows, place = await device_states.follow(conn, HOME, after, limit=limit)
    return [row["device_id"] for row in rows], place


def numbered(name: str, number: int) -> dict[str, Any]:
    return {f"{name}{number}": number}


async def test_late_data_never_overwrites_newer_values(world: World) -> None:
    await world.device()
    world.say(1, hum=1)
    await world.round()
    world.say(2, ago_s=60, hum=2, new=3)
    await world.round()
    assert await world.metrics() == {
        "temp": [1, START_US],
        "hum": [1, START_US],
        "new": [3, START_US - 60_000_000],
    }


async def test_times_of_receipt_only_go_forward(world: World) -> None:
    await world.device()
    await world.hear(1)
    world.say(msg_type="heartbeat")
    await world.round()
    [row] = await world.rows("SELECT * FROM device_states")
    at = row["last_telemetry_at"]
    assert (row["last_heartbeat_at"], row["last_seen_at"]) == (at, at)


async def test_all_kinds_of_values_come_back_as_they_are(world: World) -> None:
    await world.device()
    world.say(a=1, b=1.5, c=True, d="näh", e=2**60)
    await world.round()
    assert {name: value for name, (value, _) in (await world.metrics()).items()} == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": "näh",
        "e": 2**60,
    }


async def test_a_device_that_makes_up_names_keeps_the_newest(world: World) -> None:
    await world.device()
    for part in range(4):
        world.clock.forward(1)
        said: dict[str, Any] = {f"m{part}_{n}": n for n in range(100)}
        world.say(**said)
        await world.round()
    metrics = await world.metrics()
    assert len(metrics) == MOST_METRICS
    assert {f"m3_{n}" for n in range(100)} <= set(metrics)


async def test_a_late_position_does_not_move_a_device_back(world: World) -> None:
    await world.device()
    for time_us, position in ((START_US, (1.0, 2.0)), (START_US - 1, (3.0, 4.0))):
        message = Accepted(
            tenant_id=HOME,
            device_id="boiler",
            site_id="home",
            msg_type="telemetry",
            time_us=time_us,
            received_us=START_US,
            metrics={"temp": 1.0},
            position=position,
            size=1,
        )
        world.follower.observe([message])
        await world.round()
    [row] = await world.rows("SELECT latitude, longitude FROM device_states")
    assert (row["latitude"], row["longitude"]) == (1.0, 2.0)


async def test_a_deleted_device_gets_no_state(world: World) -> None:
    await world.device()
    await world.run("UPDATE ingest_devices SET status = 'DELETED'")
    world.say(1)
    world.say(1, "unknown")
    await world.round()
    assert not await world.rows("SELECT * FROM device_states")
    assert world.follower.faults == 0


async def test_following_begins_with_all_devices_but_deleted_ones(world: World) -> None:
    await world.tenant()
    for name in ("a", "b", "c"):
        await world.device(name)
    await world.device("theirs", tenant_id=OTHER)
    await world.run("UPDATE ingest_devices SET status = 'DELETED' WHERE device_id = 'b'")
    found, place = await follow(world)
    assert found == ["a", "c"]
    assert (await follow(world, place))[0] == []


async def test_what_is_said_registered_and_deleted_is_followed(world: World) -> None:
    await world.device("a")
    await world.device("b")
    _, place = await follow(world)
    world.say(1, "b")
    await world.round()
    found, place = await follow(world, place)
    assert found == ["b"]
    await world.device("c")
    await world.run("UPDATE ingest_devices SET status = 'DELETED' WHERE device_id = 'a'")
    found, place = await follow(world, place)
    assert found == ["c", "a"]
    assert (await follow(world, place))[0] == []


async def test_pages_miss_nothing_and_repeat_nothing(world: World) -> None:
    names = [f"d{n:02}" for n in range(10)]
    for name in names:
        await world.device(name)
    for name in names:
        world.say(1, name)
    await world.round()  # all in one transaction
    found, place = await follow(world, limit=3)
    for _ in range(4):
        more, place = await follow(world, place, limit=3)
        found += more
    assert found == names


async def test_a_change_that_is_committed_late_is_not_missed(world: World) -> None:
    for name in ("slow", "quick"):
        await world.device(name)
    _, place = await follow(world)
    async with as_owner(world.database) as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute("UPDATE ingest_devices SET name = 'x' WHERE device_id = 'slow'")
        await world.run("UPDATE ingest_devices SET name = 'x' WHERE device_id = 'quick'")
        found, place = await follow(world, place)
        assert found == []  # the quick one waits for the slow one
        await transaction.commit()
    found, place = await follow(world, place)
    assert found == ["slow", "quick"]
    assert (await follow(world, place))[0] == []


async def test_a_cursor_of_a_database_that_was_restored_begins_anew(world: World) -> None:
    await world.device("a")
    _, place = await follow(world)
    assert (await follow(world, (place[0] + 10_000_000, "x")))[0] == ["a"]


async def test_rows_that_remember_another_database_are_followed_once_they_change(world: World) -> None:
    await world.device("a")
    async with as_owner(world.database) as owner:
        await owner.execute("ALTER TABLE ingest_devices DISABLE TRIGGER mark")
        await owner.execute("UPDATE ingest_devices SET change = 900000000000")
        await owner.execute("ALTER TABLE ingest_devices ENABLE TRIGGER mark")
    found, place = await follow(world)
    assert found == ["a"]
    assert (await follow(world, place))[0] == []
    world.say(1, "a")
    await world.round()
    assert (await follow(world, place))[0] == ["a"]


async def test_two_servers_that_write_the_same_devices_lose_nothing(world: World, pool: Pool) -> None:
    names = [f"d{n}" for n in range(50)]
    for name in names:
        await world.device(name)
    other = world.twin(pool)
    for n in range(5):
        for name in names:
            world.say(None, name, **numbered("one", n))
        for name in reversed(names):
            other.say(None, name, **numbered("two", n))
        await asyncio.gather(world.round(), other.round())
    await asyncio.gather(world.round(), other.round())
    for name in names:
        assert len(await world.metrics(name)) == 10
