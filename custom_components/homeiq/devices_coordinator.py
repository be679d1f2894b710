"""Polls the health of every device, while somebody wants to see it at the devices themselves."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DOMAIN
from .device_health import DeviceHealth
from .errors import AppError
from .store_client import StoreClient

_LOGGER = logging.getLogger(__name__)

_INTERVAL: Final = timedelta(minutes=5)


class DevicesCoordinator(DataUpdateCoordinator[Mapping[str, DeviceHealth]]):
    """Asks every five minutes for all devices of this Home Assistant that the app judges."""

    config_entry: ConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, client: StoreClient, source: str, is_off: Callable[[], bool]
    ) -> None:
        super().__init__(hass, _LOGGER, config_entry=entry, name="HomeIQ devices", update_interval=_INTERVAL)
        self._client = client
        self._source = source
        self._is_off = is_off

    @property
    def devices(self) -> Mapping[str, DeviceHealth]:
        """Return the newest answer by id, nothing before the first."""
        return self.data or {}

    @override
    async def _async_update_data(self) -> Mapping[str, DeviceHealth]:
        if self._is_off():
            return {}
        try:
            devices = await self._client.devices()
        except AppError as err:
            raise UpdateFailed(
                translation_domain=DOMAIN, translation_key=err.key, translation_placeholders={"reason": str(err)}
            ) from err
        return {one.device_id: one for one in devices if one.source == self._source and one.is_judged}
