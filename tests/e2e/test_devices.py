"""The devices of a real Home Assistant, as HomeIQ knows them and as Home Assistant shows them."""

import json
from typing import Any

import pytest

from homeiq_demo.home import Home
from homeiq_demo.process import wait_for

pytestmark = pytest.mark.usefixtures("laws_hold", "quiet_log")

ROUND_S = 90  # findings are drawn once a minute

type Json = dict[str, Any]


async def known(home: Home, **query: str) -> dict[str, Json]:
    """Return the devices that HomeIQ knows, by id."""
    answer = json.loads(await home.server.get("/api/v1/devices", limit="500", **query))
    assert answer["next_cursor"] is None
    return {device["id"]: device for device in answer["devices"]}


async def names(home: Home) -> dict[str, str]:
    """Return the names of the devices that Home Assistant has, by id."""
    found: dict[str, str] = await home.home_assistant.ask("probe", "devices")
    return found


async def shown(home: Home, entity_id: str) -> Json | None:
    states = {state["entity_id"]: state for state in await home.home_assistant.states()}
    return states.get(entity_id)


async def same_devices(home: Home) -> bool:
    theirs = await names(home)
    return {key: device["name"] for key, device in (await known(home)).items()} == theirs


async def test_homeiq_knows_every_device_by_its_name(home: Home) -> None:
    await wait_for("every device to be known", lambda: same_devices(home))

    device = next(device for device in (await known(home)).values() if device["name"] == "Ceiling Lights")
    detail = json.loads(await home.server.get(f"/api/v1/devices/{device['id']}"))
    assert detail["integration"] == "demo"
    assert [entity["entity_id"] for entity in detail["entities"]] == ["light.ceiling_lights"]
    assert isinstance(detail["entities"][0]["capabilities"], dict)


async def test_a_rename_arrives_and_keeps_the_device_what_it_is(home: Home) -> None:
    await wait_for("every device to be known", lambda: same_devices(home))
    lamp = next(key for key, name in (await names(home)).items() if name == "Bed Light")
    before = (await known(home))[lamp]
    await home.home_assistant.ask("probe", "rename", device_id=lamp, name="Reading lamp")
    await wait_for("the new name to arrive", lambda: same_devices(home))

    after = (await known(home))[lamp]
    assert (after["name"], after["created_at"]) == ("Reading lamp", before["created_at"])
    await home.home_assistant.ask("probe", "rename", device_id=lamp, name=None)
    await wait_for("the old name to be back", lambda: same_devices(home))


async def test_a_device_that_goes_is_marked_and_kept(home: Home) -> None:
    gone = (await home.home_assistant.ask("probe", "disappear", name="Passing guest", after_s=4))["device_id"]

    async def is_marked() -> bool:
        everything = await known(home, removed="true")
        return gone in everything and everything[gone]["removed_at"] is not None

    await wait_for("the device to be marked as removed", is_marked)
    assert gone not in await known(home)


async def test_what_is_wrong_and_how_much_of_it_is_shown_in_home_assistant(home: Home) -> None:
    async def judged() -> bool:
        return bool((await home.server.status())["insights"]["evaluated_at"])

    await wait_for("the first judgement", judged, deadline_s=ROUND_S)
    await home.home_assistant.call("homeassistant", "update_entity", entity_id=["sensor.homeiq_devices"])

    async def counted() -> bool:
        insights = json.loads(await home.server.get("/api/v1/insights"))
        state = await shown(home, "sensor.homeiq_devices")
        return state is not None and state["state"] == str(insights["devices_total"])

    await wait_for("the number of devices to be shown", counted)
    unhealthy, event = await shown(home, "sensor.homeiq_unhealthy_devices"), await shown(home, "event.homeiq_finding")
    assert unhealthy is not None
    assert unhealthy["state"] == "0"
    assert event is not None


async def test_a_report_of_a_device_answers_with_all_that_is_known(home: Home) -> None:
    await wait_for("every device to be known", lambda: same_devices(home))
    lamp = next(key for key, name in (await names(home)).items() if name == "Ceiling Lights")
    report = await home.home_assistant.ask("homeiq", "device_report", device_id=lamp)

    assert report["name"] == "Ceiling Lights"
    assert report["health"] is None or report["health"]["state"] == "learning"


async def finding_of(home: Home, device_id: str, state: str) -> Json | None:
    answer = json.loads(await home.server.get("/api/v1/findings", device=device_id, state=state))
    return next((finding for finding in answer["findings"] if finding["kind"] == "duplicate_name"), None)


async def event_tells(home: Home, event_type: str, device_id: str) -> bool:
    event = await shown(home, "event.homeiq_finding")
    told = event["attributes"] if event else {}
    return (told.get("event_type"), told.get("device_id")) == (event_type, device_id)


async def test_a_finding_is_told_as_an_event_when_it_opens_and_when_it_is_resolved(home: Home) -> None:
    await wait_for("every device to be known", lambda: same_devices(home))
    lamps = {name: key for key, name in (await names(home)).items()}
    twin = max(lamps["Bed Light"], lamps["Ceiling Lights"])
    for lamp in (lamps["Bed Light"], lamps["Ceiling Lights"]):
        await home.home_assistant.ask("probe", "rename", device_id=lamp, name="The same")
    await wait_for("the finding to be told as opened", lambda: event_tells(home, "opened", twin), deadline_s=ROUND_S)
    for lamp in (lamps["Bed Light"], lamps["Ceiling Lights"]):
        await home.home_assistant.ask("probe", "rename", device_id=lamp, name=None)
    await wait_for(
        "the finding to be told as resolved", lambda: event_tells(home, "resolved", twin), deadline_s=ROUND_S
    )


async def test_a_finding_is_muted_by_an_action(home: Home) -> None:
    await wait_for("every device to be known", lambda: same_devices(home))
    lamps = {name: key for key, name in (await names(home)).items()}
    pair = (lamps["Kitchen Lights"], lamps["Decorative Lights"])
    for lamp in pair:
        await home.home_assistant.ask("probe", "rename", device_id=lamp, name="The other")

    async def opened() -> Json | None:
        return await finding_of(home, max(pair), "open")

    found = await wait_for("the finding to open", opened, deadline_s=ROUND_S)
    await home.home_assistant.call("homeiq", "mute_finding", finding_id=found["id"])
    after = await finding_of(home, max(pair), "open")
    assert after is not None
    assert (after["state"], after["muted"], after["muted_until"]) == ("muted", True, None)
    for lamp in pair:
        await home.home_assistant.ask("probe", "rename", device_id=lamp, name=None)
