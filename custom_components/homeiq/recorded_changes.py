"""From a row of the recorder to the change that the live event would have been."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_CLASS, ATTR_UNIT_OF_MEASUREMENT, MATCH_ALL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.json import json_fragment

from .recorder_tables import RecordedState
from .wire import Attributes, Change

_STATE_CLASS: Final = "state_class"
# What the point of a state is named and told apart by.
_NAMING: Final = (ATTR_UNIT_OF_MEASUREMENT, ATTR_DEVICE_CLASS, _STATE_CLASS)


@dataclass(frozen=True, slots=True)
class _Known:
    """What an entity says of itself now.

    Attributes:
        naming: Those attributes that a recorder without them has dropped.
        unrecorded: Which of them the recorder drops one by one.
    """

    naming: Mapping[str, Any]
    unrecorded: frozenset[str]


@dataclass(slots=True)
class RecordedChanges:
    """Gives back what the recorder drops: all attributes over 16 KiB, and those that an entity declares unrecorded.

    Only where something was dropped: an entity that had no unit then had none in its live event either.
    """

    hass: HomeAssistant
    _known: dict[str, _Known] = field(default_factory=dict)

    @callback
    def async_changes(self, rows: Iterable[RecordedState]) -> list[Change]:
        """Return the changes, in order."""
        return [
            (
                row.entity_id,
                row.state,
                self._attributes(row.entity_id, row.attributes),
                row.previous,
                row.previous_changed_us,
                row.time_us,
                row.context_id,
                row.parent_id,
            )
            for row in rows
        ]

    def _attributes(self, entity_id: str, recorded: str | None) -> Attributes:
        if (known := self._known.get(entity_id)) is None:
            known = self._known[entity_id] = _look_up(self.hass, entity_id)
        if recorded in {None, "", "{}"}:
            return known.naming
        if not known.unrecorded:
            return json_fragment(recorded)
        dropped = {key: known.naming[key] for key in known.unrecorded}
        return dropped | _parse(recorded)


def _parse(attributes: str) -> dict[str, Any]:
    try:
        found = json.loads(attributes)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@callback
def _look_up(hass: HomeAssistant, entity_id: str) -> _Known:
    """Ask the current state, and for what it does not say, or when there is none, the registry."""
    naming: dict[str, Any] = {}
    unrecorded: frozenset[str] = frozenset()
    if (entry := er.async_get(hass).async_get(entity_id)) is not None:
        naming = {
            ATTR_UNIT_OF_MEASUREMENT: entry.unit_of_measurement,
            ATTR_DEVICE_CLASS: entry.device_class or entry.original_device_class,
            _STATE_CLASS: (entry.capabilities or {}).get(_STATE_CLASS),
        }
    if (state := hass.states.get(entity_id)) is not None:
        naming |= {key: state.attributes[key] for key in _NAMING if key in state.attributes}
        if state.state_info is not None:
            unrecorded = state.state_info["unrecorded_attributes"]
    naming = {key: value for key, value in naming.items() if value is not None}
    # An entity that drops everything by MATCH_ALL keeps just these.
    dropped = frozenset() if MATCH_ALL in unrecorded else unrecorded & naming.keys()
    return _Known(naming, dropped)
