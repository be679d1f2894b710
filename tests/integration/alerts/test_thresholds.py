"""Thresholds over a real database: what opens, what clears, and what a restart or another server may not change."""

import asyncio
from typing import Any

import pytest

from homeiq_server.alerts.follower import Follower
from homeiq_server.store import alert_actions, alerts
from homeiq_server.store.changes import Change
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import HOME, OTHER, START_US, World


async def test_a_value_beyond_the_limit_opens_one_alert_that_says_so(world: World) -> None:
    await world.device(name="Boiler")
    rule = await world.rule(severity=4)
    await world.hear(70, 81.5, 82)
    [alert] = await world.alerts()
    assert (alert["rule_id"], alert["kind"], alert["device_id"], alert["site_id"]) == (
        rule,
        "THRESHOLD",
        "boiler",
        "home",
    )
    assert (alert["severity"], alert["count"], alert["cleared_at"]) == (4, 2, None)
    assert alert["summary"] == "Boiler reports temp 81.5, which is above 80."
    assert alert["details"]["since"] == "2026-11-18T11:06:42Z"
    assert await world.changes_told() == ["opened"]


async def test_it_clears_when_the_value_is_back_by_the_hysteresis_and_not_before(world: World) -> None:
    await world.device()
    await world.rule(hysteresis=5)
    await world.hear(81, 79, 81, 76)
    assert await world.changes_told() == ["opened"]
    await world.hear(75)
    assert await world.changes_told() == ["opened", "cleared"]
    assert [alert["cleared_by"] for alert in await world.alerts()] == ["device"]


async def test_a_duration_is_counted_in_the_devices_own_time(world: World) -> None:
    await world.device()
    await world.rule(duration_s=60)
    world.say(81, ago_s=100)
    world.say(82, ago_s=41)
    await world.round()
    assert not await world.alerts()
    world.say(83, ago_s=40)
    await world.round()
    [alert] = await world.alerts()
    assert alert["details"]["since"] == "2026-11-18T11:05:00Z"


async def test_a_duration_goes_on_through_a_restart(world: World, pool: Pool) -> None:
    await world.device()
    await world.rule(duration_s=60)
    await world.hear(81)
    after = world.twin(pool)
    await after.hear(82, every_s=60)
    assert await world.changes_told() == ["opened"]


async def test_a_spike_that_is_shorter_than_a_round_is_told(world: World) -> None:
    await world.device()
    await world.rule()
    await world.round()
    for value in (70, 71, 99, 70, 69):
        world.clock.forward(0.01)
        world.say(value)
    await world.round()
    assert await world.changes_told() == ["opened", "cleared"]
    assert (await world.alerts())[0]["details"]["value"] == 99


async def test_late_values_are_not_judged(world: World) -> None:
    await world.device()
    await world.rule()
    await world.hear(70)
    world.say(99, ago_s=30)
    await world.round()
    assert not await world.alerts()


async def test_a_switch_is_judged_as_a_number(world: World) -> None:
    await world.device()
    await world.rule(metric="leak", operator="GTE", threshold=1.0)
    world.clock.forward(1)
    await world.round()
    world.say(leak=True)
    await world.round()
    assert await world.changes_told() == ["opened"]


async def test_after_an_acknowledgement_no_second_alert_opens(world: World) -> None:
    await world.device()
    await world.rule()
    await world.hear(81)
    await act(world, alert_actions.acknowledge)
    await world.hear(82, 83)
    [alert] = await world.alerts()
    assert alert["acknowledged_by"] == "app"
    assert await world.changes_told() == ["opened", "acknowledged"]


async def test_what_was_cleared_by_hand_stays_so_until_it_ends_and_begins_again(world: World) -> None:
    await world.device()
    await world.rule()
    await world.hear(81)
    await act(world, alert_actions.clear)
    await world.hear(82, 83)
    assert await world.changes_told() == ["opened", "cleared"]
    await world.hear(70, 84)
    assert await world.changes_told() == ["opened", "cleared", "opened"]


async def test_a_rule_that_becomes_more_severe_raises_its_open_alert(world: World) -> None:
    await world.device()
    await world.rule(severity=2)
    await world.hear(81)
    await world.run("UPDATE alert_rules SET severity = 5")
    await world.hear(82)
    assert await world.changes_told() == ["opened", "raised"]
    assert (await world.alerts())[0]["severity"] == 5
    await world.run("UPDATE alert_rules SET severity = 1")
    await world.hear(83)
    assert (await world.alerts())[0]["severity"] == 5


