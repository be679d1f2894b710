"""Sensors of devices that send to the app: a number or a text for each metric."""

from math import isfinite
from typing import override

from homeassistant.components.sensor import SensorEntity, SensorStateClass
from homeassistant.const import EntityCategory

from .ingest_devices import IngestDevices
from .ingest_entity import MetricEntity
from .ingest_places import Place
from .metric_names import meaning_of


class MetricSensor(MetricEntity, SensorEntity):
    """A number, with unit and class when the catalogue knows its name, or a text."""

    def __init__(self, devices: IngestDevices, place: Place) -> None:
        meaning = meaning_of(place.metric) if place.is_number else None
        super().__init__(devices, place, is_whole_name=meaning is not None and meaning.is_whole_name)
        self._is_number = place.is_number
        if meaning is not None:
            kind = meaning.kind
            self._attr_device_class = kind.device_class
            self._attr_state_class = kind.state_class
            self._attr_native_unit_of_measurement = meaning.unit
            self._attr_translation_key = kind.key
            self._attr_entity_category = EntityCategory.DIAGNOSTIC if kind.is_diagnostic else None
        elif place.is_number:
            self._attr_state_class = SensorStateClass.MEASUREMENT

    @property
    @override
    def native_value(self) -> float | str | None:
        """Return the newest value, as what the sensor is for."""
        value = self.metric_value
        if value is None:
            return None
        if not self._is_number:
            return str(value).lower() if isinstance(value, bool) else str(value)
        return _number(value) if isinstance(value, str) else value + 0


def _number(text: str) -> float | None:
    """Return the number that a text is: some firmware sends all its numbers so."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
