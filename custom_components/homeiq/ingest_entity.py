"""What the entities of devices that send to the app have in common."""

from typing import override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity

from .ingest_device import MetricValue
from .ingest_devices import IngestDevices
from .ingest_places import Place
from .metric_names import title_of
from .own_ids import ingest_identifier, metric_id


class MetricEntity(Entity):
    """A metric of a device.

    Its state is written when the device has said something, and else only when it comes or goes: so Home Assistant
    knows when the device last reported.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, devices: IngestDevices, place: Place, *, is_whole_name: bool) -> None:
        """``is_whole_name``: the metric is called as Home Assistant calls it, else by the name that it has."""
        assert place.device_id is not None  # noqa: S101 - of no device are only alerts
        self._devices = devices
        self._device_id = place.device_id
        self._metric = place.metric
        self._told = self._news()
        self._attr_unique_id = metric_id(devices.server_id, place.device_id, place.metric)
        self._attr_device_info = DeviceInfo(identifiers={ingest_identifier(devices.server_id, place.device_id)})
        if not is_whole_name:
            self._attr_name = title_of(place.metric)

    @property
    @override
    def available(self) -> bool:
        """Return whether the device has spoken in time, and the app could tell."""
        return self._devices.async_is_available(self._device_id)

    @property
    def metric_value(self) -> MetricValue | None:
        """The newest value, None when there is none."""
        metric = self._devices.async_metric(self._device_id, self._metric)
        return None if metric is None else metric.value

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the device from now on."""
        await super().async_added_to_hass()
        self.async_on_remove(self._devices.async_listen(self._device_id, self._async_on_change))
        self._told = self._news()

    @callback
    def _async_on_change(self) -> None:
        if (news := self._news()) != self._told:
            self._told = news
            self.async_write_ha_state()

    def _news(self) -> object:
        """Return what is worth a state: 1 and True are equal, but not the same."""
        if not self._devices.async_is_available(self._device_id):
            return None
        metric = self._devices.async_metric(self._device_id, self._metric)
        return (None,) if metric is None else (type(metric.value), metric)
