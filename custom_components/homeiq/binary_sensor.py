"""Whether the app can be reached, and what devices that send to it answer with yes or no."""

from collections.abc import Iterable
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import HomeIQConfigEntry, HomeIQCoordinator
from .entity import HomeIQEntity
from .ingest_binary_sensor import MetricBinarySensor
from .ingest_places import Place

PARALLEL_UPDATES = 0  # The coordinator asks for all.

CONNECTIVITY = BinarySensorEntityDescription(
    key="connectivity",
    translation_key="connectivity",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: HomeIQConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the entry's binary sensor, and those of devices that send to the app, as they come."""
    async_add_entities([HomeIQConnectivity(entry)])
    devices = entry.runtime_data.ingest.devices

    def add(places: Iterable[Place]) -> None:
        async_add_entities(MetricBinarySensor(devices, place) for place in places)

    entry.async_on_unload(devices.async_on_places(Platform.BINARY_SENSOR, add))


class HomeIQConnectivity(HomeIQEntity, CoordinatorEntity[HomeIQCoordinator], BinarySensorEntity):
    """On while the app answers as it should."""

    def __init__(self, entry: HomeIQConfigEntry) -> None:
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)
        HomeIQEntity.__init__(self, entry, CONNECTIVITY)

    @property
    @override
    def available(self) -> bool:
        """Return True always: that the app cannot be reached is what this sensor tells."""
        return True

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the last poll was answered."""
        return self.coordinator.last_update_success
