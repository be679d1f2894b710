"""``/tenant/v1/deliveries`` over real HTTP, before a real database."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeiq_server.delivery.worker import Worker
from homeiq_server.store.pool import Pool
from tests.integration.api.tenant.delivery_served import Asking, served
from tests.integration.delivery.outbox_rows import OTHER, change, deliveries, execute, tell
from tests.integration.delivery.receivers import receiving
from tests.integration.delivery.test_worker import running
from tests.integration.store.rows import add_tenant
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import eventually

DIE = "UPDATE deliveries SET state = 'DEAD', attempts = 9, finished_at = now(), last_error = 'it answers 500'"


@pytest.fixture
async def asking(pool: Pool) -> AsyncIterator[Asking]:
    async with served(pool) as client:
        yield client


async def listed(asking: Asking, question: str = "") -> list[int]:
    return [each["id"] for each in (await asking.get(f"/deliveries{question}"))["deliveries"]]


async def test_deliveries_are_listed_newest_first_by_what_is_asked_for(
    asking: Asking, pool: Pool, database: Database
) -> None:
    hook = await asking.webhook()
    one, other = await asking.route(hook), await asking.route(hook, severities=[5])
    await tell(pool, change(alert_id=1))
    await tell(pool, change(alert_id=2, severity=5))
    everything = await listed(asking)
    assert everything == sorted(everything, reverse=True)
    assert len(everything) == 3
    assert len(await listed(asking, f"?route_id={one['id']}")) == 2
    assert len(await listed(asking, f"?route_id={other['id']}")) == 1
    assert len(await listed(asking, "?alert_id=2")) == 2
    assert await listed(asking, "?state=DEAD") == []
    await execute(database, DIE)
    assert await listed(asking, "?state=DEAD&limit=500") == everything
    assert await _paged(asking) == everything


async def _paged(asking: Asking) -> list[int]:
    seen: list[int] = []
    cursor = ""
    while True:
        page = await asking.get(f"/deliveries?limit=1{cursor}")
        seen += [each["id"] for each in page["deliveries"]]
        if page["next_cursor"] is None:
            return seen
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_delivery_shows_what_was_told_and_each_attempt(asking: Asking, pool: Pool) -> None:
    async with receiving() as receiver:
        hook = await asking.webhook(receiver.url)
        route = await asking.route(hook)
        told = change()
        async with running(Worker(pool, allow=["127.0.0.1"])):
            await tell(pool, told)
            await eventually(lambda: listed(asking, "?state=DELIVERED"))
    [delivery] = await listed(asking)
    shown = await asking.get(f"/deliveries/{delivery}")
    [attempt] = shown["attempts"]
    assert (attempt["number"], attempt["ok"], attempt["status"], attempt["error"]) == (1, True, 200, None)
    kept = shown["delivery"]
    assert (kept["state"], kept["attempts"], kept["route_id"]) == ("DELIVERED", 1, route["id"])
    assert (kept["integration_id"], kept["alert_id"], kept["payload"]) == (hook["id"], 7, dict(told.payload))
    assert kept["next_at"] is None


async def test_what_is_fetched_is_due_at_no_time(asking: Asking, pool: Pool) -> None:
    await asking.route(await asking.post("/integrations", {"name": "HA", "kind": "home_assistant"}))
    await tell(pool, change())
    [kept] = (await asking.get("/deliveries"))["deliveries"]
    assert (kept["state"], kept["next_at"]) == ("PENDING", None)


async def test_dead_deliveries_are_sent_again_when_asked_for_and_have_a_day_anew(
    asking: Asking, pool: Pool, database: Database
) -> None:
    async with receiving() as receiver:
        route = await asking.route(await asking.webhook(receiver.url))
        await tell(pool, change(), change(), change())
        await execute(database, f"{DIE}, created_at = now() - interval '40 hours'")
        first, *_ = await listed(asking)
        async with running(Worker(pool, allow=["127.0.0.1"])):
            assert await asking.post("/deliveries/replay", {"ids": [first, 999]}) == {"deliveries": 1}
            await eventually(lambda: listed(asking, "?state=DELIVERED"))
            assert await listed(asking, "?state=DELIVERED") == [first]
            assert await asking.post("/deliveries/replay", {"route_id": route["id"]}) == {"deliveries": 2}
            await eventually(lambda: _three(asking))
    assert len(receiver.received) == 3
    async with pool.worker() as conn:
        assert await conn.fetchval("SELECT max(now() - created_at) < interval '1 hour' FROM deliveries")
    assert await asking.post("/deliveries/replay", {"route_id": route["id"]}) == {"deliveries": 0}


async def _three(asking: Asking) -> bool:
    return len(await listed(asking, "?state=DELIVERED")) == 3


async def test_what_waits_or_is_dead_can_be_given_up(asking: Asking, pool: Pool, database: Database) -> None:
    await asking.route(await asking.webhook())
    await tell(pool, change(), change(), change())
    first, second, third = await listed(asking)
    await execute(database, f"{DIE} WHERE id = $1", first)
    await execute(database, "UPDATE deliveries SET state = 'DELIVERED' WHERE id = $1", second)
    assert await asking.post("/deliveries/discard", {"ids": [first, second, third]}) == {"deliveries": 2}
    assert {row["id"]: row["state"] for row in await deliveries(database)} == {
        first: "DISCARDED",
        second: "DELIVERED",
        third: "DISCARDED",
    }


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": [1], "route_id": "x"}, {"ids": [-1]}, {"ids": [2**63]}])
@pytest.mark.parametrize("action", ["replay", "discard"])
async def test_what_names_nothing_is_refused(asking: Asking, action: str, body: dict[str, Any]) -> None:
    assert (await asking.ask("POST", f"/deliveries/{action}", body)).status == 400


async def test_another_tenants_deliveries_are_as_if_they_were_not_there(
    asking: Asking, pool: Pool, database: Database
) -> None:
    await add_tenant(database)
    route = await asking.route(await asking.webhook(tenant=OTHER), tenant=OTHER)
    await tell(pool, change(), tenant_id=OTHER)
    await execute(database, DIE)
    [row] = await deliveries(database)
    assert await listed(asking) == []
    assert (await asking.ask("GET", f"/deliveries/{row['id']}")).status == 404
    assert (await asking.ask("GET", "/deliveries/none")).status == 404
    for action in ("replay", "discard"):
        for body in ({"ids": [row["id"]]}, {"route_id": route["id"]}):
            assert await asking.post(f"/deliveries/{action}", body) == {"deliveries": 0}
    assert (await deliveries(database))[0]["state"] == "DEAD"
