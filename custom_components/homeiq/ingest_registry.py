"""The devices that send to the app, in Home Assistant's registry of devices."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.typing import UNDEFINED

from .const import DOMAIN
from .ingest_device import IngestDevice
from .own_ids import ingest_identifier


class IngestRegistry:
    """Shows one app's devices. A name that the user gave is kept beside the device's own, and wins."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._devices = dr.async_get(hass)
        self._entry_id = entry.entry_id
        self._server_id = str(entry.unique_id)

    @callback
    def async_show(self, device: IngestDevice) -> None:
        """Add a device, or change what has changed of it."""
        app = self._devices.async_get_device_by_identifier((DOMAIN, self._server_id), self._entry_id)
        self._devices.async_get_or_create(
            config_entry_id=self._entry_id,
            identifiers={ingest_identifier(self._server_id, device.device_id)},
            name=device.name,
            manufacturer=device.manufacturer,
            model=device.model,
            sw_version=device.sw_version,
            via_device_id=UNDEFINED if app is None else app.id,
        )

    @callback
    def async_known(self) -> set[str]:
        """Return the app's ids of all that are there."""
        own = dr.async_entries_for_config_entry(self._devices, self._entry_id)
        return {one for device in own if (one := async_ingest_id(self._server_id, device)) is not None}

    @callback
    def async_remove(self, device_id: str) -> None:
        """Remove a device, and its entities with it, unless it is gone."""
        identifier = ingest_identifier(self._server_id, device_id)
        device = self._devices.async_get_device_by_identifier(identifier, self._entry_id)
        if device is not None:
            self._devices.async_remove_device(device.id)


@callback
def async_ingest_id(server_id: str, device: dr.AnyDeviceEntry) -> str | None:
    """Return the app's id of a device that sends to it, None when it is another device."""
    domain, beginning = ingest_identifier(server_id, "")
    for each in device.identifiers:
        if each[0] == domain and each[1].startswith(beginning):
            return each[1].removeprefix(beginning)
    return None
