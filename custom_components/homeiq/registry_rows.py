"""The registries as the app reads them: the rows of ``homeiq_server.registry``.

They are told whole, whatever the options leave out of the forwarding: the filter is about states. What is known of a
device that is not forwarded (its name, its area, its integration) is what makes the others understood, and its health
is not judged without states. Of what HomeIQ shows at devices only what a device itself says to the app is told: what
HomeIQ has found out about a device speaks by itself, and a device that has fallen silent would seem to speak with it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from homeassistant.config_entries import SOURCE_IGNORE
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import floor_registry as fr
from homeassistant.helpers import label_registry as lr
from homeassistant.helpers.json import json_bytes

from .const import DOMAIN
from .own_ids import is_metric

type Row = dict[str, Any]

# In the order in which they refer to each other. Entities are looked up by entity id, all others by id.
FLOORS: Final = "floors"
AREAS: Final = "areas"
LABELS: Final = "labels"
CONFIG_ENTRIES: Final = "config_entries"
DEVICES: Final = "devices"
ENTITIES: Final = "entities"
KINDS: Final = (FLOORS, AREAS, LABELS, CONFIG_ENTRIES, DEVICES, ENTITIES)

_LONGEST_TEXT: Final = 1_000
_LARGEST_ROW_BYTES: Final = 64 * 1024
_NUL: Final = b"\\u0000"  # PostgreSQL takes it neither in text nor in jsonb.


class RegistryRows:
    """Looks up what the registries have now."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._row_of: Final[Mapping[str, Callable[[str], Row | None]]] = {
            FLOORS: self._floor,
            AREAS: self._area,
            LABELS: self._label,
            CONFIG_ENTRIES: self._config_entry,
            DEVICES: self._device,
            ENTITIES: self._entity,
        }

    @callback
    def async_row(self, kind: str, key: str) -> Row | None:
        """Return the row of one thing without what is empty in it, None when there is no such thing (any more)."""
        row = self._row_of[kind](key)
        return None if row is None else {name: value for name, value in row.items() if not _is_empty(value)}

    @callback
    def async_keys(self, kind: str) -> list[str]:
        """Return the keys of everything of a kind."""
        hass = self._hass
        match kind:
            case "floors":
                return [floor.floor_id for floor in fr.async_get(hass).async_list_floors()]
            case "areas":
                return [area.id for area in ar.async_get(hass).async_list_areas()]
            case "labels":
                return [label.label_id for label in lr.async_get(hass).async_list_labels()]
            case "config_entries":
                return [entry.entry_id for entry in hass.config_entries.async_entries(include_ignore=False)]
            case "devices":
                devices = dr.async_get(hass)
                return [*(one.id for one in devices.devices), *(one.id for one in devices.child_devices)]
            case _:
                return list({*er.async_get(hass).entities, *hass.states.async_entity_ids()})

    def _floor(self, floor_id: str) -> Row | None:
        if (floor := fr.async_get(self._hass).async_get_floor(floor_id)) is None:
            return None
        return {"id": floor_id, "name": _text(floor.name), "level": _whole(floor.level, 32)}

    def _area(self, area_id: str) -> Row | None:
        if (area := ar.async_get(self._hass).async_get_area(area_id)) is None:
            return None
        return {"id": area_id, "name": _text(area.name), "floor_id": area.floor_id}

    def _label(self, label_id: str) -> Row | None:
        if (label := lr.async_get(self._hass).async_get_label(label_id)) is None:
            return None
        return {"id": label_id, "name": _text(label.name)}

    def _config_entry(self, entry_id: str) -> Row | None:
        entry = self._hass.config_entries.async_get_entry(entry_id)
        if entry is None or entry.source == SOURCE_IGNORE:
            return None
        return {
            "id": entry_id,
            "domain": entry.domain,
            "title": _text(entry.title),
            "state": entry.state.value,
            "disabled_by": _text(entry.disabled_by),
        }

    def _device(self, device_id: str) -> Row | None:
        device = dr.async_get(self._hass).async_get(device_id, include_composite_devices=False)
        if device is None:
            return None
        entry = self._hass.config_entries.async_get_entry(device.config_entry_id)
        row = {
            "id": device_id,
            "name": _text(device.name),
            "name_by_user": _text(device.name_by_user),
            "area_id": device.area_id,
            "integration": None if entry is None else entry.domain,
            "config_entry_id": device.config_entry_id,
            "disabled_by": _text(device.disabled_by),
            "labels": sorted(device.labels),
            "identifiers": _pairs(device.identifiers),
        }
        if isinstance(device, dr.ChildDeviceEntry):
            return row | {"parent_id": device.parent_device_id}
        whole = {name: _text(getattr(device, name)) for name in _OF_WHOLE_DEVICES}
        return row | whole | {"via_device_id": device.via_device_id, "connections": _pairs(device.connections)}

    def _entity(self, entity_id: str) -> Row | None:
        if (entry := er.async_get(self._hass).async_get(entity_id)) is None:
            return self._unregistered(entity_id)
        if entry.platform == DOMAIN and not self._is_of_homeiq(entry):
            return None
        capabilities = entry.capabilities or {}
        return {
            "id": entry.id,
            "entity_id": entity_id,
            "name": _text(er.async_get_full_entity_name(self._hass, entry)),
            "device_id": entry.device_id,
            "area_id": entry.area_id,
            "integration": entry.platform,
            "config_entry_id": entry.config_entry_id,
            "unique_id": _text(entry.unique_id),
            "device_class": _text(entry.device_class or entry.original_device_class),
            "state_class": _text(capabilities.get("state_class")),
            "unit": _text(entry.unit_of_measurement),
            "entity_category": _text(entry.entity_category),
            "translation_key": _text(entry.translation_key),
            "disabled_by": _text(entry.disabled_by),
            "hidden_by": _text(entry.hidden_by),
            "supported_features": _whole(entry.supported_features, 64),
            "capabilities": dict(capabilities),
            "labels": sorted(entry.labels),
        }

    def _is_of_homeiq(self, entry: er.RegistryEntry) -> bool:
        """Return whether an entity of ours is about HomeIQ itself, or is what a device says that sends to it."""
        config_entry = self._hass.config_entries.async_get_entry(entry.config_entry_id or "")
        device = dr.async_get(self._hass).async_get(entry.device_id) if entry.device_id else None
        if config_entry is None or device is None:
            return False
        server_id = str(config_entry.unique_id)
        return (DOMAIN, server_id) in device.identifiers or is_metric(server_id, entry.unique_id)

    def _unregistered(self, entity_id: str) -> Row | None:
        """Return what the state says of an entity that has no unique id; nobody else knows of it."""
        if (state := self._hass.states.get(entity_id)) is None:
            return None
        attributes = state.attributes
        return {
            "id": entity_id,
            "entity_id": entity_id,
            "name": _text(state.name),
            "registered": False,
            "device_class": _text(attributes.get("device_class")),
            "state_class": _text(attributes.get("state_class")),
            "unit": _text(attributes.get("unit_of_measurement")),
            "supported_features": _whole(attributes.get("supported_features"), 64),
        }


