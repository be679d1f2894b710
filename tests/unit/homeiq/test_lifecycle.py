"""Setting up, unloading, and what must not be left behind."""

import asyncio
import gc
import logging

import pytest
from homeassistant import block_async_io
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import issue_registry as ir

from custom_components.homeiq import delivery
from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import app_entry, listeners, set_up
from tests.unit.homeiq.fake_app import SERVER_ID, TOKEN, FakeApp
from tests.unit.homeiq.waiting import eventually


def tasks_of_homeiq() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if "homeiq" in task.get_name().lower()}


async def test_fifty_reloads_leave_no_listener_session_or_task(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, options={"exclude": {"areas": ["attic"]}}))
    written = hass.bus.async_listeners()[EVENT_HOMEASSISTANT_FINAL_WRITE]
    loaded, sessions = listeners(hass), len(hass.data["aiohttp_clientsession"])
    assert await hass.config_entries.async_unload(entry.entry_id)
    unloaded, tasks = listeners(hass), tasks_of_homeiq()
    await set_up(hass, entry)
    for number in range(50):
        hass.states.async_set("light.kitchen", str(number))
        assert await hass.config_entries.async_reload(entry.entry_id)
        assert listeners(hass) == loaded
        assert hass.bus.async_listeners()[EVENT_HOMEASSISTANT_FINAL_WRITE] <= written
    assert await hass.config_entries.async_unload(entry.entry_id)

    assert listeners(hass) == unloaded
    assert "state_changed" not in unloaded
    assert len(hass.data["aiohttp_clientsession"]) == sessions
    assert tasks_of_homeiq() == tasks == set()
    assert [pair for pair in app.states if pair[0] == "light.kitchen"] == [("light.kitchen", str(n)) for n in range(50)]


async def test_reloads_while_the_app_is_away_leave_nothing_either(hass: HomeAssistant, app: FakeApp) -> None:
    await app.stop()
    entry = await set_up(hass, app_entry(hass, app))
    listeners = dict(hass.bus.async_listeners())
    for _ in range(5):
        assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert dict(hass.bus.async_listeners()) == listeners
    # The forwarder, the backfill, the registries, the reports, and the status refresh that was asked for.
    assert len(tasks_of_homeiq()) <= 5


async def test_nothing_blocks_the_event_loop(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = block_async_io._BLOCKING_CALLS
    guarded = [(call.object, call.function, getattr(call.object, call.function)) for call in calls]
    block_async_io.enable()
    try:
        entry = await set_up(hass, app_entry(hass, app))
        for number in range(1_000):
            hass.states.async_set("sensor.counter", str(number))
        await eventually(lambda: ("sensor.counter", "999") in app.states)
        await app.stop()
        hass.states.async_set("sensor.counter", "more")
        assert await hass.config_entries.async_unload(entry.entry_id)
    finally:
        block_async_io._BLOCKED_CALLS.calls.clear()
        for owner, name, original in guarded:
            monkeypatch.setattr(owner, name, original)

    assert "blocking call" not in caplog.text


async def test_a_burst_of_ten_thousand_changes_lets_the_event_loop_go_on(hass: HomeAssistant, app: FakeApp) -> None:
    await app.stop()
    entry = await set_up(hass, app_entry(hass, app))
    for number in range(10_000):
        hass.states.async_set("sensor.counter", str(number), {"number": number})
    buffer = entry.runtime_data.forwarder.buffer
    turns_while_encoding = 0

    async def watch() -> None:
        """Count how often the loop comes round while a batch is in flight whose body is not there yet."""
        nonlocal turns_while_encoding
        while True:
            turns_while_encoding += bool(buffer.in_flight and buffer.in_flight[-1].body is None)
            await asyncio.sleep(0)

    watching = hass.async_create_background_task(watch(), "watch")
    await app.start()
    await eventually(lambda: ("sensor.counter", "9999") in app.states)
    watching.cancel()

    assert turns_while_encoding >= 10_000 // delivery.SLICE_EVENTS


async def test_a_wrong_token_asks_for_another_and_goes_on_holding_events(hass: HomeAssistant, app: FakeApp) -> None:
    app.token = "another"
    entry = await set_up(hass, app_entry(hass, app))
    entry_data = dict(entry.data)
    app.token = "a third one"
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()
    hass.states.async_set("light.kitchen", "on")
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)

    assert entry_data["token"] == "another"
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.forwarder.buffer.waiting

    app.token = "another"
    await eventually(lambda: ("light.kitchen", "on") in app.states)


