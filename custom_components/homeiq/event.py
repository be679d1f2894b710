"""An event for automations whenever a finding is opened or resolved, and for what happens to alerts."""

from collections.abc import Iterable
from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .alert_event import AlertEvent
from .coordinator import HomeIQConfigEntry
from .entity import HomeIQEntity
from .findings import FindingChange
from .ingest_places import Place

PARALLEL_UPDATES = 0  # Nothing here asks anybody for anything by itself.

FINDING: Final = EventEntityDescription(key="finding", translation_key="finding", event_types=["opened", "resolved"])


async def async_setup_entry(
    _hass: HomeAssistant, entry: HomeIQConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the entry's event entities: for findings always, for alerts as devices that send to the app come."""
    async_add_entities([FindingEvent(entry)])
    ingest = entry.runtime_data.ingest

    def add(places: Iterable[Place]) -> None:
        async_add_entities(AlertEvent(ingest.devices, ingest.alerts, place.device_id) for place in places)

    entry.async_on_unload(ingest.devices.async_on_places(Platform.EVENT, add))


class FindingEvent(HomeIQEntity, EventEntity):
    """What happened to a finding last.

    Available always: an entity that comes back with an old event would start the automations again.
    """

    _unrecorded_attributes = frozenset({"evidence"})
    _attr_should_poll = False

    def __init__(self, entry: HomeIQConfigEntry) -> None:
        super().__init__(entry, FINDING)
        self._insights = entry.runtime_data.insights

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the changes from now on."""
        await super().async_added_to_hass()
        self.async_on_remove(self._insights.async_on_change(self._async_on_change))

    @callback
    def _async_on_change(self, change: FindingChange) -> None:
        if change.change not in self.event_types:  # of an app that knows more than we do
            return
        finding = change.finding
        self._trigger_event(
            change.change,
            {
                "finding_id": finding.id,
                "finding_type": finding.kind,
                "title": finding.title,
                "explanation": finding.explanation,
                "severity": finding.severity,
                "device_id": finding.device_id,
                "device_name": finding.device_name,
                "entity_id": finding.entity_id,
                "evidence": dict(finding.evidence),
            },
        )
        self.async_write_ha_state()
