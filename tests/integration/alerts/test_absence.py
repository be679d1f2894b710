"""Devices that are not heard: told once, by whoever is sure, and never for a fault of ours."""

import asyncio
from datetime import UTC, datetime

import pytest

from homeiq_server.store import alert_actions
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import HOME, OTHER, START_US, World


@pytest.fixture
async def watched(world: World) -> World:
    """A home with a boiler that must say something every minute, and has just done so."""
    await world.device(name="Boiler")
    await world.rule(kind="NO_HEARTBEAT", name="gone", silence_s=60, severity=4)
    await world.round()
    world.say(70)
    await world.round()
    return world


async def test_a_device_that_is_not_heard_for_so_long_opens_one_alert(watched: World) -> None:
    await watched.round(after_s=59)
    assert not await watched.alerts()
    for _ in range(3):
        await watched.round(after_s=5)
    [alert] = await watched.alerts()
    assert (alert["kind"], alert["severity"], alert["count"], alert["device_id"]) == ("NO_HEARTBEAT", 4, 1, "boiler")
    assert (
        alert["summary"] == "Boiler has sent nothing for 1 minute or longer; the last came at 2026-11-18 11:06:40 UTC."
    )


async def test_it_clears_when_the_device_is_heard(watched: World) -> None:
    await watched.round(after_s=70)
    watched.say(msg_type="heartbeat")
    await watched.round(after_s=5)
    assert [alert["cleared_by"] for alert in await watched.alerts()] == ["device"]
    await watched.round(after_s=70)
    assert await watched.changes_told() == ["opened", "cleared", "opened"]


async def test_no_telemetry_is_told_of_a_device_that_only_sends_heartbeats(world: World) -> None:
    await world.device()
    await world.rule(kind="NO_TELEMETRY", silence_s=60)
    await world.rule(kind="NO_HEARTBEAT", silence_s=60)
    await world.round()
    for _ in range(10):
        world.clock.forward(10)
        world.say(msg_type="heartbeat")
        await world.round()
    [alert] = await world.alerts()
    assert alert["kind"] == "NO_TELEMETRY"
    assert alert["summary"] == "boiler has sent no values for 1 minute or longer; it never did."


async def test_a_device_that_was_never_heard_has_its_time_from_its_registration(world: World) -> None:
    await world.rule(kind="NO_HEARTBEAT", silence_s=60)
    await world.round()
    await world.round(after_s=3_600)
    await world.device()
    await world.round(after_s=55)
    assert not await world.alerts()
    await world.round(after_s=5)
    assert len(await world.alerts()) == 1


@pytest.mark.parametrize("status", ["PENDING", "INACTIVE", "REVOKED", "DELETED"])
async def test_only_active_devices_are_missed(watched: World, status: str) -> None:
    await watched.run("UPDATE ingest_devices SET status = $1", status)
    await watched.round(after_s=600)
    assert not await watched.alerts()


async def test_who_is_not_let_in_is_not_missed(watched: World) -> None:
    await watched.run("UPDATE ingest_devices SET subscription_id = (SELECT id FROM subscriptions)")
    await watched.run("UPDATE subscriptions SET status = 'SUSPENDED'")
    await watched.round(after_s=600)
    assert not await watched.alerts()
    await watched.run("UPDATE subscriptions SET status = 'ACTIVE', updated_at = $1", moment(watched.clock.now_us))
    await watched.round(after_s=30)
    assert not await watched.alerts()
    await watched.run("UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = 'home'")
    await watched.round(after_s=600)
    assert not await watched.alerts()


async def test_while_the_broker_is_away_nobody_is_missed_and_afterwards_all_have_their_time(watched: World) -> None:
    watched.listening_since_us = None
    await watched.round(after_s=600)
    assert not await watched.alerts()
    watched.listening_since_us = watched.clock.now_us
    await watched.round(after_s=55)
    assert not await watched.alerts()
    await watched.round(after_s=5)
    assert len(await watched.alerts()) == 1


