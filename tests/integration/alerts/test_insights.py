"""Findings of the home become alerts by the rules that ask for them."""

from typing import Any

from homeiq_server.insights.finding import Condition, Kind
from homeiq_server.store import alert_actions, finding_actions, findings
from homeiq_server.store.moments import moment
from tests.integration.alerts.following import HOME, World


def condition(subject: str = "lamp", **fields: Any) -> Condition:  # noqa: ANN401 - each field has its own type
    values: dict[str, Any] = {
        "kind": Kind.SILENT,
        "subject_type": "device",
        "device_id": subject,
        "severity": 3,
        "title": f"{subject} is silent",
        "explanation": "It speaks every hour and has been silent for five.",
        "evidence": {"silent_h": 5.0},
        "since_us": 0,
    }
    return Condition(subject=subject, **values | fields)


async def found(world: World, *conditions: Condition) -> None:
    """Let these be all that is wrong, and look a while later."""
    async with world.store.tenant(HOME) as conn:
        await findings.reconcile(conn, HOME, "ha", conditions, at_us=world.clock.now_us, settled=True, evaluated=None)
    await world.round(after_s=5)


async def test_a_finding_opens_an_alert_and_its_end_clears_it(world: World) -> None:
    rule = await world.rule(kind="INSIGHT", name="all", severity=1)
    await found(world, condition())
    [alert] = await world.alerts()
    assert (alert["rule_id"], alert["kind"], alert["device_id"], alert["severity"]) == (rule, "INSIGHT", "lamp", 3)
    assert alert["summary"] == "lamp is silent: It speaks every hour and has been silent for five."
    assert alert["details"]["evidence"] == {"silent_h": 5.0}
    await found(world)
    assert [alert["cleared_by"] for alert in await world.alerts()] == ["finding"]
    await found(world, condition())
    assert await world.changes_told() == ["opened", "cleared", "opened"]


async def test_a_rule_names_the_kinds_and_devices_that_it_is_about(world: World) -> None:
    await world.rule(kind="INSIGHT", finding_kinds=["battery"])
    await world.rule(kind="INSIGHT", device_ids=["door"])
    await found(world, condition(), condition("door"), condition("car", kind=Kind.BATTERY))
    assert {alert["device_id"] for alert in await world.alerts()} == {"door", "car"}


async def test_a_rule_lifts_findings_to_its_own_severity(world: World) -> None:
    await world.rule(kind="INSIGHT", severity=4)
    await found(world, condition(), condition("hub", severity=5))
    assert {alert["device_id"]: alert["severity"] for alert in await world.alerts()} == {"lamp": 4, "hub": 5}


async def test_a_muted_finding_is_no_alert_and_an_unmuted_one_is(world: World) -> None:
    await world.rule(kind="INSIGHT")
    await found(world, condition())
    [finding] = await world.rows("SELECT id::text FROM findings")
    async with world.store.tenant(HOME) as conn:
        await finding_actions.mute(conn, HOME, finding["id"], None)
    await world.round(after_s=5)
    assert [alert["cleared_by"] for alert in await world.alerts()] == ["finding"]
    async with world.store.tenant(HOME) as conn:
        await finding_actions.unmute(conn, HOME, finding["id"])
    await world.round(after_s=5)
    assert await world.changes_told() == ["opened", "cleared", "opened"]


async def test_what_was_cleared_by_hand_stays_so_while_the_finding_is_open(world: World) -> None:
    await world.rule(kind="INSIGHT")
    await found(world, condition())
    [alert] = await world.alerts()
    async with world.store.tenant(HOME) as conn:
        await alert_actions.clear(conn, HOME, alert["id"], at=moment(world.clock.now_us), actor="app")
    await found(world, condition(), condition("door"))
    assert [alert["device_id"] for alert in await world.alerts()] == ["lamp", "door"]


async def test_a_new_rule_tells_what_is_already_open(world: World) -> None:
    await found(world, condition())
    await world.rule(kind="INSIGHT")
    world.changes._pass_on("alert_rules home")
    await world.round(after_s=5)
    assert len(await world.alerts()) == 1
    await world.run("DELETE FROM alert_rules")
    world.changes._pass_on("alert_rules home")
    await world.round(after_s=5)
    assert [alert["cleared_by"] for alert in await world.alerts()] == ["rule"]


async def test_a_finding_that_becomes_more_severe_raises_its_alert(world: World) -> None:
    await world.rule(kind="INSIGHT")
    await found(world, condition())
    await found(world, condition(severity=5), condition("door"))
    assert await world.changes_told() == ["opened", "raised", "opened"]
