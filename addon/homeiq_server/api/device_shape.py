"""A device as it is answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from asyncpg import Record
from msgspec import Struct, convert
from msgspec.structs import replace

from homeiq_server.insights.finding import Facts, HealthState, Kind
from homeiq_server.store.moments import moment

from .finding_shape import Finding


class ShownFacts(Struct, frozen=True, kw_only=True):
    """What was measured last; null what never was."""

    available: bool | None
    battery_level: float | None
    battery_low: bool | None
    link_quality: float | None
    link_unit: str | None
    last_seen_at: datetime | None
    last_reported_at: datetime | None


class ShownDeduction(Struct, frozen=True, kw_only=True):
    """Points that were taken off, what for, since when, and the figures behind it."""

    name: str
    points: int
    since: datetime
    evidence: Mapping[str, object]


class ShownBatteryEnd(Struct, frozen=True, kw_only=True):
    """When the battery will be empty; half of all cases end between ``earliest`` and ``latest``."""

    level: float
    expected: datetime
    earliest: datetime
    latest: datetime


class ShownHealth(Struct, frozen=True, kw_only=True):
    """How well a device is; ``score`` is null while it is being learnt."""

    state: HealthState
    score: int | None
    confidence: float
    deductions: Sequence[ShownDeduction]
    battery_end: ShownBatteryEnd | None
    assessed_at: datetime


class _Common(Struct, frozen=True, kw_only=True):
    id: str
    source: str
    name: str
    area_id: str | None
    area: str | None
    floor: str | None
    integration: str | None
    manufacturer: str | None
    model: str | None
    model_id: str | None
    sw_version: str | None
    hw_version: str | None
    via_device_id: str | None
    parent_id: str | None
    entry_type: str | None
    disabled_by: str | None
    labels: Sequence[str]
    created_at: datetime
    updated_at: datetime
    removed_at: datetime | None
    facts: ShownFacts
    health: ShownHealth | None


class Device(_Common, frozen=True, kw_only=True):
    """A device in a list; ``health`` is null before the first assessment, ``findings`` are open and not muted."""

    findings: Sequence[Kind]


class DevicePage(Struct, frozen=True, kw_only=True):
    """Some devices, by name."""

    devices: Sequence[Device]
    next_cursor: str | None


class ShownEntity(Struct, frozen=True, kw_only=True):
    """An entity of a device."""

    id: str
    entity_id: str
    name: str | None
    device_id: str
    area_id: str | None
    integration: str | None
    config_entry_id: str | None
    unique_id: str | None
    device_class: str | None
    state_class: str | None
    unit: str | None
    entity_category: str | None
    translation_key: str | None
    disabled_by: str | None
    hidden_by: str | None
    registered: bool
    supported_features: int
    capabilities: Mapping[str, object]
    labels: Sequence[str]
    removed_at: datetime | None


class NamedDevice(Struct, frozen=True, kw_only=True):
    """A device that another one has to do with."""

    id: str
    name: str


class Relationships(Struct, frozen=True, kw_only=True):
    """The hub that it talks through, what it is a part of, its parts, and what talks through it."""

    hub: NamedDevice | None
    parent: NamedDevice | None
    children: Sequence[NamedDevice]
    connected: Sequence[NamedDevice]


class PastHealth(Struct, frozen=True, kw_only=True):
    """How well a device was from a moment on."""

    at: datetime
    state: HealthState
    score: int | None
    deductions: Sequence[ShownDeduction]


class Zigbee(Struct, frozen=True, kw_only=True):
    """What Zigbee2MQTT tells of a device; None what it does not.

    Attributes:
        ieee: Its address.
        type: ``Router``, ``EndDevice`` or ``Unknown``.
        interview_state: ``PENDING``, ``IN_PROGRESS``, ``SUCCESSFUL`` or ``FAILED``.
        link_quality: LQI, 0 to 255.
    """

    ieee: str
    friendly_name: str
    type: str
    vendor: str | None
    model: str | None
    description: str | None
    power_source: str | None
    interview_state: str | None
    sw_version: str | None
    disabled: bool
    available: bool | None
    link_quality: int | None
    battery_level: float | None
    last_seen_at: datetime | None


class DeviceDetail(_Common, frozen=True, kw_only=True):
    """A device with all that is known of it."""

    serial_number: str | None
    configuration_url: str | None
    identifiers: Sequence[Sequence[str]]
    connections: Sequence[Sequence[str]]
    entities: Sequence[ShownEntity]
    relationships: Relationships
    health_history: Sequence[PastHealth]
    findings: Sequence[Finding]
    zigbee: Zigbee | None = None


def device_of(row: Record, fresh: Facts | None) -> Device:
    """Return a device in a list, with what was measured since its facts were stored."""
    return convert(_common(row, fresh) | {"findings": row["kinds"]}, Device)


def detail_of(  # noqa: PLR0913 - each part is read by itself
    row: Record,
    fresh: Facts | None,
    *,
    entities: Sequence[Record],
    related: Sequence[Record],
    past: Sequence[Record],
    findings: Sequence[Finding],
    zigbee: Record | None = None,
) -> DeviceDetail:
    """Return a device by itself."""
    parts: dict[str, object] = {
        "entities": [dict(each) for each in entities],
        "relationships": _relationships(row, related),
        "health_history": [dict(each) for each in past],
        "findings": findings,
        "zigbee": None if zigbee is None else dict(zigbee),
    }
    return convert(_common(row, fresh) | parts, DeviceDetail)


def _common(row: Record, fresh: Facts | None) -> dict[str, object]:
    columns = dict(row)
    return columns | {"facts": _facts(columns, fresh), "health": columns if columns["state"] else None}


def _facts(columns: Mapping[str, object], fresh: Facts | None) -> ShownFacts:
    """Return what the table knows, but for what was measured since."""
    stored = convert(columns, ShownFacts)
    if fresh is None:
        return stored
    measured = {
        "available": fresh.available,
        "battery_level": fresh.battery_level,
        "battery_low": fresh.battery_low,
        "link_quality": fresh.link_quality,
        "link_unit": fresh.link_unit,
        "last_seen_at": None if fresh.last_seen_us is None else moment(fresh.last_seen_us),
        "last_reported_at": None if fresh.last_reported_us is None else moment(fresh.last_reported_us),
    }
    return replace(stored, **{name: value for name, value in measured.items() if value is not None})


def _relationships(row: Record, related: Sequence[Record]) -> Relationships:
    named = {each["id"]: NamedDevice(id=each["id"], name=each["name"]) for each in related}
    return Relationships(
        hub=named.get(row["via_device_id"]),
        parent=named.get(row["parent_id"]),
        children=[named[each["id"]] for each in related if each["parent_id"] == row["id"]],
        connected=[named[each["id"]] for each in related if each["via_device_id"] == row["id"]],
    )