def encode(row: Row) -> bytes:
    """Return a row as JSON; capabilities that cannot travel stay behind."""
    try:
        body = json_bytes(row)
    except TypeError, ValueError:  # Home Assistant's encoder, on an object it does not know or half a character.
        body = b""
    if body and len(body) <= _LARGEST_ROW_BYTES and _NUL not in body:
        return body
    return json_bytes({key: _clean(value) for key, value in row.items() if key != "capabilities"})


_OF_WHOLE_DEVICES: Final = (
    "manufacturer",
    "model",
    "model_id",
    "sw_version",
    "hw_version",
    "serial_number",
    "entry_type",
    "configuration_url",
)


def _is_empty(value: object) -> bool:
    """Return whether the app assumes this when it is not told; a level 0 and a False it would not."""
    return value is None or value in ([], {})


def _text(value: object) -> str | None:
    """Return text of a length that the app takes; integrations put numbers and enums into their names."""
    return None if value is None else str(value)[:_LONGEST_TEXT]


def _whole(value: object, bits: int) -> int | None:
    """Return a number that the database has room for."""
    return int(value) if isinstance(value, int) and abs(value) < 2 ** (bits - 1) else None


def _pairs(pairs: Iterable[Iterable[object]]) -> list[list[str]]:
    """Return identifiers or connections in an order that stays, or equal registries would look different."""
    return sorted([str(part) for part in pair] for pair in pairs)


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return text without what neither JSON nor the database takes."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode().replace("\0", "")
    return [_clean(each) for each in value] if isinstance(value, list) else value
