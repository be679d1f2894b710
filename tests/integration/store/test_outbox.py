"""Claims on the outbox, and circuits of routes, before a real database."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import asyncpg
import pytest

from homeiq_server.store import circuits, outbox, outbox_upkeep
from homeiq_server.store.outbox import Attempt, Claimed
from homeiq_server.store.pool import Pool
from tests.integration.delivery.outbox_rows import (
    HOME,
    OTHER,
    add_integration,
    add_route,
    attempts,
    change,
    deliveries,
    execute,
    route,
    tell,
)
from tests.integration.store.rows import add_tenant
from tests.postgres import Database

DAY = timedelta(days=1)
NOBODY: Mapping[str, int] = {}


def attempt(*, ok: bool = False, final: bool = False, wait_s: float = 0) -> Attempt:
    error = None if ok else "it answers 500"
    return Attempt(at_us=1, duration_s=0.1, ok=ok, final=final, status=None, error=error, wait_s=wait_s)


async def claim(pool: Pool, most: int = 10, *, of_tenant: int = 10, busy: Mapping[str, int] = NOBODY) -> list[Claimed]:
    async with pool.worker() as conn:
        return await outbox.claim(conn, most=most, most_of_tenant=of_tenant, busy=busy, lease_s=60)


async def begin(pool: Pool, claimed: Claimed) -> outbox.Target | None:
    async with pool.tenant(claimed.tenant_id) as conn:
        return await outbox.begin(conn, claimed, lease_s=60)


async def note(pool: Pool, claimed: Claimed, what: Attempt, *, is_probe: bool = False) -> str | None:
    async with pool.tenant(claimed.tenant_id) as conn:
        return await outbox.note(conn, claimed, what, most_age=DAY, is_probe=is_probe)


async def fail(pool: Pool, times: int) -> None:
    """Let so many deliveries fail, one after the other."""
    for _ in range(times):
        await tell(pool, change())
        [claimed] = await claim(pool, 1)
        assert await begin(pool, claimed)
        await note(pool, claimed, attempt(wait_s=1000))


async def forward(database: Database, by: str) -> None:
    """Let time pass for all that waits."""
    await execute(
        database,
        "UPDATE deliveries SET created_at = created_at - $1::text::interval, next_at = next_at - $1::text::interval,"
        " claimed_until = claimed_until - $1::text::interval",
        by,
    )
    await execute(database, "UPDATE alert_routes SET paused_until = paused_until - $1::text::interval", by)


async def test_servers_that_claim_at_once_share_all_and_get_nothing_twice(pool: Pool) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, *(change() for _ in range(200)))

    async def until_empty() -> list[int]:
        mine: list[int] = []
        while claimed := await claim(pool, 7):
            mine += [each.id for each in claimed]
        return mine

    shares = await asyncio.gather(*(until_empty() for _ in range(4)))
    taken = Counter(each for share in shares for each in share)
    taken.update(each.id for each in await claim(pool, 200, of_tenant=200))
    assert set(taken.values()) == {1}
    assert len(taken) == 200


async def test_what_is_claimed_by_a_transaction_that_runs_is_skipped(pool: Pool) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change(), change())
    async with pool.worker() as conn:
        first = await outbox.claim(conn, most=1, most_of_tenant=1, busy={}, lease_s=60)
        second = await claim(pool, 5)
    assert len(first) == len(second) == 1
    assert first[0].id != second[0].id


async def test_a_tenant_with_a_flood_leaves_the_others_their_turns(pool: Pool, database: Database) -> None:
    for tenant_id in (HOME, OTHER):
        if tenant_id != HOME:
            await add_tenant(database)
        await add_route(pool, await add_integration(pool, tenant_id=tenant_id), tenant_id=tenant_id)
    await tell(pool, *(change() for _ in range(500)))
    await tell(pool, change(), change(), tenant_id=OTHER)
    claimed = await claim(pool, 4, of_tenant=4)
    assert Counter(each.tenant_id for each in claimed) == {HOME: 2, OTHER: 2}


async def test_a_tenant_has_no_more_under_way_than_its_share(pool: Pool) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, *(change() for _ in range(10)))
    assert len(await claim(pool, 10, of_tenant=4, busy={HOME: 1})) == 3
    assert await claim(pool, 10, of_tenant=4, busy={HOME: 4}) == []


async def test_the_claim_of_a_server_that_died_ends_and_its_late_note_counts_no_more(
    pool: Pool, database: Database
) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    [dead] = await claim(pool)
    assert await claim(pool) == []
    await execute(database, "UPDATE deliveries SET next_at = now(), claimed_until = now()")
    [heir] = await claim(pool)
    assert heir.id == dead.id
    assert await begin(pool, dead) is None
    assert await note(pool, dead, attempt(ok=True)) is None
    assert (await deliveries(database))[0]["state"] == "SENDING"
    assert await begin(pool, heir)
    assert await note(pool, heir, attempt(ok=True)) == "DELIVERED"
    assert [row["number"] for row in await attempts(database)] == [1]


async def test_attempts_are_counted_until_one_is_taken(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    for what in (attempt(), attempt(), attempt(ok=True)):
        [claimed] = await claim(pool)
        await note(pool, claimed, what)
    [row] = await deliveries(database)
    assert (row["state"], row["attempts"], row["last_error"]) == ("DELIVERED", 3, None)
    assert [(row["number"], row["ok"]) for row in await attempts(database)] == [(1, False), (2, False), (3, True)]


async def test_a_delivery_that_is_not_taken_within_a_day_is_dead(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    [claimed] = await claim(pool)
    assert await note(pool, claimed, attempt(wait_s=0)) == "PENDING"
    await forward(database, "23 hours 30 minutes")
    [claimed] = await claim(pool)
    assert await note(pool, claimed, attempt(wait_s=3600)) == "DEAD"
    assert (await deliveries(database))[0]["last_error"] == "given up: it answers 500"


async def test_what_is_refused_for_good_is_dead_at_once(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    [claimed] = await claim(pool)
    assert await note(pool, claimed, attempt(final=True)) == "DEAD"
    assert (await route(database))["failures"] == 0


async def test_five_failures_in_a_row_pause_a_route_and_what_waits_eats_no_attempts(
    pool: Pool, database: Database
) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    await execute(database, "UPDATE deliveries SET next_at = now() + interval '10 seconds'")
    await fail(pool, 4)
    assert (await route(database))["paused_until"] is None
    await fail(pool, 1)
    shown = await route(database)
    assert shown["failures"] == circuits.FAILURES
    waiting = (await deliveries(database))[0]
    assert (waiting["attempts"], waiting["next_at"]) == (0, shown["paused_until"])
    assert await claim(pool) == []


async def test_a_success_in_between_begins_the_count_anew(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await fail(pool, 4)
    await tell(pool, change())
    [claimed] = await claim(pool)
    await note(pool, claimed, attempt(ok=True))
    await fail(pool, 4)
    assert (await route(database))["paused_until"] is None


async def test_an_open_circuit_lets_one_probe_through_on_all_servers(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await fail(pool, 5)
    await tell(pool, *(change() for _ in range(5)))
    await forward(database, "31 seconds")
    claimed = await claim(pool)
    targets = await asyncio.gather(*(begin(pool, each) for each in claimed))
    assert len(claimed) == 5
    assert [target.is_probe for target in targets if target] == [True]
    put_back = [row for row in await deliveries(database) if row["state"] == "PENDING" and not row["attempts"]]
    assert len(put_back) == 4
    assert {row["next_at"] for row in put_back} == {(await route(database))["paused_until"]}


async def test_a_probe_that_fails_doubles_the_pause_up_to_15_minutes(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await fail(pool, 5)
    pauses = []
    for _ in range(7):
        await forward(database, "15 minutes")
        await tell(pool, change())
        [claimed, *others] = await claim(pool)
        assert await begin(pool, claimed)
        await note(pool, claimed, attempt(wait_s=3600), is_probe=True)
        for each in others:
            await begin(pool, each)
        noted = (await attempts(database))[-1]
        assert not noted["ok"]
        async with pool.worker() as conn:
            now = await conn.fetchval("SELECT now()")
        pauses.append(round(((await route(database))["paused_until"] - now).total_seconds(), -1))
    assert pauses == [60, 120, 240, 480, 900, 900, 900]


async def test_failures_that_were_under_way_when_the_circuit_opened_make_the_pause_no_longer(
    pool: Pool, database: Database
) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, *(change() for _ in range(8)))
    claimed = await claim(pool)
    for each in claimed:
        assert await begin(pool, each)
    await asyncio.gather(*(note(pool, each, attempt()) for each in claimed))
    assert (await route(database))["failures"] == 5


async def test_a_probe_that_is_taken_lets_all_that_was_held_back_go(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await fail(pool, 5)
    await tell(pool, *(change() for _ in range(3)))
    await forward(database, "31 seconds")
    claimed = await claim(pool)
    [probe] = [each for each in claimed if await begin(pool, each)]
    await note(pool, probe, attempt(ok=True), is_probe=True)
    shown = await route(database)
    assert (shown["failures"], shown["paused_until"]) == (0, None)
    assert len(await claim(pool)) == 2


async def test_a_probe_that_dies_leaves_the_next_one_a_turn(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await fail(pool, 5)
    await tell(pool, change())
    await forward(database, "31 seconds")
    [claimed] = await claim(pool)
    assert await begin(pool, claimed)
    await forward(database, "61 seconds")
    [again] = await claim(pool)
    assert (again.id, bool(await begin(pool, again))) == (claimed.id, True)


@pytest.mark.parametrize("statement", ["UPDATE alert_routes SET enabled = false", "DELETE FROM alert_routes"])
async def test_what_waits_for_a_route_that_is_off_or_gone_is_discarded(
    pool: Pool, database: Database, statement: str
) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    await execute(database, statement)
    [claimed] = await claim(pool)
    assert await begin(pool, claimed) is None
    [row] = await deliveries(database)
    assert (row["state"], row["attempts"]) == ("DISCARDED", 0)


async def test_what_home_assistant_fetches_is_nobody_elses_to_send(pool: Pool) -> None:
    await add_route(pool, await add_integration(pool, "home_assistant"))
    await tell(pool, change())
    assert await claim(pool) == []


async def test_all_that_waits_for_a_day_is_given_up_whoever_it_waits_for(pool: Pool, database: Database) -> None:
    for kind in ("webhook", "home_assistant"):
        await add_route(pool, await add_integration(pool, kind))
    await tell(pool, change())
    await execute(database, "UPDATE deliveries SET created_at = now() - interval '25 hours'")
    await tell(pool, change())
    async with pool.worker() as conn:
        assert await outbox_upkeep.give_up(conn, DAY) == 2
        counted = await outbox_upkeep.count(conn)
    assert (counted.pending, counted.dead) == (2, 2)
    assert {row["last_error"] for row in await deliveries(database)} == {
        "given up: there was no attempt in time",
        None,
    }


@pytest.mark.parametrize(
    ("state", "age", "kept"),
    [
        ("DELIVERED", "29 days", True),
        ("DELIVERED", "31 days", False),
        ("DISCARDED", "31 days", False),
        ("DEAD", "89 days", True),
        ("DEAD", "91 days", False),
        ("PENDING", "91 days", True),
    ],
)
async def test_what_is_over_is_forgotten_after_its_time(
    pool: Pool, database: Database, state: str, age: str, *, kept: bool
) -> None:
    await add_route(pool, await add_integration(pool))
    await tell(pool, change())
    finished = None if state == "PENDING" else age
    await execute(
        database,
        "UPDATE deliveries SET state = $1, finished_at = now() - $2::text::interval,"
        " created_at = now() - $3::text::interval",
        state,
        finished,
        age,
    )
    async with pool.worker() as conn:
        tenants = await outbox_upkeep.tenants_to_prune(conn)
    for tenant_id in tenants:
        async with pool.tenant(tenant_id) as conn:
            await outbox_upkeep.prune(conn, tenant_id)
    assert bool(await deliveries(database)) is kept


async def test_a_worker_can_read_no_integration(pool: Pool) -> None:
    async with pool.worker() as conn:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.fetch("SELECT secrets FROM integrations")
