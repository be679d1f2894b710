"""``/tenant/v1/routes`` over real HTTP, before a real database."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeiq_server.store.pool import Pool
from tests.integration.api.tenant.delivery_served import Asking, served
from tests.integration.delivery.outbox_rows import OTHER, change, deliveries, tell
from tests.integration.store.rows import add_tenant
from tests.postgres import Database

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def asking(pool: Pool) -> AsyncIterator[Asking]:
    async with served(pool) as client:
        yield client


async def test_a_route_is_made_listed_changed_and_deleted(asking: Asking) -> None:
    hook, other = await asking.webhook(), await asking.webhook()
    made = await asking.route(hook)
    assert made["severities"] == [1, 2, 3, 4, 5]
    assert made["deliver_on"] == ["opened"]
    assert (made["kinds"], made["site_ids"], made["device_ids"]) == (None, None, None)
    path = f"/routes/{made['id']}"
    assert await asking.get(path) == made
    wanted = {"severities": [5, 4, 5], "device_ids": ["pump-*"], "integration_id": other["id"]}
    changed = (await asking.ask("PATCH", path, wanted)).body
    assert (changed["severities"], changed["device_ids"], changed["version"]) == ([4, 5], ["pump-*"], 2)
    assert (await asking.get(f"/routes?integration_id={other['id']}"))["routes"] == [changed]
    assert (await asking.get(f"/routes?integration_id={hook['id']}"))["routes"] == []
    assert (await asking.ask("PATCH", path, {"device_ids": None})).body["device_ids"] is None
    assert (await asking.ask("DELETE", path)).status == 204
    assert (await asking.ask("GET", path)).status == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"severities": []}, "severities: Expected `array` of length >= 1"),
        ({"severities": [0]}, "severities"),
        ({"severities": [6]}, "severities"),
        ({"severities": ["critical"]}, "severities"),
        ({"severities": None}, "severities"),
        ({"deliver_on": []}, "deliver_on"),
        ({"deliver_on": ["closed"]}, "deliver_on"),
        ({"kinds": []}, "kinds"),
        ({"min_severity": 3}, "min_severity"),
        ({"integration_id": UNKNOWN}, "integration_id: there is no such integration"),
    ],
)
async def test_a_route_that_would_tell_nothing_or_nobody_is_refused(
    asking: Asking, fields: dict[str, Any], words: str
) -> None:
    hook = await asking.webhook()
    made = await asking.route(hook)
    body = {"integration_id": hook["id"], "name": "x"} | fields
    for method, path in (("POST", "/routes"), ("PATCH", f"/routes/{made['id']}")):
        answer = await asking.ask(method, path, body)
        assert (answer.status, words in answer.body["detail"]) == (400, True), answer.body
    assert await asking.get(f"/routes/{made['id']}") == made


async def test_a_route_of_critical_alerts_delivers_them_and_no_others(
    asking: Asking, pool: Pool, database: Database
) -> None:
    await asking.route(await asking.webhook(), severities=[5])
    await tell(pool, change(severity=3))
    assert await deliveries(database) == []
    await tell(pool, change(severity=5))
    assert len(await deliveries(database)) == 1


async def test_deleting_a_route_discards_what_waits_for_it(asking: Asking, pool: Pool, database: Database) -> None:
    made = await asking.route(await asking.webhook())
    await tell(pool, change())
    await asking.ask("DELETE", f"/routes/{made['id']}")
    [row] = await deliveries(database)
    assert (row["state"], row["last_error"]) == ("DISCARDED", "its route is gone")


async def test_a_change_that_was_decided_on_something_older_is_refused(asking: Asking) -> None:
    path = f"/routes/{(await asking.route(await asking.webhook()))['id']}"
    assert (await asking.ask("PATCH", path, {"name": "a"}, If_Match='"1"')).status == 200
    assert (await asking.ask("PATCH", path, {"name": "b"}, If_Match='"1"')).status == 412
    assert (await asking.ask("DELETE", path, If_Match='"1"')).status == 412


async def test_another_tenants_route_is_as_if_it_were_not_there(asking: Asking, database: Database) -> None:
    await add_tenant(database)
    made = await asking.route(await asking.webhook(tenant=OTHER), tenant=OTHER)
    for method in ("GET", "PATCH", "DELETE"):
        body = {"name": "x"} if method == "PATCH" else None
        for unknown in (made["id"], UNKNOWN, "no-uuid"):
            assert (await asking.ask(method, f"/routes/{unknown}", body)).status == 404
    assert (await asking.get("/routes"))["routes"] == []
    assert (await asking.get("/routes", tenant=OTHER))["routes"] == [made]


async def test_pages_follow_one_another_without_a_gap(asking: Asking) -> None:
    hook = await asking.webhook()
    made = [(await asking.route(hook))["id"] for _ in range(5)]
    first = await asking.get("/routes?limit=3")
    second = await asking.get(f"/routes?limit=3&cursor={first['next_cursor']}")
    assert [each["id"] for each in first["routes"] + second["routes"]] == made
    assert second["next_cursor"] is None
