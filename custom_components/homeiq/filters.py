"""Which entities are forwarded: the include and exclude lists of the options."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from homeassistant.core import CALLBACK_TYPE, EventStateChangedData, HomeAssistant, callback, split_entity_id
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from .const import CONF_AREAS, CONF_DOMAINS, CONF_ENTITIES, CONF_EXCLUDE, CONF_GLOBS, CONF_INCLUDE, CONF_LABELS
from .registries import async_on_registry_change

# Far more entities than any home has; only ids that come and go without end could fill it.
_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Rules:
    """One of the two lists."""

    domains: frozenset[str]
    entities: frozenset[str]
    areas: frozenset[str]
    labels: frozenset[str]
    globs: re.Pattern[str] | None

    @classmethod
    def from_options(cls, options: Mapping[str, Sequence[str]]) -> Self:
        """Read a section of the options; a missing key is an empty list."""
        globs = options.get(CONF_GLOBS, ())
        return cls(
            domains=frozenset(options.get(CONF_DOMAINS, ())),
            entities=frozenset(options.get(CONF_ENTITIES, ())),
            areas=frozenset(options.get(CONF_AREAS, ())),
            labels=frozenset(options.get(CONF_LABELS, ())),
            globs=re.compile("|".join(map(fnmatch.translate, globs))) if globs else None,
        )

    @property
    def has_groups(self) -> bool:
        """Return whether anything but single entities is listed."""
        return bool(self.domains or self.areas or self.labels or self.globs)

    def matches(self, entity_id: str, area: str | None, labels: frozenset[str]) -> bool:
        """Return whether a glob, the area or a label matches."""
        return bool(
            (self.globs and self.globs.match(entity_id)) or (area in self.areas) or not self.labels.isdisjoint(labels)
        )


class EntityFilter:
    """Decides as ``homeassistant.helpers.entityfilter`` does, with areas and labels on the level of globs.

    An entity that is named decides first, then globs, areas and labels, then domains; on each level include comes
    before exclude. What nothing matches is left out when anything but single entities is included, otherwise
    forwarded when anything but single entities is excluded, otherwise left out when single entities are included.
    Empty lists forward everything.
    """

    def __init__(self, hass: HomeAssistant, options: Mapping[str, Any]) -> None:
        self._hass = hass
        self._include = _Rules.from_options(options.get(CONF_INCLUDE, {}))
        self._exclude = _Rules.from_options(options.get(CONF_EXCLUDE, {}))
        self._known: dict[str, bool] = {}

    @property
    def forwards_all(self) -> bool:
        """Return whether there is nothing to decide."""
        return not any(rules.has_groups or rules.entities for rules in (self._include, self._exclude))

    @callback
    def async_listen(self) -> CALLBACK_TYPE:
        """Follow the registries; returns how to stop."""
        return async_on_registry_change(
            self._hass, lambda entity_id: self._known.pop(entity_id, None), self._known.clear
        )

    @callback
    def async_forwards_change(self, event_data: EventStateChangedData) -> bool:
        """Return whether a state change is forwarded. The bus hands its filters an event's data, not the event."""
        return self.async_knows(event_data["entity_id"])

    @callback
    def async_knows(self, entity_id: str) -> bool:
        """Return whether an entity is forwarded, out of the memory that ``async_listen`` keeps true."""
        if (known := self._known.get(entity_id)) is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[entity_id] = self.forwards_all or self.async_forwards(entity_id)
        return known

    @callback
    def async_forwards(self, entity_id: str) -> bool:
        """Return whether an entity is forwarded, by the registries as they are now."""
        include, exclude = self._include, self._exclude
        if entity_id in include.entities or entity_id in exclude.entities:
            return entity_id in include.entities
        area, labels = _place(self._hass, entity_id)
        domain = split_entity_id(entity_id)[0]
        if include.matches(entity_id, area, labels):
            return True
        if exclude.matches(entity_id, area, labels):
            return False
        if domain in include.domains or domain in exclude.domains:
            return domain in include.domains
        return not include.has_groups and (exclude.has_groups or not include.entities)


@callback
def _place(hass: HomeAssistant, entity_id: str) -> tuple[str | None, frozenset[str]]:
    """Return the entity's area, and its labels with those of its device and its area."""
    if (entry := er.async_get(hass).async_get(entity_id)) is None:
        return None, frozenset()
    labels = set(entry.labels)
    if entry.device_id and (device := dr.async_get(hass).async_get(entry.device_id)):
        labels |= device.labels
    area_id = er.async_get_effective_area_id(hass, entry)
    if area_id and (area := ar.async_get(hass).async_get_area(area_id)):
        labels |= area.labels
    return area_id, frozenset(labels)
