"""What has changed in the registries since the app was told: the ids that their events name."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import floor_registry as fr
from homeassistant.helpers import label_registry as lr
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .registry_rows import AREAS, CONFIG_ENTRIES, DEVICES, ENTITIES, FLOORS, LABELS

type Marks = dict[str, set[str]]

_NAMES: Final = frozenset({"name", "name_by_user"})


class RegistryMarks:
    """Collects keys by kind; what became of them is looked up when they are sent, so a burst of events is one look."""

    def __init__(self, hass: HomeAssistant, on_mark: Callable[[], object]) -> None:
        """``on_mark`` is called at each."""
        self._hass = hass
        self._on_mark = on_mark
        self._marks: Marks = defaultdict(set)

    def __len__(self) -> int:
        """Return how many things have changed."""
        return sum(map(len, self._marks.values()))

    @callback
    def async_take(self) -> Marks:
        """Return what was marked, and mark nothing any more."""
        taken, self._marks = self._marks, defaultdict(set)
        return taken

    @callback
    def async_put_back(self, marks: Marks) -> None:
        """Mark again what could not be told."""
        for kind, keys in marks.items():
            self._marks[kind] |= keys

    @callback
    def async_listen(self) -> CALLBACK_TYPE:
        """Follow the registries; returns how to stop."""
        listen = self._hass.bus.async_listen
        stops = (
            listen(fr.EVENT_FLOOR_REGISTRY_UPDATED, self._by("floor_id", FLOORS)),
            listen(ar.EVENT_AREA_REGISTRY_UPDATED, self._by("area_id", AREAS)),
            listen(lr.EVENT_LABEL_REGISTRY_UPDATED, self._by("label_id", LABELS)),
            listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, self._async_on_device),
            listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._async_on_entity),
            listen(EVENT_STATE_CHANGED, self._async_on_state, event_filter=_comes_or_goes),
            async_dispatcher_connect(self._hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._async_on_config_entry),
        )

        @callback
        def stop() -> None:
            for each in stops:
                each()

        return stop

    def _mark(self, kind: str, keys: Iterable[str]) -> None:
        self._marks[kind].update(keys)
        self._on_mark()

    def _by(self, name: str, kind: str) -> Callable[[Event[Any]], None]:
        """Return a listener for events that name what they are about."""

        @callback
        def on_event(event: Event[Mapping[str, Any]]) -> None:
            if key := event.data.get(name):  # None when only the order has changed
                self._mark(kind, (key,))

        return on_event

    @callback
    def _async_on_device(self, event: Event[dr.EventDeviceRegistryUpdatedData]) -> None:
        device_id = event.data["device_id"]
        self._mark(DEVICES, (device_id,))
        if event.data["action"] == "update" and not _NAMES.isdisjoint(event.data["changes"]):
            # The names that are shown of its entities, and of those of its parts, begin with its own.
            devices, entities = dr.async_get(self._hass), er.async_get(self._hass)
            for each in (device_id, *(part.id for part in dr.async_entries_for_parent_device(devices, device_id))):
                entries = er.async_entries_for_device(entities, each, include_disabled_entities=True)
                self._mark(ENTITIES, (entry.entity_id for entry in entries))

    @callback
    def _async_on_entity(self, event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        keys = {event.data["entity_id"]}
        if event.data["action"] == "update" and (before := event.data.get("old_entity_id")):
            keys.add(before)
        self._mark(ENTITIES, keys)

    @callback
    def _async_on_state(self, event: Event[EventStateChangedData]) -> None:
        entity_id = event.data["entity_id"]
        if entity_id not in er.async_get(self._hass).entities:
            self._mark(ENTITIES, (entity_id,))

    @callback
    def _async_on_config_entry(self, _: ConfigEntryChange, entry: ConfigEntry) -> None:
        self._mark(CONFIG_ENTRIES, (entry.entry_id,))


@callback
def _comes_or_goes(data: EventStateChangedData) -> bool:
    """Return whether an entity appears or disappears: for those without a registry entry that is the only event."""
    return data["old_state"] is None or data["new_state"] is None
