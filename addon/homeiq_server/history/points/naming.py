"""Which measurement and which attributes: the naming options of Home Assistant's ``influxdb`` integration."""

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from homeiq_server.history.line_protocol import single_line

from .layout import split_entity_id
from .settings import ComponentNaming, Naming

_ENTITIES: Final = 4096


@dataclass(frozen=True, slots=True)
class EntityNaming:
    """The options as they are for one entity."""

    entity_id: str
    domain: str
    object_id: str
    override_measurement: str | None
    ignored: frozenset[str]


class NamingRules:
    """The options, ready to be asked.

    Attributes:
        of: The options of an entity; a more specific exception replaces what a less specific one sets.
            Raises ``Rejected`` if it is not an entity id.
    """

    def __init__(self, naming: Naming) -> None:
        # A glob is a regular expression: each entity is matched once, the least recently used is forgotten.
        self.of: Callable[[str], EntityNaming] = lru_cache(maxsize=_ENTITIES)(self._of)
        self._naming = naming
        self._globs = [
            (re.compile(fnmatch.translate(glob)), exception) for glob, exception in naming.component_config_glob.items()
        ]

    def _of(self, entity_id: str) -> EntityNaming:
        domain, object_id = split_entity_id(entity_id)
        override: str | None = None
        ignored: frozenset[str] = frozenset()
        for exception in self._exceptions(entity_id, domain):
            if exception.override_measurement is not None:
                override = exception.override_measurement
            if exception.ignore_attributes is not None:
                ignored = exception.ignore_attributes
        return EntityNaming(
            entity_id,
            domain,
            object_id,
            override or self._naming.override_measurement,
            ignored | self._naming.ignore_attributes,
        )

    def _exceptions(self, entity_id: str, domain: str) -> list[ComponentNaming]:
        """Return what applies to an entity, the most specific last."""
        exceptions = [exception for glob, exception in self._globs if glob.match(entity_id)]
        if by_domain := self._naming.component_config_domain.get(domain):
            exceptions.insert(0, by_domain)
        if by_entity := self._naming.component_config.get(entity_id):
            exceptions.append(by_entity)
        return exceptions

    def measurement(self, entity: EntityNaming, attributes: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the measurement, and the attribute that it already tells and that is therefore no field."""
        name, told = self._measurement(entity, attributes)
        # A name of nothing but line breaks would be no name.
        return single_line(name) or entity.entity_id, told

    def _measurement(self, entity: EntityNaming, attributes: Mapping[str, Any]) -> tuple[str, str | None]:
        if entity.override_measurement:
            return entity.override_measurement, None
        match self._naming.measurement_attr:
            case "entity_id":
                return entity.entity_id, None
            case "domain__device_class":
                if (device_class := attributes.get("device_class")) is None:
                    return entity.domain, None
                return f"{entity.domain}__{device_class}", "device_class"
            case "unit_of_measurement":
                unit = attributes.get("unit_of_measurement")
                if unit is None or unit == "":
                    return self._naming.default_measurement or entity.entity_id, None
                return str(unit), "unit_of_measurement"
