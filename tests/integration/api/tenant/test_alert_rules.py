"""Alert rules over HTTP: each kind takes what it needs, and says which field is wrong."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import uuid4

import pytest

from homeiq_server.alerts.waking import Waking
from homeiq_server.api.tenant import alert_rules
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import OTHER, World
from tests.integration.api.tenant.alerts_served import Asking, Json, served
from tests.postgres import Database

HOT: Final[Json] = {"name": "hot", "kind": "THRESHOLD", "metric": "temp", "operator": "GT", "threshold": 80}
GONE: Final[Json] = {"name": "gone", "kind": "NO_HEARTBEAT", "silence_s": 60}


@pytest.fixture
async def world(pool: Pool, database: Database) -> World:
    fresh = World(pool, database)
    await fresh.tenant()
    return fresh


@pytest.fixture
async def asking(aiohttp_client: Callable[..., Awaitable[Any]], pool: Pool) -> Asking:
    return Asking(await aiohttp_client(served(pool, Waking())))


async def make(asking: Asking, rule: Json) -> Json:
    answer = await asking.ask("POST", "alert-rules", rule)
    assert answer.status == 201, answer.body
    made: Json = answer.body
    return made


async def test_a_rule_is_made_shown_listed_changed_and_deleted(asking: Asking) -> None:
    made = await make(asking, HOT | {"severity": 4, "hysteresis": 2, "duration_s": 60, "device_ids": ["boiler"]})
    assert (made["version"], made["enabled"], made["threshold"], made["site_ids"]) == (1, True, 80, None)
    assert await asking.get(f"alert-rules/{made['id']}") == made
    assert await asking.get("alert-rules") == {"alert_rules": [made], "next_cursor": None}
    changed = await asking.ask("PATCH", f"alert-rules/{made['id']}", {"threshold": 85, "device_ids": None})
    assert (changed.status, changed.body["version"], changed.headers["ETag"]) == (200, 2, '"2"')
    assert (changed.body["threshold"], changed.body["device_ids"], changed.body["metric"]) == (85, None, "temp")
    assert (await asking.ask("DELETE", f"alert-rules/{made['id']}")).status == 204
    assert (await asking.ask("DELETE", f"alert-rules/{made['id']}")).status == 404


async def test_pages_give_every_rule_once(asking: Asking) -> None:
    made = [(await make(asking, HOT | {"name": f"r{n}"}))["id"] for n in range(5)]
    found, cursor = [], None
    while True:
        page = await asking.get("alert-rules", limit=2, **({"cursor": cursor} if cursor else {}))
        found += [rule["id"] for rule in page["alert_rules"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == made


async def test_who_has_seen_an_older_version_is_told_so(asking: Asking) -> None:
    rule = await make(asking, HOT)
    path = f"alert-rules/{rule['id']}"
    assert (await asking.ask("PATCH", path, {"severity": 5}, If_Match='"1"')).status == 200
    assert (await asking.refused("PATCH", path, {"severity": 1}, If_Match='"1"'))[0] == 412
    assert (await asking.refused("DELETE", path, If_Match='"1"'))[0] == 412
    assert (await asking.ask("DELETE", path, If_Match='"2"')).status == 204


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"name": "x", "kind": "THRESHOLD"}, "metric"),
        (HOT | {"threshold": None}, "threshold"),
        (HOT | {"operator": "EQ"}, "operator"),
        (HOT | {"silence_s": 60}, "silence_s"),
        (HOT | {"hysteresis": -1}, "hysteresis"),
        (HOT | {"severity": 6}, "severity"),
        (HOT | {"device_ids": []}, "device_ids"),
        (HOT | {"metric": "a\x00b"}, "metric"),
        ({"name": "x", "kind": "NO_TELEMETRY"}, "silence_s"),
        (GONE | {"silence_s": 4}, "silence_s"),
        (GONE | {"metric": "temp"}, "metric"),
        (GONE | {"duration_s": 5}, "duration_s"),
        ({"name": "x", "kind": "INSIGHT", "finding_kinds": ["ghost"]}, "finding_kinds"),
        ({"name": "x", "kind": "INSIGHT", "site_ids": ["home"]}, "site_ids"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_by_the_name_of_the_field(
    asking: Asking, rule: Json, field: str
) -> None:
    status, detail = await asking.refused("POST", "alert-rules", rule)
    assert status == 400
    assert detail.startswith(field), detail


@pytest.mark.parametrize("change", [{"metric": "temp"}, {"finding_kinds": None}, {"kind": "THRESHOLD"}])
async def test_a_change_that_is_not_of_its_kind_is_refused(asking: Asking, change: Json) -> None:
    rule = await make(asking, GONE)
    status, detail = await asking.refused("PATCH", f"alert-rules/{rule['id']}", change)
    assert status == 400
    assert next(iter(change)) in detail


@pytest.mark.usefixtures("world")
async def test_insight_is_for_the_home_alone(asking: Asking) -> None:
    assert (await make(asking, {"name": "x", "kind": "INSIGHT"}))["finding_kinds"] is None
    status, detail = await asking.refused("POST", "alert-rules", {"name": "x", "kind": "INSIGHT"}, X_Tenant=OTHER)
    assert (status, detail.partition(":")[0]) == (400, "kind")


@pytest.mark.usefixtures("world")
async def test_another_tenants_rule_is_not_there(asking: Asking) -> None:
    rule = await make(asking, HOT)
    for method, body in (("GET", None), ("PATCH", {"severity": 1}), ("DELETE", None)):
        assert (await asking.refused(method, f"alert-rules/{rule['id']}", body, X_Tenant=OTHER))[0] == 404
    assert (await asking.ask("GET", "alert-rules", X_Tenant=OTHER)).body["alert_rules"] == []
    assert (await asking.refused("GET", f"alert-rules/{uuid4()}"))[0] == 404
    assert (await asking.refused("GET", "alert-rules/7"))[0] == 404


async def test_reading_does_not_allow_writing(asking: Asking) -> None:
    assert (await asking.refused("POST", "alert-rules", HOT, X_Scopes="alerts:read"))[0] == 403


async def test_there_are_not_more_rules_than_are_allowed(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_rules, "MOST_RULES", 1)
    await make(asking, HOT)
    assert (await asking.refused("POST", "alert-rules", HOT))[0] == 409


async def test_deleting_a_rule_clears_its_alerts_at_once(asking: Asking, world: World) -> None:
    await world.device()
    rule = await make(asking, HOT)
    await world.hear(81)
    await asking.ask("DELETE", f"alert-rules/{rule['id']}")
    assert [alert["cleared_by"] for alert in await world.alerts()] == ["rule"]


@pytest.mark.parametrize("change", [{"enabled": False}, {"threshold": 90}, {"operator": "LT"}, {"metric": "hum"}])
async def test_a_rule_that_judges_something_else_ends_its_alerts(asking: Asking, world: World, change: Json) -> None:
    await world.device()
    rule = await make(asking, HOT)
    await world.hear(81)
    await asking.ask("PATCH", f"alert-rules/{rule['id']}", change)
    assert [alert["cleared_by"] for alert in await world.alerts()] == ["rule"]
    assert not await world.rows("SELECT * FROM rule_states")


async def test_another_name_ends_nothing(asking: Asking, world: World) -> None:
    await world.device()
    rule = await make(asking, HOT)
    await world.hear(81)
    await asking.ask("PATCH", f"alert-rules/{rule['id']}", {"name": "warm", "severity": 5, "description": "x"})
    assert await world.changes_told() == ["opened"]
