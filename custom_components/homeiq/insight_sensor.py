"""The sensors that sum up the home's devices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import HomeIQConfigEntry
from .entity import HomeIQEntity
from .findings import Insights
from .insights_coordinator import InsightsCoordinator


@dataclass(frozen=True, kw_only=True)
class InsightSensorDescription(SensorEntityDescription):
    """A figure of the app's insights."""

    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    value_fn: Callable[[Insights], int]
    attributes_fn: Callable[[Insights], Mapping[str, Any] | None] = lambda _: None


INSIGHT_SENSORS: Final = (
    InsightSensorDescription(
        key="devices",
        translation_key="devices",
        native_unit_of_measurement="devices",
        value_fn=lambda insights: insights.devices_total,
    ),
    InsightSensorDescription(
        key="devices_unhealthy",
        translation_key="devices_unhealthy",
        native_unit_of_measurement="devices",
        value_fn=lambda insights: insights.devices_unhealthy,
    ),
    InsightSensorDescription(
        key="batteries_ending",
        translation_key="batteries_ending",
        native_unit_of_measurement="batteries",
        value_fn=lambda insights: len(insights.batteries),
        attributes_fn=lambda insights: {"batteries": [dict(one) for one in insights.batteries]},
    ),
)


class InsightSensor(HomeIQEntity, CoordinatorEntity[InsightsCoordinator], SensorEntity):
    """What the app knows of all devices; unavailable while it is away or its store is switched off."""

    _unrecorded_attributes = frozenset({"batteries"})
    entity_description: InsightSensorDescription

    def __init__(self, entry: HomeIQConfigEntry, description: InsightSensorDescription) -> None:
        CoordinatorEntity.__init__(self, entry.runtime_data.insights)
        HomeIQEntity.__init__(self, entry, description)

    @property
    @override
    def available(self) -> bool:
        """Return whether there is an answer."""
        return super().available and self.coordinator.newest is not None

    @property
    @override
    def native_value(self) -> int | None:
        """Return the figure."""
        insights = self.coordinator.newest
        return None if insights is None else self.entity_description.value_fn(insights)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return what the figure counts."""
        insights = self.coordinator.newest
        return None if insights is None else self.entity_description.attributes_fn(insights)