async def test_a_rule_is_about_its_devices_and_sites_alone(world: World) -> None:
    await world.device()
    await world.device("pump")
    await world.rule(device_ids=["pump"])
    await world.rule(site_ids=["elsewhere"])
    await world.hear(99)
    await world.hear(99, device_id="pump")
    assert [alert["device_id"] for alert in await world.alerts()] == ["pump"]


async def test_tenants_with_one_device_id_have_alerts_of_their_own(world: World) -> None:
    await world.tenant()
    await world.device()
    await world.device(tenant_id=OTHER)
    await world.rule()
    await world.rule(OTHER)
    await world.round()
    world.say(81)
    world.say(70, tenant_id=OTHER)
    await world.round()
    assert len(await world.alerts()) == 1
    assert not await world.alerts(OTHER)


async def test_a_start_finds_what_still_holds_and_what_was_never_judged(world: World, pool: Pool) -> None:
    await world.device()
    await world.hear(81)
    await world.rule()
    after = world.twin(pool)
    await after.round()
    assert await world.changes_told() == ["opened"]
    await world.twin(pool).round()
    assert await world.changes_told() == ["opened"]
    assert (await world.alerts())[0]["count"] == 1


async def test_two_servers_that_hear_the_same_device_open_one_alert(world: World, pool: Pool) -> None:
    await world.device()
    await world.rule()
    other = world.twin(pool)
    for each in (world, other):
        await each.round()
        each.say(90)
    await asyncio.gather(world.round(), other.round())
    [alert] = await world.alerts()
    assert alert["count"] == 2
    assert await world.changes_told() == ["opened"]


async def test_two_servers_that_hear_every_other_message_judge_the_whole(world: World, pool: Pool) -> None:
    await world.device()
    await world.rule(duration_s=10)
    other = world.twin(pool)
    await other.round()
    await world.hear(81)
    await other.hear(70, every_s=5)
    await world.hear(81, every_s=6)
    assert not await world.alerts()
    await other.hear(82, every_s=10)
    assert await world.changes_told() == ["opened"]


@pytest.mark.parametrize(
    ("statement", "actor"),
    [
        ("UPDATE alert_rules SET enabled = false WHERE metric = 'temp'", "rule"),
        ("DELETE FROM alert_rules WHERE metric = 'temp'", "rule"),
        ("UPDATE alert_rules SET device_ids = '{pump}'", "rule"),
        ("UPDATE ingest_devices SET status = 'DELETED'", "device"),
        ("UPDATE ingest_devices SET status = 'REVOKED'", "device"),
    ],
)
async def test_an_alert_clears_with_its_rule_and_its_device(world: World, statement: str, actor: str) -> None:
    await world.device()
    await world.rule()
    await world.rule(metric="other")
    await world.hear(81)
    await world.run(statement)
    world.changes._pass_on("alert_rules home" if actor == "rule" else "ingest_devices home boiler")
    await world.round()
    assert [alert["cleared_by"] for alert in await world.alerts()] == [actor]
    assert (await world.changes_told())[-1] == "cleared"


async def test_a_rule_that_is_new_judges_what_was_said_before(world: World) -> None:
    await world.device()
    await world.round()
    await world.hear(81)
    await world.rule()
    world.changes._pass_on(f"alert_rules {HOME}")
    await world.round()
    assert await world.changes_told() == ["opened"]


async def test_while_the_store_is_away_nothing_is_forgotten(world: World) -> None:
    await world.device()
    await world.rule()
    await world.round()
    world.store.is_away = True
    await world.hear(99, 70)
    assert world.follower.waiting == 1
    world.store.is_away = False
    await world.round()
    assert world.follower.waiting == 0
    assert await world.changes_told() == ["opened", "cleared"]
    assert (await world.metrics())["temp"] == [70, START_US + 2_000_000]


async def test_an_outage_is_told_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "homeiq_server.alerts")
    for _ in range(2):
        world.store.is_away = True
        await world.hear(1, 2, 3, every_s=5)
        world.store.is_away = False
        await world.round()
    assert len(caplog.records) == 2


async def test_a_tenant_that_cannot_be_kept_costs_the_others_nothing(world: World) -> None:
    await world.tenant()
    await world.device()
    await world.device(tenant_id=OTHER)
    world.say(text="a\x00b")
    world.say(7, tenant_id=OTHER)
    await world.round()
    assert (await world.metrics(tenant_id=OTHER))["temp"][0] == 7
    assert (world.follower.faults, world.follower.waiting) == (1, 0)


async def test_observing_never_raises(world: World) -> None:
    broken: Any = [object()]
    world.follower.observe(broken)
    assert world.follower.faults == 1


