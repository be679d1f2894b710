"""Conditions that come and go become findings that open, change and are resolved."""

import asyncio
from collections.abc import Collection
from typing import Any

from homeiq_server.insights.finding import Condition, Kind
from homeiq_server.store import finding_actions, finding_changes, findings
from homeiq_server.store.findings import Changes
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import (
    AT_US,
    DAY_US,
    HOME,
    MINUTE_US,
    OTHER,
    SOURCE,
    add_tenant,
    condition,
    rows_of,
)
from tests.postgres import Database, as_owner

NOTHING = Changes(opened=0, resolved=0)


async def reconcile(  # noqa: PLR0913 - as many as the function has
    pool: Pool,
    *conditions: Condition,
    at_us: int = AT_US,
    settled: bool = True,
    evaluated: Collection[Kind] | None = None,
    source: str = SOURCE,
    tenant_id: str = HOME,
) -> Changes:
    async with pool.tenant(tenant_id) as conn:
        return await findings.reconcile(
            conn, tenant_id, source, conditions, at_us=at_us, settled=settled, evaluated=evaluated
        )


async def told(pool: Pool, after: int = 0) -> list[tuple[str, str]]:
    """Return what was told to those who follow: the change and the subject."""
    async with pool.tenant(HOME) as conn:
        return [(row["change"], row["subject"]) for row in await finding_changes.after(conn, HOME, after, limit=500)]


async def by_subject(database: Database) -> dict[str, dict[str, Any]]:
    return {row["subject"]: row for row in await rows_of(database, "findings")}


async def the_id(pool: Pool, subject: str = "lamp") -> str:
    async with pool.tenant(HOME) as conn:
        row = await conn.fetchrow("SELECT id FROM findings WHERE subject = $1 ORDER BY opened_at DESC", subject)
    assert row
    return str(row["id"])


async def mute(pool: Pool, finding: str, until_us: int | None = None) -> None:
    async with pool.tenant(HOME) as conn:
        assert await finding_actions.mute(conn, HOME, finding, until_us)


async def test_a_condition_opens_one_finding_with_all_that_is_known(pool: Pool, database: Database) -> None:
    whole = condition(kind=Kind.HUB_DOWN, entity_id="light.lamp", severity=5, affected=("a", "b"))
    assert await reconcile(pool, whole) == Changes(opened=1, resolved=0)
    [row] = await rows_of(database, "findings")
    assert {name: row[name] for name in whole.__struct_fields__ if name not in ("affected", "since_us")} == {
        name: getattr(whole, name) for name in whole.__struct_fields__ if name not in ("affected", "since_us")
    }
    assert (row["affected"], row["since"], row["opened_at"]) == (["a", "b"], moment(whole.since_us), moment(AT_US))
    assert (row["resolved_at"], row["acknowledged_at"]) == (None, None)


async def test_evidence_is_an_object_in_the_database_too(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition(evidence={"min": 0, "max": 254, "names": ["a", None], "deep": {"on": True}}))
    async with as_owner(database) as owner:
        assert await owner.fetchval("SELECT jsonb_typeof(evidence) FROM findings") == "object"
        assert await owner.fetchval("SELECT (evidence->>'max')::int FROM findings") == 254


async def test_the_same_conditions_again_touch_no_row_and_tell_nothing(pool: Pool, database: Database) -> None:
    given = [condition("lamp"), condition("door", Kind.BATTERY, affected=("a",), evidence={"level": 3.5})]
    await reconcile(pool, *given)
    before = await rows_of(database, "findings"), await rows_of(database, "finding_changes")
    assert await reconcile(pool, *given, at_us=AT_US + 1) == NOTHING
    assert (await rows_of(database, "findings"), await rows_of(database, "finding_changes")) == before


async def test_what_differs_is_changed_in_the_open_finding(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition(), condition("door"))
    before = await by_subject(database)
    later = condition(evidence={"quiet_h": 6}, severity=4, affected=("x",), since_us=AT_US)
    assert await reconcile(pool, later, condition("door"), at_us=AT_US + 1) == NOTHING
    after = await by_subject(database)
    changed = after["lamp"]
    assert after["door"] == before["door"]
    assert (changed["id"], changed["since"]) == (before["lamp"]["id"], before["lamp"]["since"])
    assert (changed["evidence"], changed["severity"], changed["affected"]) == ({"quiet_h": 6}, 4, ["x"])
    assert (changed["opened_at"], changed["changed_at"]) == (moment(AT_US), moment(AT_US + 1))
    assert await told(pool) == [("opened", "lamp"), ("opened", "door")]


