"""``/tenant/v1/home-assistant-events`` over real HTTP, before a real database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from homeiq_server.api.tenant import home_assistant_events
from homeiq_server.store.pool import Pool
from tests.integration.api.tenant.delivery_served import Asking, Json, served
from tests.integration.delivery.outbox_rows import OTHER, change, deliveries, execute, tell
from tests.integration.store.rows import add_tenant
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import eventually

PATH = "/home-assistant-events"


@pytest.fixture
async def asking(pool: Pool) -> AsyncIterator[Asking]:
    async with served(pool) as client:
        integration = await client.post("/integrations", {"name": "HA", "kind": "home_assistant"})
        await client.route(integration)
        yield client


async def events(asking: Asking, question: str = "") -> list[Json]:
    found: list[Json] = (await asking.get(f"{PATH}{question}"))["events"]
    return found


async def test_what_home_assistant_has_is_not_given_again(asking: Asking, pool: Pool, database: Database) -> None:
    first, second = change(), change()
    await tell(pool, first, second)
    got = await events(asking)
    assert [each["payload"] for each in got] == [first.payload, second.payload]
    assert await events(asking) == got
    body = {"ids": [got[0]["id"]]}
    assert await asking.post(f"{PATH}/delivered", body) == {"delivered": 1}
    assert await asking.post(f"{PATH}/delivered", body) == {"delivered": 0}
    assert await events(asking) == got[1:]
    row = (await deliveries(database))[0]
    assert (row["state"], row["attempts"]) == ("DELIVERED", 1)


async def test_no_more_is_given_than_asked_for(asking: Asking, pool: Pool) -> None:
    await tell(pool, *(change() for _ in range(5)))
    assert len(await events(asking, "?limit=2")) == 2


async def test_webhooks_are_not_home_assistants_to_fetch_or_to_take(
    asking: Asking, pool: Pool, database: Database
) -> None:
    await execute(database, "DELETE FROM integrations")
    await asking.route(await asking.webhook())
    await tell(pool, change())
    [row] = await deliveries(database)
    assert await events(asking) == []
    assert await asking.post(f"{PATH}/delivered", {"ids": [row["id"]]}) == {"delivered": 0}


@pytest.mark.parametrize("listening", [True, False])
async def test_who_waits_is_answered_when_something_comes(
    asking: Asking, pool: Pool, monkeypatch: pytest.MonkeyPatch, *, listening: bool
) -> None:
    monkeypatch.setattr(home_assistant_events, "_LOOK_AGAIN_S", 1_000 if listening else 0.05)
    hearing = asyncio.create_task(asking.changes.run() if listening else asyncio.sleep(0), name="changes")
    try:
        await eventually(lambda: asking.changes.is_listening is listening)
        waiting = asyncio.create_task(events(asking, "?wait_s=30"), name="waits")
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        await tell(pool, change())
        async with asyncio.timeout(20):
            assert len(await waiting) == 1
    finally:
        hearing.cancel()
        await asyncio.wait([hearing])


async def test_who_waits_in_vain_is_told_so(asking: Asking) -> None:
    assert await events(asking, "?wait_s=0.2") == []


async def test_only_so_many_wait_and_the_next_is_answered_at_once(asking: Asking, pool: Pool) -> None:
    waiting = [asyncio.create_task(events(asking, "?wait_s=5"), name="waits") for _ in range(9)]
    done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(others)) == (1, 8)
    await tell(pool, change())
    for task in waiting:
        await task


async def test_another_tenants_events_are_not_fetched_nor_taken(asking: Asking, pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await tell(pool, change())
    [row] = await deliveries(database)
    assert (await asking.get(PATH, tenant=OTHER))["events"] == []
    assert await asking.post(f"{PATH}/delivered", {"ids": [row["id"]]}, tenant=OTHER) == {"delivered": 0}
    assert len(await events(asking)) == 1


@pytest.mark.parametrize("question", ["?wait_s=31", "?wait_s=-1", "?limit=0", "?after=1"])
async def test_what_makes_no_sense_is_refused(asking: Asking, question: str) -> None:
    assert (await asking.ask("GET", f"{PATH}{question}")).status == 400
