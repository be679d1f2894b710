"""HomeIQ: hands every state change to the HomeIQ app, and shows how the app is."""

from homeassistant.const import CONF_TOKEN, CONF_URL, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import instance_id
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.hass_dict import HassKey

from .buffer import Buffer
from .client import AppClient
from .const import BUFFER_EVENTS, DOMAIN
from .coordinator import HomeIQ, HomeIQConfigEntry, HomeIQCoordinator
from .filters import EntityFilter
from .forwarder import Forwarder
from .issues import async_withdraw_all

PLATFORMS = (Platform.BINARY_SENSOR, Platform.SENSOR)

# By entry; a buffer outlives the reload that a new token or another option brings.
_BUFFERS: HassKey[dict[str, Buffer]] = HassKey(f"{DOMAIN}_buffers")


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

    forwarder = Forwarder(hass, client, buffer, on_turn=refresh)
    forwarder.async_listen(hass, entry, EntityFilter(hass, entry.options))
    forwarder.async_start(hass, entry, await instance_id.async_get(hass))
    entry.runtime_data = HomeIQ(coordinator, forwarder)
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