async def test_a_condition_that_is_gone_resolves_its_finding(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition("lamp"), condition("door"))
    assert await reconcile(pool, condition("door"), at_us=AT_US + 9) == Changes(opened=0, resolved=1)
    assert {row["subject"]: row["resolved_at"] for row in await rows_of(database, "findings")} == {
        "door": None,
        "lamp": moment(AT_US + 9),
    }
    assert (await told(pool))[2:] == [("resolved", "lamp")]


async def test_one_that_comes_back_is_another_finding(pool: Pool, database: Database) -> None:
    for conditions in ([condition()], [], [condition()]):
        await reconcile(pool, *conditions)
    rows = await rows_of(database, "findings")
    assert len({row["id"] for row in rows}) == 2
    assert sorted(row["resolved_at"] is None for row in rows) == [False, True]
    assert await told(pool) == [("opened", "lamp"), ("resolved", "lamp"), ("opened", "lamp")]


async def test_while_nothing_is_settled_nothing_is_resolved(pool: Pool) -> None:
    await reconcile(pool, condition("lamp"))
    assert await reconcile(pool, condition("door"), settled=False) == Changes(opened=1, resolved=0)
    assert await told(pool) == [("opened", "lamp"), ("opened", "door")]


async def test_a_kind_that_was_not_looked_for_is_not_resolved(pool: Pool) -> None:
    await reconcile(pool, condition(kind=Kind.SILENT), condition(kind=Kind.DRIFT), condition(kind=Kind.MISSING_AREA))
    assert await reconcile(pool, evaluated=[Kind.MISSING_AREA]) == Changes(opened=0, resolved=1)
    assert await reconcile(pool, evaluated=[]) == NOTHING
    assert await reconcile(pool, evaluated=None) == Changes(opened=0, resolved=2)


async def test_a_condition_that_is_given_twice_is_one_finding_of_the_first(pool: Pool, database: Database) -> None:
    assert await reconcile(pool, condition(title="first"), condition(title="second")) == Changes(opened=1, resolved=0)
    assert [row["title"] for row in await rows_of(database, "findings")] == ["first"]


async def test_sources_do_not_resolve_each_other_s_findings(pool: Pool) -> None:
    await reconcile(pool, condition(), source="house")
    assert await reconcile(pool, source="cottage") == NOTHING
    assert await reconcile(pool, condition(), source="cottage") == Changes(opened=1, resolved=0)


async def test_tenants_do_not_touch_each_other_s_findings(pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await reconcile(pool, condition())
    assert await reconcile(pool, tenant_id=OTHER) == NOTHING
    assert await reconcile(pool, condition(), tenant_id=OTHER) == Changes(opened=1, resolved=0)


async def test_twenty_at_once_open_one_finding_each_and_leave_no_hole_for_followers(pool: Pool) -> None:
    subjects = [f"d{n}" for n in range(50)]

    async def follow() -> list[int]:
        cursors: list[int] = []
        while len(cursors) < len(subjects):
            async with pool.tenant(HOME) as conn:
                rows = await finding_changes.after(conn, HOME, cursors[-1] if cursors else 0, limit=7)
            cursors.extend(row["cursor"] for row in rows)
        return cursors

    follower = asyncio.create_task(follow())
    pieces = [subjects[: n * 5 % 50 + 5] for n in range(20)]
    results = await asyncio.gather(*(reconcile(pool, *map(condition, piece), settled=False) for piece in pieces))
    assert sum(each.opened for each in results) == len(subjects)
    cursors = await follower
    assert (len(set(cursors)), cursors) == (len(subjects), sorted(cursors))
    assert sorted(await told(pool)) == sorted(("opened", subject) for subject in subjects)


async def test_who_follows_misses_nothing_of_a_transaction_that_ends_late(pool: Pool, database: Database) -> None:
    async def is_waiting() -> bool:
        async with as_owner(database) as owner:
            return bool(await owner.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))

    async with pool.tenant(HOME) as conn:
        await findings.reconcile(conn, HOME, "late", [condition("a")], at_us=AT_US, settled=True, evaluated=None)
        other = asyncio.create_task(reconcile(pool, condition("b"), source="early"))
        while not other.done() and not await is_waiting():
            pass
        async with pool.tenant(HOME) as follower:
            seen = await finding_changes.after(follower, HOME, 0, limit=500)
    await other
    followed = await told(pool, seen[-1]["cursor"] if seen else 0)
    assert sorted([*(row["subject"] for row in seen), *(subject for _, subject in followed)]) == ["a", "b"]