async def test_an_entry_of_the_supervisors_app_waits_for_its_new_token(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, app_slug="local_homeiq"))
    app.token = "another"
    await entry.runtime_data.coordinator.async_refresh()
    await hass.async_block_till_done()

    assert not hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    assert not entry.runtime_data.coordinator.last_update_success


@pytest.mark.parametrize(
    ("api_version", "min_api_version", "issue"), [(0, 0, "app_too_old"), (9, 9, "integration_too_old")]
)
async def test_a_version_that_does_not_fit_names_the_side_to_update(
    hass: HomeAssistant, app: FakeApp, api_version: int, min_api_version: int, issue: str
) -> None:
    app.api_version, app.min_api_version = api_version, min_api_version
    entry = await set_up(hass, app_entry(hass, app))
    hass.states.async_set("light.kitchen", "on")
    issues = ir.async_get(hass).issues
    found = [one.translation_key for one in issues.values() if one.domain == DOMAIN]
    assert found == [issue]
    assert app.bodies == []

    app.api_version = app.min_api_version = 1
    await entry.runtime_data.coordinator.async_refresh()
    await eventually(lambda: ("light.kitchen", "on") in app.states)
    assert not [one for one in issues.values() if one.domain == DOMAIN]


async def test_a_misconfigured_database_is_an_issue_until_it_is_mended(hass: HomeAssistant, app: FakeApp) -> None:
    app.database = {"state": "misconfigured", "error": "no bucket named home"}
    entry = await set_up(hass, app_entry(hass, app))
    issues = ir.async_get(hass).issues
    (found,) = [one for one in issues.values() if one.domain == DOMAIN]
    app.database = {"state": "ok", "error": None}
    await entry.runtime_data.coordinator.async_refresh()

    assert found.translation_placeholders == {"error": "no bucket named home"}
    assert not [one for one in issues.values() if one.domain == DOMAIN]


async def test_removing_the_entry_takes_its_issues_and_its_buffer_along(hass: HomeAssistant, app: FakeApp) -> None:
    app.database = {"state": "misconfigured", "error": None}
    entry = await set_up(hass, app_entry(hass, app))
    assert await hass.config_entries.async_remove(entry.entry_id)
    gc.collect()

    assert not [one for one in ir.async_get(hass).issues.values() if one.domain == DOMAIN]
    assert hass.data["homeiq_buffers"] == {}


async def test_the_device_shows_an_update_of_the_app(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    app.version = "0.2.0"
    await entry.runtime_data.coordinator.async_refresh()
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, SERVER_ID), entry.entry_id)

    assert device is not None
    assert device.sw_version == "0.2.0"


async def test_no_four_characters_of_the_token_reach_the_log(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    entry = await set_up(hass, app_entry(hass, app))
    hass.states.async_set("light.kitchen", "on")
    await eventually(lambda: ("light.kitchen", "on") in app.states)
    app.token = "another"
    hass.states.async_set("light.kitchen", "off")
    await entry.runtime_data.coordinator.async_refresh()
    await eventually(lambda: "does not take events" in caplog.text)
    told = repr(entry.runtime_data) + repr(vars(entry.runtime_data.coordinator))
    await app.stop()
    assert await hass.config_entries.async_unload(entry.entry_id)
    told += caplog.text

    assert not [TOKEN[at : at + 4] for at in range(len(TOKEN) - 3) if TOKEN[at : at + 4] in told]
