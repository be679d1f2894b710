"""What a user sees of HomeIQ."""

from datetime import timedelta
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped] # the harness has no types
    async_fire_time_changed,
)

from custom_components.homeiq import diagnostics, system_health
from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import SERVER_ID, TOKEN, FakeApp
from tests.unit.homeiq.waiting import eventually

APP_SENSORS = {
    "written": "7",
    "queued": "1",
    "dead_letters": "2",
    "dropped": "0",
    "events_per_minute": "12.5",
    "write_latency": "0.25",
    "queue_fill": "12.5",
    "open_gaps": "3",
    "missed": "0",
}
BUFFER_SENSORS = ("waiting_in_home_assistant", "lost_in_home_assistant", "refused_in_home_assistant")


def state(hass: HomeAssistant, key: str, platform: str = "sensor") -> str:
    found = hass.states.get(f"{platform}.homeiq_{key}")
    assert found is not None, key
    return found.state


async def next_poll(hass: HomeAssistant, entry: Entry) -> None:
    """Let the intervals of coordinator and platforms pass."""
    await entry.runtime_data.coordinator.async_refresh()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=31))
    await hass.async_block_till_done(wait_background_tasks=False)


async def test_the_apps_figures_are_shown(hass: HomeAssistant, app: FakeApp) -> None:
    await set_up(hass, app_entry(hass, app))

    assert {key: state(hass, key) for key in APP_SENSORS} == APP_SENSORS
    assert state(hass, "connection", "binary_sensor") == "on"


async def test_while_the_app_is_away_only_what_home_assistant_knows_is_shown(hass: HomeAssistant, app: FakeApp) -> None:
    await app.stop()
    entry = await set_up(hass, app_entry(hass, app))
    hass.states.async_set("light.kitchen", "on")
    await next_poll(hass, entry)

    assert {state(hass, key) for key in APP_SENSORS} == {STATE_UNAVAILABLE}
    assert state(hass, "connection", "binary_sensor") == "off"
    assert int(state(hass, "waiting_in_home_assistant")) > 0
    assert [state(hass, key) for key in BUFFER_SENSORS[1:]] == ["0", "0"]

    await app.start()
    await eventually(lambda: state(hass, "connection", "binary_sensor") == "on")
    assert {key: state(hass, key) for key in APP_SENSORS} == APP_SENSORS


async def test_own_sensors_do_not_feed_on_themselves(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    buffer = entry.runtime_data.forwarder.buffer
    for _ in range(5):
        before = buffer.added
        await next_poll(hass, entry)
        await eventually(lambda: not buffer)
        assert buffer.added - before <= len(entities)


async def test_all_entities_belong_to_one_service_that_opens_the_app(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, app_slug="local_homeiq"))
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, SERVER_ID), entry.entry_id)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)

    assert device is not None
    assert (device.name, device.entry_type, device.sw_version) == ("HomeIQ", dr.DeviceEntryType.SERVICE, "0.1.0")
    assert device.configuration_url == "homeassistant://app/local_homeiq"
    assert {entity.device_id for entity in entities} == {device.id}
    assert all(entity.unique_id.startswith(f"{SERVER_ID}_") for entity in entities)
    assert len(entities) == 17


async def test_the_diagnostics_tell_all_but_the_token(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: not entry.runtime_data.forwarder.buffer)
    told = await diagnostics.async_get_config_entry_diagnostics(hass, entry)

    assert told["entry"]["data"] == {"url": app.url, "token": "**REDACTED**"}
    assert told["app"]["lines"]["written"] == 7
    assert told["forwarder"]["waiting"] == 0
    assert told["forwarder"]["delivered"] == told["forwarder"]["added"]
    assert not [TOKEN[at : at + 4] for at in range(len(TOKEN) - 3) if TOKEN[at : at + 4] in str(told)]


async def test_the_diagnostics_of_an_app_that_is_away_say_why(hass: HomeAssistant, app: FakeApp) -> None:
    await app.stop()
    entry = await set_up(hass, app_entry(hass, app))
    told = await diagnostics.async_get_config_entry_diagnostics(hass, entry)

    assert told["app"] is None
    assert "cannot reach 127.0.0.1" in told["last_error"]


async def system_information(hass: HomeAssistant) -> dict[str, Any]:
    registration = SystemHealthRegistration(hass, DOMAIN)
    system_health.async_register(hass, registration)
    assert registration.info_callback is not None
    return await registration.info_callback(hass)


async def test_the_system_information_has_homeiq(hass: HomeAssistant, app: FakeApp) -> None:
    await set_up(hass, app_entry(hass, app))
    info = await system_information(hass)

    assert await info.pop("can_reach_app") == "ok"
    assert info == {"app_version": "0.1.0", "events_waiting": info["events_waiting"], "events_lost": 0}


async def test_the_system_information_does_without_an_entry(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    await hass.config_entries.async_unload(entry.entry_id)

    assert await system_information(hass) == {}
