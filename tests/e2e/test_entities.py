"""What Home Assistant shows of HomeIQ, and what HomeIQ leaves behind in it."""

import pytest

from homeiq_demo.home import DOMAIN, Home
from homeiq_demo.process import wait_for
from tests.e2e.probe import Probe

pytestmark = pytest.mark.usefixtures("laws_hold", "quiet_log")

ENTITIES = {
    "written": "sensor.homeiq_written",
    "queued": "sensor.homeiq_queued",
    "dead": "sensor.homeiq_dead_letters",
    "dropped": "sensor.homeiq_dropped",
}


async def written(home: Home) -> int:
    status = await home.server.status()
    return int(status["lines"]["written"])


async def shown(home: Home) -> dict[str, float]:
    """Let Home Assistant ask for the status now, and return the lines that it shows by their fate."""
    await home.home_assistant.call("homeassistant", "update_entity", entity_id=list(ENTITIES.values()))
    states = {state["entity_id"]: state["state"] for state in await home.home_assistant.states()}
    return {fate: float(states[entity_id]) for fate, entity_id in ENTITIES.items()}


async def test_the_entities_show_what_the_status_says(home: Home) -> None:
    await wait_for("the first lines to be written", lambda: written(home))
    before = (await home.server.status())["lines"]
    seen = await shown(home)
    after = (await home.server.status())["lines"]

    assert before["written"] <= seen["written"] <= after["written"]
    assert before["spooled"] <= sum(seen.values()) <= after["spooled"]
    assert (seen["dead"], seen["dropped"]) == (after["dead"], after["dropped"]) == (0, 0)


async def test_home_assistant_can_describe_every_action_as_its_page_asks(home: Home) -> None:
    described = {domain["domain"] for domain in await home.home_assistant.rest.get("/api/services")}

    assert {"homeassistant", "homeiq", "light", "probe"} <= described


async def test_the_connection_is_shown(home: Home) -> None:
    states = {state["entity_id"]: state["state"] for state in await home.home_assistant.states()}

    assert states["binary_sensor.homeiq_connection"] == "on"


async def test_a_reload_leaves_no_listener_behind_and_loses_nothing(home: Home, probe: Probe) -> None:
    [entry] = await home.home_assistant.entries(DOMAIN)
    before, rows = await probe.listeners(), []
    for turn in range(3):
        rows += await probe.burst(f"sensor.e2e_reload_{turn}", count=100, entities=2)
        await home.home_assistant.rest.post(f"/api/config/config_entries/entry/{entry['entry_id']}/reload", {})

    await probe.all_stored(rows)
    assert await probe.listeners() == before
