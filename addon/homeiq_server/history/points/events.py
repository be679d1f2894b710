"""The ``events`` schema: every state change in one measurement, with what the registries say of the entity.

======  ==========================================================================================================
tags    entity_id (whole), domain, device_class, area_id, device_id, event_category, and the configured ``tags``
fields  state_value, numeric_value (numbers, and words such as ``on``), previous_state,
        duration_in_state_seconds (of the previous state), attributes (JSON as it came), context_id,
        context_parent_id, manufacturer, model, sw_version
======  ==========================================================================================================
"""

from typing import Final, override

from homeiq_server.history.line_protocol import Field, single_line, string
from homeiq_server.model import Event, Labels

from .layout import Layout, Series, decode_attributes, split_entity_id
from .settings import PointSettings
from .state import Kind

MEASUREMENT: Final = "home_assistant_events"

_CATEGORY_BY_DOMAIN: Final = {
    "alarm_control_panel": "security",
    "lock": "security",
    "climate": "climate",
    "light": "lighting",
    "switch": "appliance",
    "fan": "appliance",
    "vacuum": "appliance",
}
_CATEGORY_BY_CLASS: Final = {
    "door": "security",
    "window": "security",
    "motion": "security",
    "lock": "security",
    "temperature": "climate",
    "humidity": "climate",
    "power": "appliance",
    "energy": "appliance",
}
_CATEGORY_OF_SENSORS: Final = {"sensor": "monitoring", "binary_sensor": "monitoring"}

_NO_LABELS: Final = Labels()


def category(domain: str, device_class: str) -> str:
    """Return what a change is about; security goes before all else, the domain before the device class."""
    by_domain, by_class = _CATEGORY_BY_DOMAIN.get(domain), _CATEGORY_BY_CLASS.get(device_class)
    if by_class == "security":
        return by_class
    return by_domain or by_class or _CATEGORY_OF_SENSORS.get(domain, "general")


class EventsLayout(Layout):
    """One measurement; the state as text, and as a number where it has one."""

    number_field = "numeric_value"
    text_field = "state_value"
    text_of_numbers = True
    keeps_gaps = True
    reads_labels = True

    def __init__(self, settings: PointSettings) -> None:
        self._tags = {key: single_line(value) for key, value in settings.naming.tags.items()}

    @override
    def identity(self, entity_id: str) -> dict[str, str]:
        domain, _ = split_entity_id(entity_id)
        return {"domain": domain, "entity_id": entity_id} | self._tags

    @override
    def series(self, entity_id: str, kind: Kind, attributes: bytes, labels: Labels | None) -> Series:
        labels = labels or _NO_LABELS
        tags = self.identity(entity_id)
        own_class = decode_attributes(attributes).get("device_class")
        device_class = own_class if isinstance(own_class, str) else labels.device_class or ""
        registry = {
            "device_class": device_class,
            "area_id": labels.area_id or "",
            "device_id": labels.device_id or "",
            "event_category": category(tags["domain"], device_class),
        }
        # Outside of its strings, JSON may have line breaks; inside, they are escaped.
        fields: dict[str, Field] = {"attributes": attributes.decode().replace("\n", " ").replace("\r", " ")}
        for key in ("manufacturer", "model", "sw_version"):
            if value := getattr(labels, key):
                fields[key] = value
        return Series(MEASUREMENT, registry | tags, fields)

    @override
    def numbers(self, event: Event) -> str:
        if (since := event.previous_changed_us) is None:
            return ""
        return f",duration_in_state_seconds={max(event.time_us - since, 0) / 1_000_000}"

    @override
    def texts(self, event: Event) -> str:
        fields = f",context_id={string(event.context_id)}"
        if event.previous is not None:
            fields += f",previous_state={string(event.previous)}"
        if event.parent_id is not None:
            fields += f",context_parent_id={string(event.parent_id)}"
        return fields

    @override
    def count_texts(self, event: Event) -> int:
        return 1 + (event.previous is not None) + (event.parent_id is not None)
