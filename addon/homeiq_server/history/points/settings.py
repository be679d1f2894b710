"""What a user may choose about the points, in the words of Home Assistant's ``influxdb`` integration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

type SchemaName = Literal["core", "events"]
type MeasurementAttr = Literal["unit_of_measurement", "domain__device_class", "entity_id"]
type ExtraTag = Literal["area", "device", "integration"]

SCHEMAS: Final[tuple[SchemaName, ...]] = ("core", "events")
MEASUREMENT_ATTRS: Final[tuple[MeasurementAttr, ...]] = (
    "unit_of_measurement",
    "domain__device_class",
    "entity_id",
)
EXTRA_TAGS: Final[tuple[ExtraTag, ...]] = ("area", "device", "integration")


@dataclass(frozen=True, slots=True)
class ComponentNaming:
    """What differs for one entity, domain or glob; None leaves what a less specific one says.

    Attributes:
        override_measurement: The measurement, whatever the attributes say; an empty text is no override.
        ignore_attributes: Attributes that are not stored, besides those ignored everywhere.
    """

    override_measurement: str | None = None
    ignore_attributes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """How points of the core schema are named.

    Attributes:
        measurement_attr: What names the measurement.
        default_measurement: The measurement of entities without such an attribute, else their entity id.
        override_measurement: One measurement for all.
        tags: Tags that every point gets.
        tags_attributes: Attributes that become tags instead of fields.
        ignore_attributes: Attributes that are not stored.
        component_config: Exceptions by entity id, the most specific.
        component_config_domain: Exceptions by domain, the least specific.
        component_config_glob: Exceptions by pattern of the entity id; later ones win.
    """

    measurement_attr: MeasurementAttr = "unit_of_measurement"
    default_measurement: str | None = None
    override_measurement: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_attributes: frozenset[str] = frozenset()
    ignore_attributes: frozenset[str] = frozenset()
    component_config: Mapping[str, ComponentNaming] = field(default_factory=dict)
    component_config_domain: Mapping[str, ComponentNaming] = field(default_factory=dict)
    component_config_glob: Mapping[str, ComponentNaming] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PointSettings:
    """What the points look like.

    Attributes:
        schema: ``core``: as Home Assistant's own integration writes them; ``events``: one measurement for all.
        naming: Of the core schema; the events schema only takes its ``tags``.
        extra_tags: Tags that the core schema adds from the registries.
        gap_markers: The core schema keeps ``unknown``, ``unavailable`` and removals in the entity's series;
            the events schema always does.
    """

    schema: SchemaName = "core"
    naming: Naming = field(default_factory=Naming)
    extra_tags: frozenset[ExtraTag] = frozenset()
    gap_markers: bool = False
