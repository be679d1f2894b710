"""Binary sensors of devices that send to the app: one for each metric that is a yes or no."""

from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.const import EntityCategory

from .ingest_devices import IngestDevices
from .ingest_entity import MetricEntity
from .ingest_places import Place, as_yes_or_no
from .metric_names import DIAGNOSTIC_BINARY_CLASSES, binary_meaning_of


class MetricBinarySensor(MetricEntity, BinarySensorEntity):
    """A yes or no, with a class when its name is known."""

    def __init__(self, devices: IngestDevices, place: Place) -> None:
        meaning = binary_meaning_of(place.metric)
        super().__init__(devices, place, is_whole_name=meaning is not None and meaning.is_whole_name)
        if meaning is not None:
            self._attr_device_class = meaning.device_class
            if meaning.device_class in DIAGNOSTIC_BINARY_CLASSES:
                self._attr_entity_category = EntityCategory.DIAGNOSTIC

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the newest value, None when it is neither yes nor no."""
        return as_yes_or_no(self.metric_value)
