"""Polls the app's status, and makes an error of the link one of Home Assistant."""

import logging
from dataclasses import dataclass
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .backfill import Backfill
from .client import AppClient
from .const import CONF_APP_SLUG, DOMAIN, STATUS_INTERVAL
from .devices_coordinator import DevicesCoordinator
from .errors import AppError, InvalidAuth, VersionMismatch
from .forwarder import Forwarder
from .ingest import Ingest
from .insights_coordinator import InsightsCoordinator
from .issues import async_report_status, async_report_version
from .registry_sync import RegistrySync
from .reports import Reports
from .status import Status
from .supply import Link

_LOGGER = logging.getLogger(__name__)

type HomeIQConfigEntry = ConfigEntry[HomeIQ]


@dataclass(frozen=True, slots=True)
class HomeIQ:
    """What an entry runs.

    Attributes:
        devices: None while the entities of devices are not wanted.
    """

    coordinator: HomeIQCoordinator
    forwarder: Forwarder
    link: Link
    backfill: Backfill
    registry: RegistrySync
    reports: Reports
    insights: InsightsCoordinator
    devices: DevicesCoordinator | None
    ingest: Ingest


class HomeIQCoordinator(DataUpdateCoordinator[Status]):
    """Asks for the status every 30 s. While the app is away the entry stays loaded: it goes on holding events."""

    config_entry: HomeIQConfigEntry

    def __init__(self, hass: HomeAssistant, entry: HomeIQConfigEntry, client: AppClient) -> None:
        super().__init__(hass, _LOGGER, config_entry=entry, name="HomeIQ", update_interval=STATUS_INTERVAL)
        self.client = client

    @property
    def last_status(self) -> Status | None:
        """Return the newest status, None before the first; the base class leaves that out of the type of ``data``."""
        return self.data

    @property
    def is_store_off(self) -> bool:
        """Whether the app has said that it keeps no devices: then nobody needs to tell it any, or to ask."""
        return self.last_status is not None and self.last_status.store_state == "off"

    @property
    def has_ingest(self) -> bool:
        """Whether the app has said that devices may send to it."""
        return self.last_status is not None and self.last_status.has_ingest

    @override
    async def _async_update_data(self) -> Status:
        try:
            await self.client.info()
            status = await self.client.status()
        except VersionMismatch as err:
            async_report_version(self.hass, self.config_entry, err)
            raise self._as_home_assistant_error(err) from err
        except AppError as err:
            raise self._as_home_assistant_error(err) from err
        async_report_version(self.hass, self.config_entry, None)
        async_report_status(self.hass, self.config_entry, status, before=self.last_status)
        self._async_note_version(status.version)
        return status

    def _as_home_assistant_error(self, err: AppError) -> UpdateFailed | ConfigEntryAuthFailed:
        """Return what to raise instead.

        A token that came from the Supervisor is not for the user to mend: the app tells it anew, and discovery
        updates the entry.
        """
        placeholders = {"reason": str(err)}
        if isinstance(err, InvalidAuth) and CONF_APP_SLUG not in self.config_entry.data:
            return ConfigEntryAuthFailed(
                translation_domain=DOMAIN, translation_key=err.key, translation_placeholders=placeholders
            )
        return UpdateFailed(translation_domain=DOMAIN, translation_key=err.key, translation_placeholders=placeholders)

    @callback
    def _async_note_version(self, version: str) -> None:
        """Show the app's release on its device, when it was updated while we watched."""
        registry, entry = dr.async_get(self.hass), self.config_entry
        device = registry.async_get_device_by_identifier((DOMAIN, str(entry.unique_id)), entry.entry_id)
        if device is not None and device.sw_version != version:
            registry.async_update_device(device.id, sw_version=version)