async def test_while_the_store_is_away_nobody_is_missed_and_afterwards_all_have_their_time(watched: World) -> None:
    watched.store.is_away = True
    await watched.round(after_s=300)
    watched.store.is_away = False
    await watched.round(after_s=300)
    assert not await watched.alerts()
    await watched.round(after_s=55)
    assert not await watched.alerts()
    await watched.round(after_s=5)
    assert len(await watched.alerts()) == 1


async def test_after_a_restart_nobody_is_missed_who_had_no_time_to_speak(watched: World, pool: Pool) -> None:
    watched.clock.forward(600)
    after = watched.twin(pool)
    after.listening_since_us = after.clock.now_us
    await after.round()
    await after.round(after_s=55)
    assert not await watched.alerts()
    await after.round(after_s=5)
    assert len(await watched.alerts()) == 1


async def test_a_restart_neither_clears_nor_repeats_what_is_told(watched: World, pool: Pool) -> None:
    await watched.round(after_s=70)
    after = watched.twin(pool)
    after.listening_since_us = after.clock.now_us
    for _ in range(20):
        await after.round(after_s=5)
    assert await watched.changes_told() == ["opened"]


async def test_two_servers_tell_one_alert_and_either_clears_it(watched: World, pool: Pool) -> None:
    other = watched.twin(pool)
    await other.round()
    watched.clock.forward(70)
    await asyncio.gather(watched.round(), other.round())
    assert await watched.changes_told() == ["opened"]
    watched.clock.forward(5)
    watched.say(70)
    await watched.follower._try(watched.follower._flush)  # the store knows of it, and this server ends
    await other.round()
    assert await watched.changes_told() == ["opened", "cleared"]


async def test_what_another_server_has_told_is_cleared_by_one_that_did_not_know(watched: World, pool: Pool) -> None:
    await watched.round(after_s=70)
    after = watched.twin(pool)
    after.listening_since_us = None
    after.say(70)
    await after.round()
    assert await watched.changes_told() == ["opened", "cleared"]


async def test_what_was_cleared_by_hand_is_told_again_only_for_the_next_silence(watched: World, pool: Pool) -> None:
    await watched.round(after_s=70)
    [alert] = await watched.alerts()
    async with watched.store.tenant(HOME) as conn:
        await alert_actions.clear(conn, HOME, alert["id"], at=datetime.now(UTC), actor="app")
    after = watched.twin(pool)
    for each in (watched, after):
        for _ in range(3):
            await each.round(after_s=40)
    assert await watched.changes_told() == ["opened", "cleared"]
    watched.say(70)
    await watched.round()
    await watched.round(after_s=70)
    assert await watched.changes_told() == ["opened", "cleared", "opened"]


async def test_a_rule_that_is_switched_off_clears_what_it_told(watched: World) -> None:
    await watched.round(after_s=70)
    await watched.run("UPDATE alert_rules SET enabled = false")
    watched.changes._pass_on("alert_rules home")
    await watched.round(after_s=5)
    assert [alert["cleared_by"] for alert in await watched.alerts()] == ["rule"]
    await watched.run("UPDATE alert_rules SET enabled = true")
    await watched.round(after_s=5)
    assert len(await watched.alerts()) == 2


async def test_a_tenants_rule_is_about_his_own_devices(watched: World) -> None:
    await watched.tenant()
    await watched.device(tenant_id=OTHER)
    await watched.round(after_s=600)
    assert not await watched.alerts(OTHER)
    assert len(await watched.alerts()) == 1


async def test_messages_that_could_not_be_followed_let_nobody_be_missed(watched: World) -> None:
    watched.follower._pending._limit = 0
    for _ in range(20):
        watched.clock.forward(10)
        watched.say(70)
        await watched.round()
    assert watched.follower.dropped == 20
    assert not await watched.alerts()
    assert watched.clock.now_us > START_US
