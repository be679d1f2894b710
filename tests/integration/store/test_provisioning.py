"""Devices that register themselves: never one twice, never one too many."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from homeiq_server.store.pool import Pool
from homeiq_server.store.provisioning import NewDevice, Provisioned, provision
from tests.integration.store.rows import HOME
from tests.integration.store.tenant_rows import (
    ACME,
    GLOBEX,
    add_customer,
    add_subscription,
    as_it_is,
    change,
    count,
    in_another_process,
    new,
)
from tests.postgres import Database

TAKEN = "SELECT count(*) FROM ingest_devices WHERE tenant_id = $1 AND status IN ('PENDING', 'ACTIVE')"


async def provisioned(pool: Pool, tenant_id: str, *device_ids: str) -> Provisioned:
    async with pool.tenant(tenant_id) as conn:
        return await provision(conn, tenant_id, new(*device_ids))


async def from_two_processes(database: Database, *sent: list[str]) -> Counter[str]:
    """Let processes send at once, and return what they were told, added up."""
    processes = [await in_another_process("first_messages.py", database.url, ACME, *ids) for ids in sent]
    told = Counter[str]()
    async with asyncio.timeout(60):
        for process in processes:
            assert process.stdout
            assert (await process.stdout.readline()).strip() == b"ready"
        for process in processes:
            assert process.stdin
            process.stdin.write(b"\n")
        for process in processes:
            out, _ = await process.communicate()
            said: dict[str, Any] = json.loads(out)
            told["new"] += said["new"]
            told.update(said["known"])
            told.update(said["refused"])
    return told


async def test_100_first_messages_of_one_device_from_two_processes_make_one_device(database: Database) -> None:
    await add_customer(database, limit=5)
    told = await from_two_processes(database, ["meter"] * 50, ["meter"] * 50)
    assert told == {"new": 1, "ACTIVE": 100}
    assert await count(database, TAKEN, ACME) == 1


async def test_of_50_devices_at_once_exactly_as_many_come_in_as_there_are_places(database: Database) -> None:
    await add_customer(database, limit=5)
    ids = [f"meter-{n}" for n in range(50)]
    told = await from_two_processes(database, ids[::2], ids[1::2])
    assert told == {"new": 5, "ACTIVE": 5, "NO_SUBSCRIPTION_CAPACITY": 45}
    assert await count(database, TAKEN, ACME) == 5


async def test_batches_with_the_same_devices_in_opposite_order_do_not_lock_each_other_out(
    database: Database, pool: Pool
) -> None:
    main = await add_customer(database, limit=100)
    for _ in range(3):
        await add_subscription(database, kind="ADDON", limit=100, parent=main)
    ids = [f"meter-{n:03}" for n in range(200)]
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        done = [tasks.create_task(provisioned(pool, ACME, *ids[::way])) for way in (1, -1) * 4]
    assert sum(len(each.result().new) for each in done) == 200
    assert await count(database, TAKEN, ACME) == 200


async def test_a_batch_is_provisioned_as_far_as_there_are_places_the_first_ones_first(
    database: Database, pool: Pool
) -> None:
    await add_customer(database, limit=2)
    done = await provisioned(pool, ACME, "z", "y", "x", "z")
    assert done.new == {"z", "y"}
    assert set(done.devices) == {"z", "y"}
    assert done.refused == {"x": "NO_SUBSCRIPTION_CAPACITY"}


async def test_the_same_id_in_two_tenants_is_two_devices(database: Database, pool: Pool) -> None:
    for tenant_id in (ACME, GLOBEX):
        await add_customer(database, tenant_id, limit=1)
        assert (await provisioned(pool, tenant_id, "meter")).new == {"meter"}
    assert await count(database, "SELECT count(*) FROM ingest_devices WHERE device_id = 'meter'") == 2


async def test_what_is_returned_of_a_new_device_is_what_is_loaded_of_it_later(database: Database, pool: Pool) -> None:
    await add_customer(database, status="GRACE")
    async with pool.tenant(ACME) as conn:
        first = await provision(conn, ACME, [NewDevice(device_id="meter", site_id="cellar", name="Meter")])
    second = await provisioned(pool, ACME, "meter")
    assert first.devices == second.devices
    assert first.new == {"meter"}
    assert not second.new
    device = second.devices["meter"]
    assert (device.site_id, device.status, device.provisioned_by) == ("cellar", "ACTIVE", "key")
    assert (device.subscription_status, device.token_hash) == ("GRACE", None)
    row = await as_it_is(database, ACME, "meter")
    assert row["name"] == "Meter"
    assert row["activated_at"] is not None


@pytest.mark.parametrize("status", ["REVOKED", "DELETED", "INACTIVE"])
async def test_a_device_that_is_not_to_send_is_returned_as_it_is_and_never_revived(
    status: str, database: Database, pool: Pool
) -> None:
    await add_customer(database)
    await provisioned(pool, ACME, "meter")
    await change(database, "UPDATE ingest_devices SET status = $1", status)
    done = await provisioned(pool, ACME, "meter", "other")
    assert done.new == {"other"}
    assert done.devices["meter"].status == status
    assert (await as_it_is(database, ACME, "meter"))["status"] == status


@pytest.mark.parametrize("status", ["REVOKED", "DELETED", "INACTIVE"])
async def test_a_device_that_left_leaves_its_place_to_another(status: str, database: Database, pool: Pool) -> None:
    await add_customer(database, limit=1)
    await provisioned(pool, ACME, "first")
    assert not (await provisioned(pool, ACME, "second")).new
    await change(database, "UPDATE ingest_devices SET status = $1", status)
    assert (await provisioned(pool, ACME, "second")).new == {"second"}


async def test_places_of_the_main_subscription_are_given_before_those_of_others(database: Database, pool: Pool) -> None:
    await add_customer(database, limit=0)
    trial = await add_subscription(database, kind="TRIAL", status="TRIAL", limit=1)
    main = await add_subscription(database, limit=1)
    done = await provisioned(pool, ACME, "a", "b", "c")
    assert done.refused == {"c": "NO_SUBSCRIPTION_CAPACITY"}
    rows = [await as_it_is(database, ACME, device_id) for device_id in "ab"]
    assert [row["subscription_id"] for row in rows] == [main, trial]


async def test_a_lowered_limit_takes_nobody_in_and_throws_nobody_out(database: Database, pool: Pool) -> None:
    await add_customer(database, limit=3)
    await provisioned(pool, ACME, "a", "b", "c")
    await change(database, "UPDATE subscriptions SET device_limit = 1 WHERE tenant_id = $1", ACME)
    assert (await provisioned(pool, ACME, "a", "d")).refused == {"d": "NO_SUBSCRIPTION_CAPACITY"}
    assert await count(database, TAKEN, ACME) == 3


async def test_a_subscription_that_is_too_full_takes_no_place_of_another(database: Database, pool: Pool) -> None:
    await add_customer(database, limit=3)
    await provisioned(pool, ACME, "a", "b", "c")
    await change(database, "UPDATE subscriptions SET device_limit = 1 WHERE tenant_id = $1", ACME)
    trial = await add_subscription(database, kind="TRIAL", status="TRIAL", limit=2)
    done = await provisioned(pool, ACME, "d", "e", "f")
    assert done.refused == {"f": "NO_SUBSCRIPTION_CAPACITY"}
    assert {(await as_it_is(database, ACME, each))["subscription_id"] for each in "de"} == {trial}


@pytest.mark.parametrize(
    ("statuses", "reason"),
    [
        (("SUSPENDED",), "SUBSCRIPTION_SUSPENDED"),
        (("EXPIRED",), "SUBSCRIPTION_EXPIRED"),
        (("EXPIRED", "SUSPENDED"), "SUBSCRIPTION_SUSPENDED"),
        ((), "NO_SUBSCRIPTION_CAPACITY"),
    ],
)
async def test_without_a_usable_subscription_the_reason_is_told(
    statuses: tuple[str, ...], reason: str, database: Database, pool: Pool
) -> None:
    await add_customer(database)
    await change(database, "DELETE FROM subscriptions WHERE tenant_id = $1", ACME)
    for status in statuses:
        await add_subscription(database, status=status)
    done = await provisioned(pool, ACME, "meter")
    assert (done.devices, done.refused) == ({}, {"meter": reason})


async def test_a_suspension_that_comes_meanwhile_is_seen_under_the_lock(database: Database, pool: Pool) -> None:
    await add_customer(database)
    async with pool.tenant(ACME) as conn:
        await conn.execute("UPDATE subscriptions SET status = 'SUSPENDED' WHERE tenant_id = $1", ACME)
        waiting = asyncio.create_task(provisioned(pool, ACME, "meter"))
        while not await count(database, "SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - SQL
            await asyncio.sleep(0.01)
    assert (await waiting).refused == {"meter": "SUBSCRIPTION_SUSPENDED"}


async def test_the_home_has_a_place_for_every_device(pool: Pool) -> None:
    ids = [f"sensor-{n}" for n in range(1_000)]
    assert len((await provisioned(pool, HOME, *ids)).new) == 1_000


async def test_nothing_is_asked_for_nothing(pool: Pool) -> None:
    done = await provisioned(pool, HOME)
    assert (done.devices, done.new, done.refused) == ({}, frozenset(), {})
