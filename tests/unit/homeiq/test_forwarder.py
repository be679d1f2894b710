import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeiq_app_fake import FakeApp
from pytest_homeassistant_custom_component.common import MockConfigEntry


async def test_a_state_change_reaches_the_app(hass, entry, app, eventually) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED
    hass.states.async_set("light.kitchen", "on", {"brightness": 7})
    await eventually(lambda: ("light.kitchen", "on") in app.states)
