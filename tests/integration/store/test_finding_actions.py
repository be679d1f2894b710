"""What a person does about findings."""

import time

from homeiq_server.insights.finding import Kind
from homeiq_server.store import finding_actions, finding_changes, findings
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import AT_US, DAY_US, HOME, OTHER, SOURCE, add_tenant, condition, rows_of
from tests.postgres import Database

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ACTIONS = (finding_actions.unmute, finding_actions.acknowledge, finding_actions.unacknowledge)


async def an_open_finding(pool: Pool) -> str:
    """Open one and return its id."""
    async with pool.tenant(HOME) as conn:
        await findings.reconcile(conn, HOME, SOURCE, [condition()], at_us=AT_US, settled=True, evaluated=None)
        return str(await conn.fetchval("SELECT id FROM findings WHERE resolved_at IS NULL"))


async def changes(pool: Pool) -> list[str]:
    async with pool.tenant(HOME) as conn:
        return [row["change"] for row in await finding_changes.after(conn, HOME, 0, limit=500)]


async def test_each_action_is_told_and_done_twice_is_once(pool: Pool) -> None:
    finding = await an_open_finding(pool)
    until_us = time.time_ns() // 1_000 + DAY_US
    async with pool.tenant(HOME) as conn:
        for _ in range(2):
            await finding_actions.acknowledge(conn, HOME, finding)
        for _ in range(2):
            await finding_actions.unacknowledge(conn, HOME, finding)
        for _ in range(2):
            await finding_actions.mute(conn, HOME, finding, until_us)
        for _ in range(2):
            await finding_actions.mute(conn, HOME, finding, None)
        for _ in range(2):
            await finding_actions.unmute(conn, HOME, finding)
    assert await changes(pool) == ["opened", "acknowledged", "unacknowledged", "muted", "muted", "unmuted"]


async def test_an_acknowledged_finding_stays_open_and_is_resolved_by_its_cause_alone(pool: Pool) -> None:
    finding = await an_open_finding(pool)
    async with pool.tenant(HOME) as conn:
        seen = await finding_actions.acknowledge(conn, HOME, finding)
        assert seen
        assert (seen["acknowledged_at"] is not None, seen["resolved_at"]) == (True, None)
        again = await findings.reconcile(conn, HOME, SOURCE, [condition()], at_us=AT_US, settled=True, evaluated=None)
        assert (again.opened, again.resolved) == (0, 0)


async def test_what_is_resolved_is_not_acknowledged_any_more(pool: Pool) -> None:
    finding = await an_open_finding(pool)
    async with pool.tenant(HOME) as conn:
        await findings.reconcile(conn, HOME, SOURCE, [], at_us=AT_US, settled=True, evaluated=None)
        row = await finding_actions.acknowledge(conn, HOME, finding)
    assert row
    assert row["acknowledged_at"] is None
    assert await changes(pool) == ["opened", "resolved"]


async def test_muting_until_a_time_that_is_over_is_unmuting(pool: Pool, database: Database) -> None:
    finding = await an_open_finding(pool)
    async with pool.tenant(HOME) as conn:
        await finding_actions.mute(conn, HOME, finding, AT_US - 365 * DAY_US)
        assert await rows_of(database, "mutes") == []
        await finding_actions.mute(conn, HOME, finding, None)
        row = await finding_actions.mute(conn, HOME, finding, AT_US - 365 * DAY_US)
    assert row
    assert not row["muted"]
    assert await changes(pool) == ["opened", "muted", "unmuted"]


async def test_a_mute_set_on_an_old_finding_is_told_of_the_one_that_is_open(pool: Pool) -> None:
    old = await an_open_finding(pool)
    async with pool.tenant(HOME) as conn:
        await findings.reconcile(conn, HOME, SOURCE, [], at_us=AT_US, settled=True, evaluated=None)
    new = await an_open_finding(pool)
    async with pool.tenant(HOME) as conn:
        await finding_actions.mute(conn, HOME, old, None)
        rows = await finding_changes.after(conn, HOME, 0, limit=500)
    assert [(row["change"], row["id"]) for row in rows] == [
        ("opened", old),
        ("resolved", old),
        ("opened", new),
        ("muted", new),
    ]


async def test_a_mute_is_of_one_kind(pool: Pool) -> None:
    finding = await an_open_finding(pool)
    async with pool.tenant(HOME) as conn:
        await findings.reconcile(
            conn, HOME, SOURCE, [condition(), condition(kind=Kind.DRIFT)], at_us=AT_US, settled=True, evaluated=None
        )
        await finding_actions.mute(conn, HOME, finding, None)
        rows = await findings.of_device(conn, HOME, "lamp", resolved=20)
    assert {row["kind"]: row["muted"] for row in rows} == {"silent": True, "drift": False}


async def test_there_is_nothing_to_do_about_what_is_not_there(pool: Pool, database: Database) -> None:
    finding = await an_open_finding(pool)
    await add_tenant(database)
    for tenant_id, given in ((HOME, UNKNOWN), (HOME, "no uuid"), (OTHER, finding)):
        async with pool.tenant(tenant_id) as conn:
            assert [await action(conn, tenant_id, given) for action in ACTIONS] == [None, None, None]
            assert await finding_actions.mute(conn, tenant_id, given, None) is None
    assert await changes(pool) == ["opened"]
