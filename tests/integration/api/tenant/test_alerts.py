"""Alerts over HTTP: what is listed, what a person does, and how it is followed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeiq_server.alerts.waking import Waking
from homeiq_server.store import alert_changes, alerts
from homeiq_server.store.alerts import Opening
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import HOME, OTHER, World
from tests.integration.api.tenant.alerts_served import Asking, Json, served
from tests.postgres import Database


@pytest.fixture
async def world(pool: Pool, database: Database) -> World:
    """A home and another tenant."""
    fresh = World(pool, database)
    await fresh.tenant()
    return fresh


@pytest.fixture
def waking() -> Waking:
    return Waking()


@pytest.fixture
async def asking(aiohttp_client: Callable[..., Awaitable[Any]], pool: Pool, waking: Waking) -> Asking:
    return Asking(await aiohttp_client(served(pool, waking)))


async def opened(world: World, *names: str, tenant_id: str = HOME, severity: int = 3) -> list[int]:
    """Open an alert for each device, and return their ids."""
    rule = await world.rule(tenant_id)
    for name in names:
        opening = Opening(
            cause=f"rule:{rule}:{name}",
            rule_id=rule,
            kind="THRESHOLD",
            device_id=name,
            site_id="home",
            severity=severity,
            summary=f"{name} is hot.",
            details={"since": "x"},
        )
        async with world.store.tenant(tenant_id) as conn:
            await alerts.open_alerts(conn, tenant_id, [opening], at=datetime.now(UTC))
    return [alert["id"] for alert in await world.alerts(tenant_id) if alert["rule_id"] == rule]


async def listed(asking: Asking, **parameters: object) -> list[str]:
    return [alert["device_id"] for alert in (await asking.get("alerts", **parameters))["alerts"]]


async def test_an_alert_is_shown_with_all_that_is_known(asking: Asking, world: World) -> None:
    [alert_id] = await opened(world, "boiler", severity=5)
    shown = await asking.get(f"alerts/{alert_id}")
    assert (shown["id"], shown["severity"], shown["severity_name"], shown["state"]) == (alert_id, 5, "critical", "open")
    assert (shown["summary"], shown["count"], shown["details"]) == ("boiler is hot.", 1, {"since": "x"})


async def test_acknowledged_and_cleared_are_facts_of_their_own(asking: Asking, world: World) -> None:
    [alert_id] = await opened(world, "boiler")
    states = []
    for action in ("acknowledge", "acknowledge", "unacknowledge", "acknowledge", "clear", "clear", "unacknowledge"):
        answer = await asking.ask("POST", f"alerts/{alert_id}/{action}")
        assert answer.status == 200, answer.body
        states.append(answer.body["state"])
    assert states == ["acknowledged", "acknowledged", "open", "acknowledged", "cleared", "cleared", "cleared"]
    shown = await asking.get(f"alerts/{alert_id}")
    assert (shown["acknowledged_by"], shown["cleared_by"]) == ("app", "app")
    assert await world.changes_told() == ["opened", "acknowledged", "unacknowledged", "acknowledged", "cleared"]


async def test_alerts_are_listed_newest_first_by_what_is_wanted(asking: Asking, world: World) -> None:
    first, second, _ = await opened(world, "a", "b", "c")
    await opened(world, "d", severity=5)
    await asking.ask("POST", f"alerts/{first}/acknowledge")
    await asking.ask("POST", f"alerts/{second}/clear")
    assert await listed(asking) == ["d", "c", "b", "a"]
    assert await listed(asking, state="open") == ["d", "c"]
    assert await listed(asking, state="acknowledged") == ["a"]
    assert await listed(asking, state="cleared") == ["b"]
    assert await listed(asking, severity=5) == ["d"]
    assert await listed(asking, device="c") == ["c"]
    rule = (await asking.get(f"alerts/{first}"))["rule_id"]
    assert await listed(asking, rule=rule) == ["c", "b", "a"]


async def test_pages_give_every_alert_once(asking: Asking, world: World) -> None:
    names = [f"d{n}" for n in range(5)]
    await opened(world, *names)
    found: list[str] = []
    page = await asking.get("alerts", limit=2)
    while True:
        found += [alert["device_id"] for alert in page["alerts"]]
        if page["next_cursor"] is None:
            break
        page = await asking.get("alerts", limit=2, cursor=page["next_cursor"])
    assert found == names[::-1]


async def test_another_tenants_alert_is_not_there(asking: Asking, world: World) -> None:
    [alert_id] = await opened(world, "boiler", tenant_id=OTHER)
    assert (await asking.refused("GET", f"alerts/{alert_id}"))[0] == 404
    for action in ("acknowledge", "unacknowledge", "clear"):
        assert (await asking.refused("POST", f"alerts/{alert_id}/{action}"))[0] == 404
    assert (await asking.refused("POST", f"alerts/{alert_id}/silence", {"until": None}))[0] == 404
    assert await listed(asking) == []
    assert await world.changes_told(OTHER) == ["opened"]


@pytest.mark.parametrize("bad", ["x", "-1", "9223372036854775808", "1.5"])
async def test_an_id_that_is_none_is_not_there(asking: Asking, bad: str) -> None:
    assert (await asking.refused("GET", f"alerts/{bad}"))[0] == 404


async def test_silence_is_until_a_time_that_has_a_zone(asking: Asking, world: World) -> None:
    [alert_id] = await opened(world, "boiler")
    until = "2030-01-01T00:00:00Z"
    assert (await asking.ask("POST", f"alerts/{alert_id}/silence", {"until": until})).body["silenced_until"] == until
    assert (await asking.ask("POST", f"alerts/{alert_id}/silence", {"until": None})).body["silenced_until"] is None
    assert (await asking.refused("POST", f"alerts/{alert_id}/silence", {"until": "2030-01-01T00:00:00"}))[0] == 400
    assert (await asking.refused("POST", f"alerts/{alert_id}/silence", {"until": "0001-01-01T00:00:00Z"}))[0] == 400


async def test_a_trend_counts_by_the_hour(asking: Asking, world: World) -> None:
    first, *_ = await opened(world, "a", "b")
    await asking.ask("POST", f"alerts/{first}/clear")
    hours = (await asking.get("alerts/trend", hours=3))["hours"]
    assert [(hour["opened"], hour["cleared"]) for hour in hours][-2:] in ([(0, 0), (2, 1)], [(2, 1), (0, 0)])
    assert len(hours) == 3


async def test_following_begins_at_the_present_and_misses_nothing(asking: Asking, world: World) -> None:
    [alert_id] = await opened(world, "boiler")
    start: Json = await asking.get("alert-changes")
    assert start["changes"] == []
    await asking.ask("POST", f"alerts/{alert_id}/acknowledge")
    await asking.ask("POST", f"alerts/{alert_id}/clear")
    one = await asking.get("alert-changes", after=start["cursor"], limit=1)
    two = await asking.get("alert-changes", after=one["cursor"])
    told = [(each["change"], each["actor"], each["alert"]["id"]) for each in (*one["changes"], *two["changes"])]
    assert told == [("acknowledged", "app", alert_id), ("cleared", "app", alert_id)]
    last = await asking.get("alert-changes", after=two["cursor"])
    assert last == {"changes": [], "cursor": two["cursor"]}


async def test_a_cursor_ahead_of_the_store_is_answered_with_the_present_one(asking: Asking, world: World) -> None:
    ahead = (await asking.get("alert-changes"))["cursor"]
    await opened(world, "boiler")
    later = (await asking.get("alert-changes"))["cursor"]
    await world.run("DELETE FROM alert_changes")
    assert await asking.get("alert-changes", after=later) == {"changes": [], "cursor": ahead}


async def test_who_waits_is_told_when_it_happens(asking: Asking, world: World, waking: Waking) -> None:
    cursor = (await asking.get("alert-changes"))["cursor"]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(asking.get("alert-changes", after=cursor, wait_s=30))
        while not waking._watches:  # noqa: ASYNC110 - the server tells nobody that it waits
            await asyncio.sleep(0.01)
        await opened(world, "boiler")
        waking.tell(HOME)
    assert [each["change"] for each in waiting.result()["changes"]] == ["opened"]


async def test_who_waits_sees_what_another_server_wrote(asking: Asking, world: World, waking: Waking) -> None:
    cursor = (await asking.get("alert-changes"))["cursor"]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(asking.get("alert-changes", after=cursor, wait_s=30))
        while not waking._watches:  # noqa: ASYNC110 - the server tells nobody that it waits
            await asyncio.sleep(0.01)
        await opened(world, "boiler")
    assert len(waiting.result()["changes"]) == 1


async def test_a_stop_ends_every_wait(asking: Asking, waking: Waking) -> None:
    cursor = (await asking.get("alert-changes"))["cursor"]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(asking.get("alert-changes", after=cursor, wait_s=30))
        while not waking._watches:  # noqa: ASYNC110 - the server tells nobody that it waits
            await asyncio.sleep(0.01)
        waking.close()
    assert waiting.result() == {"changes": [], "cursor": cursor}


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("alerts", {"state": "gone"}),
        ("alerts", {"cursor": "x"}),
        ("alerts", {"limit": 0}),
        ("alerts/trend", {"hours": 0}),
        ("alert-changes", {"after": "x"}),
        ("alert-changes", {"wait_s": 31}),
        ("device-states", {"after": "WzFd"}),
    ],
)
async def test_parameters_that_mean_nothing_are_refused(asking: Asking, path: str, parameters: Json) -> None:
    assert (await asking.ask("GET", path, parameters=parameters)).status == 400


async def test_changes_of_long_ago_are_forgotten_but_for_the_newest(world: World) -> None:
    await opened(world, "a", "b", "c")
    async with world.store.tenant(HOME) as conn:
        await alert_changes.prune(conn, HOME, datetime.now(UTC) + timedelta(days=1))
    assert len(await world.changes_told()) == 1
