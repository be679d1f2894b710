"""The app's counters, those of the forwarder in front of it, and what the app says of devices."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, Platform, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .buffer import Buffer
from .coordinator import HomeIQConfigEntry, HomeIQCoordinator
from .device_sensor import DeviceSensors, async_remove_device_sensors
from .entity import HomeIQEntity
from .ingest_places import Place
from .ingest_sensor import MetricSensor
from .insight_sensor import INSIGHT_SENSORS, InsightSensor
from .status import Status

PARALLEL_UPDATES = 0  # Nothing here asks anybody for anything by itself.
SCAN_INTERVAL: Final = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class AppSensorDescription(SensorEntityDescription):
    """A figure of the app's status."""

    value_fn: Callable[[Status], float | None]


@dataclass(frozen=True, kw_only=True)
class BufferSensorDescription(SensorEntityDescription):
    """A figure of the buffer, in events."""

    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC
    native_unit_of_measurement: str | None = "events"
    value_fn: Callable[[Buffer], int]


APP_SENSORS: Final = (
    AppSensorDescription(
        key="written",
        translation_key="written",
        native_unit_of_measurement="lines",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda status: status.written,
    ),
    AppSensorDescription(
        key="queued",
        translation_key="queued",
        native_unit_of_measurement="lines",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda status: status.queued,
    ),
    AppSensorDescription(
        key="dead",
        translation_key="dead",
        native_unit_of_measurement="lines",
        state_class=SensorStateClass.MEASUREMENT,  # Dead letters can be replayed, which takes them away.
        value_fn=lambda status: status.dead,
    ),
    AppSensorDescription(
        key="dropped",
        translation_key="dropped",
        native_unit_of_measurement="lines",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda status: status.dropped,
    ),
    AppSensorDescription(
        key="queue_fill",
        translation_key="queue_fill",
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda status: round(100 * status.queue_fill, 1),
    ),
    AppSensorDescription(
        key="open_gaps",
        translation_key="open_gaps",
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement="gaps",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda status: status.open_gaps,
    ),
    AppSensorDescription(
        key="missed",
        translation_key="missed",
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement="events",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda status: status.missed,
    ),
    AppSensorDescription(
        key="events_per_minute",
        translation_key="events_per_minute",
        native_unit_of_measurement="events/min",
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=0,
        value_fn=lambda status: status.events_per_minute,
    ),
    AppSensorDescription(
        key="write_latency",
        translation_key="write_latency",
        device_class=SensorDeviceClass.DURATION,
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        state_class=SensorStateClass.MEASUREMENT,
        suggested_display_precision=3,
        value_fn=lambda status: status.write_p99_s,
    ),
)

BUFFER_SENSORS: Final = (
    BufferSensorDescription(
        key="waiting",
        translation_key="waiting",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=len,
    ),
    BufferSensorDescription(
        key="lost",
        translation_key="lost",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda buffer: buffer.lost,
    ),
    BufferSensorDescription(
        key="refused",
        translation_key="refused",
        state_class=SensorStateClass.TOTAL_INCREASING,
        value_fn=lambda buffer: buffer.refused,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: HomeIQConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the entry's sensors, and follow the devices that have some."""
    async_add_entities(AppSensor(entry, description) for description in APP_SENSORS)
    async_add_entities(BufferSensor(entry, description) for description in BUFFER_SENSORS)
    async_add_entities(InsightSensor(entry, description) for description in INSIGHT_SENSORS)
    _follow_ingest(entry, async_add_entities)
    devices = entry.runtime_data.devices
    async_remove_device_sensors(hass, entry, of_all=devices is None)
    if devices is not None:
        entry.async_on_unload(DeviceSensors(hass, entry, devices, async_add_entities).async_follow())


def _follow_ingest(entry: HomeIQConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Add the sensors of devices that send to the app, as they come."""
    devices = entry.runtime_data.ingest.devices

    def add(places: Iterable[Place]) -> None:
        async_add_entities(MetricSensor(devices, place) for place in places)

    entry.async_on_unload(devices.async_on_places(Platform.SENSOR, add))


class AppSensor(HomeIQEntity, CoordinatorEntity[HomeIQCoordinator], SensorEntity):
    """What the app says of itself; unavailable while it is away."""

    entity_description: AppSensorDescription

    def __init__(self, entry: HomeIQConfigEntry, description: AppSensorDescription) -> None:
        CoordinatorEntity.__init__(self, entry.runtime_data.coordinator)
        HomeIQEntity.__init__(self, entry, description)

    @property
    @override
    def native_value(self) -> float | None:
        """Return the figure."""
        return self.entity_description.value_fn(self.coordinator.data)


class BufferSensor(HomeIQEntity, SensorEntity):
    """What Home Assistant holds for the app; polled, because it matters most while the app is away."""

    entity_description: BufferSensorDescription
    _attr_should_poll = True

    def __init__(self, entry: HomeIQConfigEntry, description: BufferSensorDescription) -> None:
        super().__init__(entry, description)
        self._buffer = entry.runtime_data.forwarder.buffer

    @property
    @override
    def native_value(self) -> int:
        """Return the count."""
        return self.entity_description.value_fn(self._buffer)
