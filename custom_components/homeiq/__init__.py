"""HomeIQ: hands every state change to the HomeIQ app, and shows how the app is."""

from homeassistant.const import CONF_TOKEN, CONF_URL, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import instance_id
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

from .backfill import Backfill
from .buffer import Buffer
from .client import AppClient
from .const import BUFFER_EVENTS, DOMAIN
from .coordinator import HomeIQ, HomeIQConfigEntry, HomeIQCoordinator
from .filters import EntityFilter
from .forwarder import Forwarder
from .issues import async_withdraw_all
from .services import async_register_actions
from .slow_lane import SlowLane
from .supply import Link

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (Platform.BINARY_SENSOR, Platform.SENSOR)

# By entry; a buffer outlives the reload that a new token or another option brings.
_BUFFERS: HassKey[dict[str, Buffer]] = HassKey(f"{DOMAIN}_buffers")


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Set up what is there without an entry: an automation that uses an action is valid while HomeIQ is not loaded."""
    async_register_actions(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: HomeIQConfigEntry) -> bool:
    """Set up an entry.

    The listener comes before anything that takes time, and an app that is away is no reason to fail: an entry that is
    not loaded would hold no events.
    """
    client = AppClient(async_get_clientsession(hass), entry.data[CONF_URL], entry.data[CONF_TOKEN])
    coordinator = HomeIQCoordinator(hass, entry, client)
    buffer = hass.data.setdefault(_BUFFERS, {}).setdefault(entry.entry_id, Buffer(BUFFER_EVENTS))

    def refresh() -> None:
        entry.async_create_background_task(hass, coordinator.async_request_refresh(), "homeiq status refresh")
        backfill.async_wake()

    def look_for_gaps() -> None:
        backfill.async_wake()

    entity_filter = EntityFilter(hass, entry.options)
    forwarder = Forwarder(hass, client, buffer, on_turn=refresh, on_gap=look_for_gaps)
    forwarder.async_listen(hass, entry, entity_filter)
    source = await instance_id.async_get(hass)
    link = Link(hass, client, SlowLane(lambda: forwarder.is_behind), source, entity_filter)
    backfill = Backfill(link)
    forwarder.async_start(hass, entry, source)
    entry.async_create_background_task(hass, backfill.run(), "homeiq backfill")
    entry.runtime_data = HomeIQ(coordinator, forwarder, link, backfill)
    await coordinator.async_refresh()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: HomeIQConfigEntry) -> bool:
    """Unload an entry; what the app does not take now stays in the buffer."""
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.forwarder.async_flush()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: HomeIQConfigEntry) -> None:
    """Forget what was held for an entry."""
    hass.data.get(_BUFFERS, {}).pop(entry.entry_id, None)
    async_withdraw_all(hass, entry)
