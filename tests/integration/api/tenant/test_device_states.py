"""What devices said last, over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from homeiq_server.alerts.waking import Waking
from homeiq_server.store.moments import moment, moment_us
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import HOME, OTHER, START_US, World
from tests.integration.api.tenant.alerts_served import Asking, served
from tests.postgres import Database


@pytest.fixture
async def world(pool: Pool, database: Database) -> World:
    fresh = World(pool, database)
    await fresh.run("UPDATE tenants SET updated_at = $1", moment(0))
    await fresh.tenant()
    return fresh


@pytest.fixture
def waking(world: World) -> Waking:
    """What the follower tells, too."""
    told = Waking()
    world.follower._on_change = told.tell
    world.follower._keeping._on_change = told.tell
    return told


@pytest.fixture
async def asking(aiohttp_client: Callable[..., Awaitable[Any]], pool: Pool, waking: Waking) -> Asking:
    return Asking(await aiohttp_client(served(pool, waking)))


async def test_a_device_is_told_with_what_it_said_last(asking: Asking, world: World) -> None:
    await world.device(name="Boiler")
    await world.run("UPDATE ingest_devices SET manufacturer = 'Acme', model = 'B1', sw_version = '2.0'")
    world.say(81.5, on=True, mode="eco")
    await world.round()
    answer = await asking.get("device-states")
    at = "2026-11-18T11:06:40Z"
    assert answer["devices"] == [
        {
            "device_id": "boiler",
            "name": "Boiler",
            "site_id": "home",
            "status": "ACTIVE",
            "manufacturer": "Acme",
            "model": "B1",
            "sw_version": "2.0",
            "heartbeat_s": None,
            "last_seen_at": at,
            "last_heartbeat_at": None,
            "last_telemetry_at": at,
            "available": None,
            "metrics": {
                "temp": {"value": 81.5, "at": at},
                "on": {"value": True, "at": at},
                "mode": {"value": "eco", "at": at},
            },
            "latitude": None,
            "longitude": None,
        }
    ]
    assert moment(START_US) == datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC)


async def test_a_device_that_never_said_anything_is_told_too(asking: Asking, world: World) -> None:
    await world.device()
    [device] = (await asking.get("device-states"))["devices"]
    assert (device["metrics"], device["last_seen_at"], device["available"]) == ({}, None, None)


async def test_a_device_is_available_within_three_heartbeats(asking: Asking, world: World) -> None:
    for name in ("fresh", "old", "never"):
        await world.device(name)
    await world.run("UPDATE ingest_devices SET heartbeat_s = 60")
    now_us = moment_us(datetime.now(UTC))
    for name, ago_s in (("fresh", 120), ("old", 240)):
        world.clock.now_us = now_us - ago_s * 1_000_000
        world.say(1, name)
    await world.round()
    devices = (await asking.get("device-states"))["devices"]
    assert {device["device_id"]: device["available"] for device in devices} == {
        "fresh": True,
        "old": False,
        "never": False,
    }


async def test_only_what_changed_is_told_then(asking: Asking, world: World) -> None:
    await world.device("a")
    await world.device("b")
    await world.device("theirs", tenant_id=OTHER)
    start = await asking.get("device-states")
    assert {device["device_id"] for device in start["devices"]} == {"a", "b"}
    world.say(1, "b")
    world.say(1, "theirs", tenant_id=OTHER)
    await world.round()
    then = await asking.get("device-states", after=start["cursor"])
    assert [device["device_id"] for device in then["devices"]] == ["b"]
    await world.run("UPDATE ingest_devices SET status = 'DELETED' WHERE device_id = 'a'")
    last = await asking.get("device-states", after=then["cursor"])
    assert [(device["device_id"], device["status"]) for device in last["devices"]] == [("a", "DELETED")]


async def test_who_waits_is_told_when_a_device_speaks(asking: Asking, world: World, waking: Waking) -> None:
    await world.device()
    cursor = (await asking.get("device-states"))["cursor"]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(asking.get("device-states", after=cursor, wait_s=30))
        while HOME not in waking._watches:  # noqa: ASYNC110 - the server tells nobody that it waits
            await asyncio.sleep(0.01)
        world.say(7)
        await world.round()
    [device] = waiting.result()["devices"]
    assert device["metrics"]["temp"]["value"] == 7


async def test_who_hangs_up_gives_up_his_place(asking: Asking, world: World, waking: Waking) -> None:
    await world.device()
    cursor = (await asking.get("device-states"))["cursor"]
    asked = asyncio.create_task(asking.get("device-states", after=cursor, wait_s=30), name="asked")
    async with asyncio.timeout(20):
        while HOME not in waking._watches:  # noqa: ASYNC110 - the server tells nobody that it waits
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.wait([asked])
        while HOME in waking._watches:  # noqa: ASYNC110 - nor that it does not any more
            await asyncio.sleep(0.01)


async def test_a_wait_that_is_over_answers_nothing_and_the_same_follows(asking: Asking, world: World) -> None:
    await world.device()
    cursor = (await asking.get("device-states"))["cursor"]
    answer = await asking.get("device-states", after=cursor, wait_s=0.05)
    assert answer["devices"] == []
    world.say(7)
    await world.round()
    assert len((await asking.get("device-states", after=answer["cursor"]))["devices"]) == 1


async def test_pages_follow_each_other(asking: Asking, world: World) -> None:
    for n in range(5):
        await world.device(f"d{n}")
    page = await asking.get("device-states", limit=2)
    found = [device["device_id"] for device in page["devices"]]
    while page["devices"]:
        page = await asking.get("device-states", limit=2, after=page["cursor"])
        found += [device["device_id"] for device in page["devices"]]
    assert found == [f"d{n}" for n in range(5)]


async def test_it_needs_a_scope_of_its_own(asking: Asking) -> None:
    assert (await asking.refused("GET", "device-states", X_Scopes="alerts:read"))[0] == 403
