"""Places of subscriptions under everything that devices are put through, and who is told of it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from homeiq_server.store import device_proofs, ingest_devices, places
from homeiq_server.store.changes import Change, Changes
from homeiq_server.store.enrolment import Enrolment
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.store.provisioning import provision
from tests.integration.store.tenant_rows import ACME, add_customer, add_subscription, as_it_is, change, count, new
from tests.postgres import Database

type Step = Callable[[Conn, str], Awaitable[object]]

_OVER: Final = """
    SELECT count(*) FROM subscriptions s
     WHERE device_limit < (SELECT count(*) FROM ingest_devices d
                            WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.id
                              AND d.status IN ('PENDING', 'ACTIVE'))
"""
IDS: Final = [f"meter-{n}" for n in range(12)]


async def provisioned(conn: Conn, device_id: str) -> object:
    return await provision(conn, ACME, new(device_id))


async def several_provisioned(conn: Conn, device_id: str) -> object:
    return await provision(conn, ACME, new(*sorted(IDS, key=lambda each: (each > device_id, each))[:4]))


async def created(conn: Conn, device_id: str) -> object:
    return await ingest_devices.create(
        conn, ACME, [Enrolment(device_id=device_id, site_id="home", status="PENDING", provisioned_by="api")]
    )


async def deleted(conn: Conn, device_id: str) -> object:
    return await ingest_devices.delete(conn, ACME, device_id, version=None)


async def revoked(conn: Conn, device_id: str) -> object:
    return await ingest_devices.revoke(conn, ACME, device_id)


async def suspended(conn: Conn, device_id: str) -> object:
    return await ingest_devices.suspend(conn, ACME, device_id)


async def reactivated(conn: Conn, device_id: str) -> object:
    return await ingest_devices.reactivate(conn, ACME, device_id, await places.lock(conn, ACME))


async def rotated(conn: Conn, device_id: str) -> object:
    return await device_proofs.rotate(conn, ACME, device_id, b"token")


async def patched(conn: Conn, device_id: str) -> object:
    return await ingest_devices.patch(conn, ACME, device_id, {"name": "New"}, version=None)


STEPS: Final[tuple[Step, ...]] = (
    provisioned,
    several_provisioned,
    created,
    deleted,
    revoked,
    suspended,
    reactivated,
    rotated,
    patched,
)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_at_once_no_subscription_has_more_devices_than_places(
    seed: int, database: Database, pool: Pool
) -> None:
    main = await add_customer(database, limit=3)
    for limit in (0, 2):
        await add_subscription(database, kind="ADDON", parent=main, limit=limit)

    async def live(chance: random.Random) -> None:
        for _ in range(40):
            async with pool.tenant(ACME) as conn:
                await chance.choice(STEPS)(conn, chance.choice(IDS))
            assert await count(database, _OVER) == 0

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for number in range(8):
            tasks.create_task(live(random.Random(100 * seed + number)))  # noqa: S311 - chance, not a secret
    assert await count(database, "SELECT count(*) FROM ingest_devices WHERE status IN ('PENDING', 'ACTIVE')") <= 5


@asynccontextmanager
async def heard_of(pool: Pool) -> AsyncIterator[list[Change]]:
    """Give what another server would be told."""
    changes, heard, ready = Changes(pool), list[Change](), asyncio.Event()
    changes.follow(heard.append, ready.set)
    task = asyncio.create_task(changes.run())
    try:
        await ready.wait()
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("step", [created, suspended, revoked, rotated, deleted])
async def test_other_servers_are_told_which_device_has_changed(step: Step, database: Database, pool: Pool) -> None:
    await add_customer(database)
    if step is not created:
        async with pool.tenant(ACME) as conn:
            await provisioned(conn, "meter")
    async with heard_of(pool) as heard, asyncio.timeout(10):
        async with pool.tenant(ACME) as conn:
            await step(conn, "meter")
        while Change("ingest_devices", ACME, "meter") not in heard:  # noqa: ASYNC110 - another connection's word
            await asyncio.sleep(0.01)


async def test_what_was_refused_tells_nobody_and_writes_nothing(database: Database, pool: Pool) -> None:
    await add_customer(database)
    async with pool.tenant(ACME) as conn:
        await provisioned(conn, "meter")
        await revoked(conn, "meter")
    before = await as_it_is(database, ACME, "meter")
    for step in (provisioned, created, suspended, revoked, rotated):
        async with pool.tenant(ACME) as conn:
            await step(conn, "meter")
    assert await as_it_is(database, ACME, "meter") == before


async def test_a_device_comes_back_into_its_own_subscription_if_that_has_a_place(
    database: Database, pool: Pool
) -> None:
    main = await add_customer(database, limit=1)
    trial = await add_subscription(database, kind="TRIAL", status="TRIAL", limit=2)
    async with pool.tenant(ACME) as conn:
        await provision(conn, ACME, new("a", "b", "c"))
        for device_id in "abc":
            await suspended(conn, device_id)
        for device_id in "cba":
            await reactivated(conn, device_id)
    rows = [await as_it_is(database, ACME, device_id) for device_id in "abc"]
    assert [row["subscription_id"] for row in rows] == [main, trial, trial]
    async with pool.tenant(ACME) as conn:
        await suspended(conn, "b")
    await change(database, "UPDATE subscriptions SET device_limit = 1 WHERE id = $1", trial)
    await change(database, "UPDATE subscriptions SET device_limit = 2 WHERE id = $1", main)
    async with pool.tenant(ACME) as conn:
        await reactivated(conn, "b")
    assert (await as_it_is(database, ACME, "b"))["subscription_id"] == main


async def test_whoever_waits_for_a_code_that_was_used_meanwhile_gets_nothing(database: Database, pool: Pool) -> None:
    await add_customer(database)
    async with pool.tenant(ACME) as conn:
        await created(conn, "meter")
    await change(
        database,
        "UPDATE ingest_devices SET activation_hash = $1, activation_expires_at = now() + interval '1 hour'",
        b"code",
    )

    async def second() -> bool:
        async with pool.tenant(ACME) as conn:
            return await device_proofs.activate(conn, ACME, "meter", b"code", b"second")

    async with pool.tenant(ACME) as conn:
        assert await device_proofs.activate(conn, ACME, "meter", b"code", b"first")
        waiting = asyncio.create_task(second())
        while not await count(database, "SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - SQL
            await asyncio.sleep(0.01)
    assert not await waiting
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == b"first"