async def test_a_muted_subject_and_kind_opens_and_resolves_in_silence(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition())
    await mute(pool, await the_id(pool))
    heard = len(await told(pool))
    assert await reconcile(pool) == Changes(opened=0, resolved=1)
    assert await reconcile(pool, condition(), condition(kind=Kind.DRIFT)) == Changes(opened=2, resolved=0)
    assert (await told(pool))[heard:] == [("opened", "lamp")]
    assert len([row for row in await rows_of(database, "findings") if row["resolved_at"] is None]) == 2


async def test_a_mute_that_ends_is_told_once_when_the_finding_is_still_open(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition("lamp"), condition("door"))
    for subject in ("lamp", "door"):
        await mute(pool, await the_id(pool, subject), AT_US + 365 * DAY_US)
    await reconcile(pool, condition("lamp"))
    heard = len(await told(pool))
    async with as_owner(database) as owner:
        await owner.execute("UPDATE mutes SET until = now() - interval '1 second'")
    for _ in range(2):
        await reconcile(pool, condition("lamp"))
    assert (await told(pool))[heard:] == [("unmuted", "lamp")]
    assert await rows_of(database, "mutes") == []


async def test_a_mute_that_is_over_silences_nothing(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition())
    await mute(pool, await the_id(pool), AT_US + 365 * DAY_US)
    async with as_owner(database) as owner:
        await owner.execute("UPDATE mutes SET until = now() - interval '1 second'")
    heard = len(await told(pool))
    await reconcile(pool)
    assert ("resolved", "lamp") in (await told(pool))[heard:]


async def test_pruning_forgets_what_was_resolved_long_ago(pool: Pool, database: Database) -> None:
    await reconcile(pool, condition("a"), condition("b"), condition("c"))
    await reconcile(pool, condition("b"), condition("c"), at_us=AT_US + MINUTE_US)
    await reconcile(pool, condition("c"), at_us=AT_US + 2 * MINUTE_US)
    async with pool.tenant(HOME) as conn:
        await findings.prune(conn, HOME, AT_US + 2 * MINUTE_US)
    assert sorted(row["subject"] for row in await rows_of(database, "findings")) == ["b", "c"]


async def test_pruning_changes_never_sets_the_cursor_back(pool: Pool) -> None:
    await reconcile(pool, condition("a"), condition("b"))
    async with pool.tenant(HOME) as conn:
        before = await finding_changes.last(conn, HOME)
        await finding_changes.prune(conn, HOME, AT_US + DAY_US)
        assert await finding_changes.last(conn, HOME) == before
    assert len(await told(pool)) == 1


async def test_thousands_of_conditions_are_as_many_statements_as_one(pool: Pool) -> None:
    counts = []
    async with pool.tenant(HOME) as conn:
        for number in (1, 1, 2_000):  # the first time types are looked up too
            statements: list[object] = []
            conn.add_query_logger(statements.append)
            given = [condition(f"d{n}") for n in range(number)]
            opened = await findings.reconcile(conn, HOME, SOURCE, given, at_us=AT_US, settled=True, evaluated=None)
            resolved = await findings.reconcile(conn, HOME, SOURCE, [], at_us=AT_US, settled=True, evaluated=None)
            await asyncio.sleep(0)  # the logger is called by the event loop
            conn.remove_query_logger(statements.append)
            assert (opened.opened, resolved.resolved) == (number, number)
            counts.append(len(statements))
    assert counts[1:] == [6, 6]  # a lock, the mutes that are over, the findings; twice
