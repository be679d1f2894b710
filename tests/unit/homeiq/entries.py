"""Config entries for a fake app, and what came of the changes that they forward."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL, EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import (  # type: ignore[import-untyped] # the harness has no types
    MockConfigEntry,
)

from custom_components.homeiq.buffer import Buffer
from custom_components.homeiq.const import CONF_APP_SLUG, DOMAIN
from tests.unit.homeiq.fake_app import SERVER_ID, FakeApp

type Entry = ConfigEntry[Any]


def other_entry(hass: HomeAssistant) -> Entry:
    """Add an entry of some other integration, to own devices and entities."""
    entry: Entry = MockConfigEntry(domain="test")
    entry.add_to_hass(hass)  # type: ignore[attr-defined] # of the harness
    return entry


def app_entry(
    hass: HomeAssistant, app: FakeApp, *, options: dict[str, Any] | None = None, app_slug: str | None = None
) -> Entry:
    """Add an entry for ``app``; with a slug it is one of which the Supervisor has told."""
    entry: Entry = MockConfigEntry(
        domain=DOMAIN,
        title="HomeIQ",
        unique_id=SERVER_ID,
        data={CONF_URL: app.url, CONF_TOKEN: app.token} | ({CONF_APP_SLUG: app_slug} if app_slug else {}),
        options=options or {},
    )
    entry.add_to_hass(hass)  # type: ignore[attr-defined] # of the harness
    return entry


async def set_up(hass: HomeAssistant, entry: Entry) -> Entry:
    """Set the entry up, and return it."""
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


def listeners(hass: HomeAssistant) -> dict[str, int]:
    """Return how many listeners each event has, but for those of Home Assistant's stores: they go when they are saved.

    That is ten seconds after they were written to, which may be in the middle of a test.
    """
    found = {str(name): count for name, count in hass.bus.async_listeners().items()}
    found.pop(str(EVENT_HOMEASSISTANT_FINAL_WRITE), None)
    return found


async def poll_insights(entry: Entry) -> None:
    """Ask the app what it says of devices now."""
    await entry.runtime_data.insights.async_refresh()


def buffer_of(entry: Entry) -> Buffer:
    buffer: Buffer = entry.runtime_data.forwarder.buffer
    return buffer


def is_accounted_for(buffer: Buffer) -> bool:
    return buffer.added == len(buffer) + buffer.delivered + buffer.lost + buffer.refused


def set_states(hass: HomeAssistant, count: int, entity_id: str = "sensor.counter") -> list[tuple[str, str | None]]:
    """Change a state ``count`` times; return what the app should have of it in the end."""
    for number in range(count):
        hass.states.async_set(entity_id, str(number))
    return [(entity_id, str(number)) for number in range(count)]


def of(app: FakeApp, entity_id: str = "sensor.counter") -> list[tuple[str, str | None]]:
    return [pair for pair in app.states if pair[0] == entity_id]
