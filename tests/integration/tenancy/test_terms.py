"""The hourly look at terms, on a real database: whoever does it, and however often, each thing happens once."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.tenancy.terms import Reminder, Terms
from tests.postgres import Database, as_owner

_END = datetime(2030, 6, 1, 12, tzinfo=UTC)
_DAY = timedelta(days=1)


async def _subscription(database: Database, tenant_id: str = "acme", /, **fields: object) -> UUID:
    values = {
        "tenant_id": tenant_id,
        "kind": "MAIN",
        "status": "ACTIVE",
        "term_start": _END - 365 * _DAY,
        "term_end": _END,
        "grace_days": 14,
    } | fields
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    async with as_owner(database) as owner:
        await owner.execute("INSERT INTO tenants (tenant_id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING", tenant_id)
        made: UUID = await owner.fetchval(
            f"INSERT INTO subscriptions ({', '.join(values)}) VALUES ({places}) RETURNING id",  # noqa: S608 - of tests
            *values.values(),
        )
    return made


async def _status(database: Database, subscription_id: UUID) -> str:
    async with as_owner(database) as owner:
        return str(await owner.fetchval("SELECT status FROM subscriptions WHERE id = $1", subscription_id))


async def _audit(database: Database) -> list[dict[str, Any]]:
    async with as_owner(database) as owner:
        return [dict(row) for row in await owner.fetch("SELECT * FROM subscription_audit ORDER BY id")]


def _at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


async def test_a_term_goes_through_grace_to_its_suspension(database: Database, pool: Pool) -> None:
    made = await _subscription(database)
    seen = []
    for moment in (_END - _DAY / 2, _END, _END + 13 * _DAY, _END + 14 * _DAY, _END + 99 * _DAY):
        await Terms(pool, now=_at(moment)).look()
        seen.append(await _status(database, made))
    assert seen == ["ACTIVE", "GRACE", "GRACE", "SUSPENDED", "SUSPENDED"]
    changes = [row for row in await _audit(database) if row["event"] != "REMINDER"]
    assert [(row["event"], row["actor"], row["before"]["status"], row["after"]["status"]) for row in changes] == [
        ("GRACE", "terms", "ACTIVE", "GRACE"),
        ("SUSPENDED", "terms", "GRACE", "SUSPENDED"),
    ]


async def test_a_trial_expires(database: Database, pool: Pool) -> None:
    made = await _subscription(database, kind="TRIAL", status="TRIAL", grace_days=0)
    await Terms(pool, now=_at(_END)).look()
    assert await _status(database, made) == "EXPIRED"


async def test_who_was_away_for_long_still_comes_to_the_right_end(database: Database, pool: Pool) -> None:
    made = await _subscription(database)
    await Terms(pool, now=_at(_END + 30 * _DAY)).look()
    assert await _status(database, made) == "SUSPENDED"
    assert [row["event"] for row in await _audit(database)] == ["SUSPENDED"]


async def test_each_reminder_is_given_once(database: Database, pool: Pool) -> None:
    made = await _subscription(database)
    given: list[Reminder] = []

    async def take(_conn: Conn, reminder: Reminder) -> None:
        given.append(reminder)

    for hour in range(0, 100 * 24, 6):
        await Terms(pool, now=_at(_END - 99 * _DAY + timedelta(hours=hour)), on_reminder=take).look()
    assert [reminder.days for reminder in given] == [90, 60, 30, 14, 7, 1]
    assert {(reminder.tenant_id, reminder.subscription_id, reminder.term_end) for reminder in given} == {
        ("acme", made, _END)
    }
    reminders = [row["details"] for row in await _audit(database) if row["event"] == "REMINDER"]
    assert reminders == [{"days": days} for days in (90, 60, 30, 14, 7, 1)]


async def test_of_reminders_that_were_missed_the_newest_is_given(database: Database, pool: Pool) -> None:
    await _subscription(database)
    for _ in range(2):
        await Terms(pool, now=_at(_END - 5 * _DAY)).look()
    assert [row["details"] for row in await _audit(database)] == [{"days": 7}]


async def test_the_next_term_has_reminders_of_its_own(database: Database, pool: Pool) -> None:
    await _subscription(database)
    await Terms(pool, now=_at(_END - 5 * _DAY)).look()
    async with as_owner(database) as owner:
        await owner.execute("UPDATE subscriptions SET term_end = term_end + interval '365 days'")
    await Terms(pool, now=_at(_END + 360 * _DAY)).look()
    assert [row["details"] for row in await _audit(database)] == [{"days": 7}, {"days": 7}]


async def test_several_servers_at_once_do_each_thing_once(database: Database, pool: Pool) -> None:
    ending = [await _subscription(database, f"t{number}") for number in range(5)]
    warned = [await _subscription(database, f"t{number}", term_end=_END + 6 * _DAY) for number in range(5)]
    servers = [Terms(pool, now=_at(_END)) for _ in range(4)]
    await asyncio.gather(*(server.look() for server in servers))
    assert [await _status(database, made) for made in ending] == ["GRACE"] * 5
    rows = await _audit(database)
    assert sorted((row["subscription_id"], row["event"]) for row in rows) == sorted(
        [(made, "GRACE") for made in ending] + [(made, "REMINDER") for made in warned]
    )
    assert sum(server.changed for server in servers) == 5
    assert sum(server.reminded for server in servers) == 5


async def test_a_reminder_that_cannot_be_delivered_is_given_again(database: Database, pool: Pool) -> None:
    await _subscription(database)

    async def refuse(_conn: Conn, _reminder: Reminder) -> None:
        raise RetryLater("full")

    with pytest.raises(RetryLater):
        await Terms(pool, now=_at(_END - 5 * _DAY), on_reminder=refuse).look()
    assert await _audit(database) == []
    await Terms(pool, now=_at(_END - 5 * _DAY)).look()
    assert len(await _audit(database)) == 1


async def test_a_fault_about_one_tenant_does_not_hold_up_the_others(
    database: Database, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    for tenant_id in ("a", "b", "c"):
        await _subscription(database, tenant_id)

    async def fail(_conn: Conn, reminder: Reminder) -> None:
        if reminder.tenant_id == "a":
            raise ValueError("a fault")

    with caplog.at_level(logging.ERROR):
        await Terms(pool, now=_at(_END - 5 * _DAY), on_reminder=fail).look()
    assert [row["tenant_id"] for row in await _audit(database)] == ["b", "c"]
    assert "The terms of the tenant a could not be looked at" in caplog.text


async def test_what_has_no_end_or_is_over_or_belongs_to_a_deleted_tenant_is_left_alone(
    database: Database, pool: Pool
) -> None:
    made = [
        await _subscription(database, "endless", term_end=None),
        await _subscription(database, "over", status="SUSPENDED"),
        await _subscription(database, "gone"),
    ]
    async with as_owner(database) as owner:
        await owner.execute("UPDATE tenants SET status = 'DELETED' WHERE tenant_id = 'gone'")
    await Terms(pool, now=_at(_END + _DAY)).look()
    assert [await _status(database, each) for each in made] == ["ACTIVE", "SUSPENDED", "ACTIVE"]
    assert await _audit(database) == []


async def test_an_addon_follows_its_parent_without_a_reminder(database: Database, pool: Pool) -> None:
    parent = await _subscription(database)
    addon = await _subscription(database, kind="ADDON", parent_id=parent)
    await Terms(pool, now=_at(_END - 5 * _DAY)).look()
    assert [row["subscription_id"] for row in await _audit(database)] == [parent]
    await Terms(pool, now=_at(_END)).look()
    assert [await _status(database, each) for each in (parent, addon)] == ["GRACE", "GRACE"]


async def test_keys_of_requests_are_forgotten_after_two_days(database: Database, pool: Pool) -> None:
    async with as_owner(database) as owner:
        await owner.executemany(
            "INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, response, created_at)"
            " VALUES ('home', $1, '', 200, '{}', $2)",
            [("old", _END - timedelta(hours=49)), ("young", _END - timedelta(hours=47))],
        )
        await Terms(pool, now=_at(_END)).look()
        assert await owner.fetchval("SELECT array_agg(key) FROM idempotency_keys") == ["young"]


async def test_it_runs_until_it_is_cancelled(database: Database, pool: Pool) -> None:
    made = await _subscription(database)
    task = asyncio.create_task(Terms(pool, now=_at(_END)).run(), name="terms")
    async with asyncio.timeout(10):
        while await _status(database, made) != "GRACE":  # noqa: ASYNC110 - of the database
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_goes_on_while_the_store_is_away(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    await pool.close()
    with caplog.at_level(logging.DEBUG):
        task = asyncio.create_task(Terms(pool, now=_at(_END)).run(), name="terms")
        async with asyncio.timeout(10):
            while "are looked at later" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
