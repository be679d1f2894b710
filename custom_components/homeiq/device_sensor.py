"""Sensors of the devices that HomeIQ watches, attached to the device that they describe: another integration's.

As core's helpers do it: ``device_entry`` is set and ``device_info`` is not, so that the device stays the other
integration's alone. Home Assistant takes such entities off a device that is removed, but does not remove them: that is
done here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, Platform
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import HomeIQConfigEntry
from .device_health import DeviceHealth
from .devices_coordinator import DevicesCoordinator

type Value = int | datetime | None


@dataclass(frozen=True, kw_only=True)
class DeviceSensorDescription(SensorEntityDescription):
    """Something that is known of a device.

    Attributes:
        exists_fn: Whether a device has it.
    """

    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC
    exists_fn: Callable[[DeviceHealth], bool] = lambda _: True
    value_fn: Callable[[DeviceHealth], Value]
    attributes_fn: Callable[[DeviceHealth], Mapping[str, Any] | None] = lambda _: None


def _day(instant: datetime | None) -> datetime | None:
    """Return the beginning of the day: an expectation of weeks is no more exact, and would change all the time."""
    return None if instant is None else dt_util.start_of_local_day(dt_util.as_local(instant))


DEVICE_SENSORS: Final = (
    DeviceSensorDescription(
        key="health",
        translation_key="device_health",
        native_unit_of_measurement=PERCENTAGE,
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda device: device.score,
        attributes_fn=lambda device: {
            "health_state": device.state,  # not "state": databases of states have that as a field of their own
            "deductions": [dict(one) for one in device.deductions],
        },
    ),
    DeviceSensorDescription(
        key="battery_empty",
        translation_key="device_battery_empty",
        device_class=SensorDeviceClass.TIMESTAMP,
        exists_fn=lambda device: device.has_battery,
        value_fn=lambda device: _day(device.battery_empty),
        attributes_fn=lambda device: {"earliest": _day(device.battery_earliest), "latest": _day(device.battery_latest)},
    ),
    DeviceSensorDescription(
        key="last_reported",
        translation_key="device_last_reported",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=False,
        value_fn=lambda device: device.last_reported,
    ),
)


class DeviceSensor(CoordinatorEntity[DevicesCoordinator], SensorEntity):
    """Something that is known of one device."""

    _attr_has_entity_name = True
    _unrecorded_attributes = frozenset({"deductions", "earliest", "latest"})
    entity_description: DeviceSensorDescription

    def __init__(
        self,
        entry: HomeIQConfigEntry,
        coordinator: DevicesCoordinator,
        device: dr.AnyDeviceEntry,
        description: DeviceSensorDescription,
    ) -> None:
        super().__init__(coordinator)
        self.entity_description = description
        self.device_entry = device
        self._device_id = device.id
        self._attr_unique_id = _unique_id(entry, device.id, description.key)

    @property
    @override
    def available(self) -> bool:
        """Return whether the app knows the device."""
        return super().available and self._device_id in self.coordinator.devices

    @property
    @override
    def native_value(self) -> Value:
        """Return what is known; nothing while the app learns."""
        device = self.coordinator.devices.get(self._device_id)
        return None if device is None else self.entity_description.value_fn(device)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what the value stands on."""
        device = self.coordinator.devices.get(self._device_id)
        return None if device is None else self.entity_description.attributes_fn(device)


class DeviceSensors:
    """Adds the sensors of devices that come, and removes those of devices that go."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: HomeIQConfigEntry,
        coordinator: DevicesCoordinator,
        add_entities: AddConfigEntryEntitiesCallback,
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._coordinator = coordinator
        self._add_entities = add_entities
        self._added: set[tuple[str, str]] = set()

    @callback
    def async_follow(self) -> CALLBACK_TYPE:
        """Add what there is, and follow what changes; returns how to stop."""
        self._async_add()
        stops = (
            self._coordinator.async_add_listener(self._async_add),
            self._hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._async_on_device),
        )

        @callback
        def stop() -> None:
            for each in stops:
                each()

        return stop

    @callback
    def _async_add(self) -> None:
        registry, new = dr.async_get(self._hass), []
        for device_id, health in self._coordinator.devices.items():
            device = registry.async_get(device_id, include_composite_devices=False)
            if device is None or device.disabled:
                continue
            for description in DEVICE_SENSORS:
                if (device_id, description.key) not in self._added and description.exists_fn(health):
                    self._added.add((device_id, description.key))
                    new.append(DeviceSensor(self._entry, self._coordinator, device, description))
        if new:
            self._add_entities(new)

    @callback
    def _async_on_device(self, event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        if event.data["action"] == "remove":
            # Soon: first our entities have to hear that they are taken off the device.
            self._hass.loop.call_soon(self._async_remove, event.data["device_id"])

    @callback
    def _async_remove(self, device_id: str) -> None:
        self._added = {one for one in self._added if one[0] != device_id}
        registry = er.async_get(self._hass)
        for description in DEVICE_SENSORS:
            unique_id = _unique_id(self._entry, device_id, description.key)
            if entity_id := registry.async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id):
                registry.async_remove(entity_id)


@callback
def async_remove_device_sensors(hass: HomeAssistant, entry: HomeIQConfigEntry, *, of_all: bool) -> None:
    """Remove the sensors of all devices, or of those that went while nobody watched."""
    entities, devices = er.async_get(hass), dr.async_get(hass)
    prefix = _unique_id(entry, "", "").removesuffix("_")
    for registered in er.async_entries_for_config_entry(entities, entry.entry_id):
        if registered.unique_id.startswith(prefix):
            device_id = registered.unique_id.removeprefix(prefix).partition("_")[0]
            if of_all or devices.async_get(device_id) is None:
                entities.async_remove(registered.entity_id)


def _unique_id(entry: HomeIQConfigEntry, device_id: str, key: str) -> str:
    return f"{entry.unique_id}_device_{device_id}_{key}"
