"""The ``core`` schema: the points of Home Assistant's own ``influxdb`` integration, its odd rules included.

Source: ``homeassistant.components.influxdb._generate_event_to_json`` of 2026.11, and what the client library of
InfluxDB 2 sends of its points. ``tests/unit/against_core`` compares the two on generated states; what differs:

====================================  =================================  =====================================
Of an event                           Home Assistant stores              here
====================================  =================================  =====================================
attribute that is NaN or infinite     nothing                            ``a_str="None"``: JSON has null for it
tuple or set in an attribute          ``(1, 2)``, ``{1, 2}``             ``[1, 2]``
date or time in an attribute          ``2026-01-01 00:00:00+00:00``      ``2026-01-01T00:00:00+00:00``
enum in an attribute                  ``Color.RED``                      its value
key of a dict that is not text        ``{1: 2}``                         ``{'1': 2}``
attribute without a name              a line that InfluxDB refuses       without that field
name that ends with a backslash       a line that says something else    a space for the backslash
measurement of line breaks only       a line that InfluxDB refuses       the entity id
measurement that begins with ``#``    nothing, InfluxDB ignores it       a backslash before it
whole number                          ``1``                              ``1.0``, the same value
====================================  =================================  =====================================

Times are microseconds where Home Assistant sends nanoseconds: the same instants.
"""

import math
import re
from typing import Any, Final, override

from homeiq_server.history.line_protocol import Field, single_line
from homeiq_server.model import Event, Labels

from .layout import Layout, Series, decode_attributes, split_entity_id
from .naming import NamingRules
from .settings import PointSettings
from .state import Kind

# Source: RE_DIGIT_TAIL and RE_DECIMAL of homeassistant.components.influxdb.const. The first is here by the number of
# dots: its own way takes minutes for a text of some thousand digits.
_DIGIT_TAILS: Final = (re.compile(r"\d\d"), re.compile(r"\d\.\d"))
_NO_DECIMAL: Final = re.compile(r"[^\d.]+")

# Attributes of these names give way to the state's own fields.
_STATE_FIELDS: Final[dict[Kind, tuple[str, ...]]] = {
    "number": ("value",),
    "word": ("state", "value"),
    "text": ("state",),
    "gap": ("state",),
}


class CoreLayout(Layout):
    """Measurement by unit; tags domain and entity_id; fields value, state and one or two per attribute."""

    number_field = "value"
    text_field = "state"
    text_of_numbers = False

    def __init__(self, settings: PointSettings) -> None:
        self.keeps_gaps = settings.gap_markers
        self.reads_labels = bool(settings.extra_tags)
        self._rules = NamingRules(settings.naming)
        self._tags_attributes = settings.naming.tags_attributes
        self._extra_tags = settings.extra_tags
        self._tags = {key: single_line(value) for key, value in settings.naming.tags.items()}

    @override
    def identity(self, entity_id: str) -> dict[str, str]:
        domain, object_id = split_entity_id(entity_id)
        return {"domain": domain, "entity_id": object_id} | self._tags

    @override
    def series(self, entity_id: str, kind: Kind, attributes: bytes, labels: Labels | None) -> Series:
        entity = self._rules.of(entity_id)
        values = decode_attributes(attributes)
        measurement, told = self._rules.measurement(entity, values)
        tags = {"domain": entity.domain, "entity_id": entity.object_id}
        stored: dict[str, Any] = {}
        for key, value in values.items():
            if key in self._tags_attributes:
                tags[key] = "" if value is None else single_line(str(value))
            elif key != told and key not in entity.ignored:
                stored[key] = value
        tags |= self._tags
        return Series(measurement, self._extra(labels) | tags, {} if kind == "gap" else attribute_fields(stored, kind))

    def _extra(self, labels: Labels | None) -> dict[str, str]:
        values = ((tag, getattr(labels, tag, None)) for tag in self._extra_tags)
        return {tag: single_line(value) for tag, value in values if value}

    @override
    def numbers(self, event: Event) -> str:
        return ""

    @override
    def texts(self, event: Event) -> str:
        return ""

    @override
    def count_texts(self, event: Event) -> int:
        return 0


def attribute_fields(attributes: dict[str, Any], kind: Kind) -> dict[str, Field]:
    """Return the fields of the attributes, in their order, for a state of this kind.

    A number, or what reads as one, is a float under the attribute's name; anything else is text under the name
    with ``_str`` behind it, and if its digits make a number, that number under the name itself.
    """
    own = _STATE_FIELDS[kind]
    fields: dict[str, Field] = dict.fromkeys(own, "")
    for key, value in attributes.items():
        _add(fields, f"{key}_" if key in fields else key, value)
    for key in own:
        del fields[key]
    if "time" in fields:  # InfluxDB reserves the name
        key = "time_"
        while key in fields or key in own:
            key += "_"
        fields[key] = fields.pop("time")
    return fields


def _add(fields: dict[str, Field], key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    number = _number(value)
    if number is None:
        text = single_line(str(value))
        fields[f"{key}_str"] = text
        if has_a_number(text):
            number = float(_NO_DECIMAL.sub("", text))
    if number is None:
        return
    if math.isfinite(number):
        fields[key] = number
    else:
        fields.pop(key, None)


def has_a_number(text: str) -> bool:
    """Tell whether the digits of a text make a number: two in a row, or a single dot between two."""
    dots = text.count(".")
    return dots < len(_DIGIT_TAILS) and _DIGIT_TAILS[dots].search(text) is not None


def _number(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    try:
        return float(value)
    except ValueError, TypeError:
        return None
    except OverflowError:  # an integer beyond what a float can hold
        return math.inf
