"""HomeIQ: hands every state change and the registries to the HomeIQ app, and shows what it says."""

from homeassistant.const import CONF_TOKEN, CONF_URL, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import instance_id
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.hass_dict import HassKey

from .alert_follower import async_forget_alert_cursor
from .backfill import Backfill
from .buffer import Buffer
from .client import AppClient
from .const import BUFFER_EVENTS, DOMAIN
from .coordinator import HomeIQ, HomeIQConfigEntry, HomeIQCoordinator
from .devices_coordinator import DevicesCoordinator
from .filters import EntityFilter
from .finding_issues import async_report_findings
from .forwarder import Forwarder
from .ingest import Ingest
from .ingest_client import IngestClient
from .ingest_registry import async_ingest_id
from .insights_coordinator import InsightsCoordinator, async_forget_cursor
from .issues import async_withdraw_all
from .options import shows_device_entities
from .registry_sync import RegistrySync
from .reports import Origin, Reports
from .services import async_register_actions
from .slow_lane import SlowLane
from .store_client import StoreClient
from .supply import Link

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)
PLATFORMS = (Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR)

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
        registry.async_check()

    def look_for_gaps() -> None:
        backfill.async_wake()

    def is_store_off() -> bool:
        return coordinator.is_store_off

    entity_filter = EntityFilter(hass, entry.options)
    forwarder = Forwarder(hass, client, buffer, on_turn=refresh, on_gap=look_for_gaps)
    forwarder.async_listen(hass, entry, entity_filter)
    source = await instance_id.async_get(hass)
    link = Link(hass, client, SlowLane(lambda: forwarder.is_behind), source, entity_filter)
    backfill = Backfill(link)
    forwarder.async_start(hass, entry, source)
    entry.async_create_background_task(hass, backfill.run(), "homeiq backfill")
    registry = RegistrySync(hass, StoreClient(client), source, is_store_off)
    _follow_store(entry, coordinator, registry)
    insights = InsightsCoordinator(hass, entry, StoreClient(client), source, is_store_off)
    shows_devices = shows_device_entities(entry.options)
    devices = DevicesCoordinator(hass, entry, StoreClient(client), source, is_store_off) if shows_devices else None
    reports = Reports(
        hass, StoreClient(client), Origin(source, lambda: forwarder.stream_id), entity_filter, is_store_off
    )
    entry.async_on_unload(reports.async_listen())
    ingest = Ingest(hass, entry, IngestClient(client))
    entry.runtime_data = HomeIQ(coordinator, forwarder, link, backfill, registry, reports, insights, devices, ingest)
    await coordinator.async_refresh()
    if coordinator.last_update_success:  # else they wait for their next turn, instead of for the same timeout
        await insights.async_refresh()
        if devices is not None:
            await devices.async_refresh()
    entry.async_create_background_task(hass, registry.run(), "homeiq registry")
    entry.async_create_background_task(hass, reports.run(), "homeiq reports")
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    insights.async_follow()
    _follow_ingest(entry)
    return True


@callback
def _follow_store(entry: HomeIQConfigEntry, coordinator: HomeIQCoordinator, registry: RegistrySync) -> None:
    """Follow the registries, and tell the app of them anew once its store is switched on."""
    was_off = False

    @callback
    def on_status() -> None:
        nonlocal was_off
        if was_off and not coordinator.is_store_off:
            registry.async_check()
        was_off = coordinator.is_store_off

    entry.async_on_unload(registry.async_listen())
    entry.async_on_unload(coordinator.async_add_listener(on_status))


@callback
def _follow_ingest(entry: HomeIQConfigEntry) -> None:
    """Follow the devices that send to the app while it has any; that needs the platforms."""
    coordinator, ingest = entry.runtime_data.coordinator, entry.runtime_data.ingest

    @callback
    def on_status() -> None:
        ingest.async_on_status(has_ingest=coordinator.has_ingest, is_reachable=coordinator.last_update_success)

    entry.async_on_unload(coordinator.async_add_listener(on_status))
    on_status()


async def async_remove_config_entry_device(
    _hass: HomeAssistant, entry: HomeIQConfigEntry, device: dr.AnyDeviceEntry
) -> bool:
    """Return whether a person may remove a device: only one that the app does not have, or it would come back."""
    device_id = async_ingest_id(str(entry.unique_id), device)
    return device_id is not None and not entry.runtime_data.ingest.devices.async_knows(device_id)


async def async_unload_entry(hass: HomeAssistant, entry: HomeIQConfigEntry) -> bool:
    """Unload an entry; what the app does not take now stays in the buffer."""
    await entry.runtime_data.ingest.async_stop()
    unloaded = await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
    if unloaded:
        await entry.runtime_data.forwarder.async_flush()
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: HomeIQConfigEntry) -> None:
    """Forget what was held for an entry."""
    hass.data.get(_BUFFERS, {}).pop(entry.entry_id, None)
    async_withdraw_all(hass, entry)
    async_report_findings(hass, entry, ())
    await async_forget_cursor(hass, entry)
    await async_forget_alert_cursor(hass, entry)