async def test_alerts_that_are_over_for_long_are_forgotten_and_open_ones_are_not(world: World) -> None:
    await world.device()
    await world.device("pump")
    await world.rule()
    await world.hear(81, 70)
    await world.hear(81, device_id="pump")
    await world.round(after_s=366 * 86_400)
    assert [alert["device_id"] for alert in await world.alerts()] == ["pump"]
    assert await world.changes_told() == ["opened"]


async def test_those_who_wait_for_a_tenant_are_told(world: World) -> None:
    await world.tenant()
    await world.device()
    world.say(7)
    await world.round()
    assert set(world.told) == {HOME}


async def test_a_rule_that_is_deleted_while_its_device_speaks_judges_nothing(world: World) -> None:
    await world.device()
    await world.rule()
    await world.round()
    world.say(99)
    await world.run("DELETE FROM alert_rules")
    world.follower._watched._outdated = False
    await world.follower._try(world.follower._flush)
    assert not await world.alerts()
    assert world.follower.faults == 0


async def test_silence_holds_deliveries_back_but_not_the_end(world: World) -> None:
    await world.device()
    await world.rule(severity=2)
    await world.run(
        "INSERT INTO integrations (tenant_id, name, kind, config) VALUES ('home', 'ha', 'home_assistant', '{}')"
    )
    await world.run(
        "INSERT INTO alert_routes (tenant_id, integration_id, name, deliver_on)"
        " SELECT tenant_id, id, 'all', '{opened,raised,cleared}' FROM integrations"
    )
    await world.hear(81)
    [alert] = await world.alerts()
    async with world.store.tenant(HOME) as conn:
        await alert_actions.silence(conn, HOME, alert["id"], moment(world.clock.now_us + 60_000_000))
    await world.hear(70, 81)
    told = await world.rows("SELECT change, payload FROM deliveries ORDER BY id")
    assert [row["change"] for row in told] == ["opened", "cleared"]
    assert await world.changes_told() == ["opened", "cleared", "opened"]
    assert told[0]["payload"] == {
        "id": alert["id"],
        "tenant_id": "home",
        "change": "opened",
        "severity": 2,
        "severity_name": "low",
        "summary": "boiler reports temp 81, which is above 80.",
        "kind": "THRESHOLD",
        "device_id": "boiler",
        "site_id": "home",
        "opened_at": "2026-11-18T11:06:41Z",
        "at": "2026-11-18T11:06:41Z",
        "details": alert["details"],
    }


async def test_a_change_of_rules_is_heard_through_the_database(world: World) -> None:
    await world.device()
    listening = asyncio.Event()
    heard = asyncio.Event()
    world.changes.follow(lambda _: heard.set(), listening.set)
    task = asyncio.create_task(world.changes.run(), name="changes")
    try:
        async with asyncio.timeout(20):
            await listening.wait()
            await world.hear(81)
            await world.rule()
            await heard.wait()
    finally:
        task.cancel()
        await asyncio.wait([task])
    await world.round()
    assert await world.changes_told() == ["opened"]


async def test_what_waits_is_kept_at_the_end(world: World) -> None:
    await world.device()
    world.say(7)
    await world.follower.close()
    assert (await world.metrics())["temp"][0] == 7


async def test_run_does_a_round_at_once_when_much_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.device()
    monkeypatch.setattr("homeiq_server.alerts.follower._ROUND_S", 3_600)
    monkeypatch.setattr("homeiq_server.alerts.follower._EARLY", 1)
    task = asyncio.create_task(world.follower.run(), name="follower")
    try:
        async with asyncio.timeout(20):
            world.say(7)
            while world.follower.waiting:  # noqa: ASYNC110 - the follower tells nobody
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert isinstance(world.follower, Follower)


async def act(world: World, action: Any) -> None:  # noqa: ANN401 - any of the actions
    [alert] = await world.alerts()
    async with world.store.tenant(HOME) as conn:
        assert await action(conn, HOME, alert["id"], at=moment(world.clock.now_us), actor="app")


async def test_opening_a_cause_twice_at_once_is_one_alert(world: World, pool: Pool) -> None:
    rule = await world.rule()

    async def opens() -> None:
        async with pool.tenant(HOME) as conn:
            one = alerts.Opening(
                cause="rule:x",
                rule_id=rule,
                kind="THRESHOLD",
                device_id=None,
                site_id=None,
                severity=3,
                summary="x",
                details={"since": "x"},
            )
            await alerts.open_alerts(conn, HOME, [one], at=moment(START_US))

    await asyncio.gather(*(opens() for _ in range(8)))
    [alert] = await world.alerts()
    assert alert["count"] == 8
    assert await world.changes_told() == ["opened"]


def test_a_change_of_another_table_is_nothing(world: World) -> None:
    world.follower._heard(Change("tenants", HOME))
    assert not world.follower._tidy
