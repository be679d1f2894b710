"""What the rules say: a condition holds, a device is so well, a number was so much. Frozen values.

Times are microseconds since the Unix epoch (``_us``), as everywhere.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

import msgspec

type SubjectType = Literal["device", "entity", "config_entry", "integration", "house"]
type HealthState = Literal["learning", "good", "fair", "poor", "affected"]
type Evidence = Mapping[str, object]


class Kind(StrEnum):
    """What can be wrong."""

    OFFLINE = "offline"
    SILENT = "silent"
    FLAPPING = "flapping"
    STUCK = "stuck"
    DRIFT = "drift"
    IMPOSSIBLE = "impossible"
    BATTERY = "battery"
    LINK = "link"
    COMMANDS = "commands"
    ENERGY = "energy"
    HOUSE_QUIET = "house_quiet"
    INTEGRATION_DOWN = "integration_down"
    HUB_DOWN = "hub_down"
    MISSING_AREA = "missing_area"
    PLACEHOLDER_NAME = "placeholder_name"
    DUPLICATE_NAME = "duplicate_name"
    MISSING_INTEGRATION = "missing_integration"
    ORPHAN_ENTITY = "orphan_entity"
    UPDATE_PENDING = "update_pending"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds at the time of an evaluation. The store makes findings of conditions that come and go.

    Attributes:
        subject: With its type and ``kind`` it names the condition: one subject has a kind once.
        severity: 5 critical, 4 high, 3 medium, 2 low, 1 for information.
        title: A few words for a list, with the name of the subject.
        explanation: One or two sentences: what is normal, what is seen, what to do.
        evidence: The figures that the explanation rests on, with units in their names.
        since_us: Since when it holds, as far as is known.
        affected: Devices that suffer from it without a fault of their own.
    """

    kind: Kind
    subject_type: SubjectType
    subject: str
    severity: int
    title: str
    explanation: str
    evidence: Evidence
    since_us: int
    device_id: str | None = None
    entity_id: str | None = None
    affected: tuple[str, ...] = ()


class Deduction(msgspec.Struct, frozen=True, kw_only=True):
    """Points that a device loses.

    Attributes:
        name: What for, mostly a kind.
        points: How many, from 1.
    """

    name: str
    points: int
    since_us: int
    evidence: Evidence


class BatteryEnd(msgspec.Struct, frozen=True, kw_only=True):
    """When a battery will be empty, as a range.

    Attributes:
        level: Now, in percent.
        expected_us: The likeliest day.
        earliest_us: Half of all cases end between this and ``latest_us``.
    """

    level: float
    expected_us: int
    earliest_us: int
    latest_us: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How well a device is.

    Attributes:
        state: ``good`` from 80 points, ``fair`` from 50, ``poor`` below; ``learning`` without enough observations;
            ``affected`` when something else is down that it depends on.
        score: 100 less the deductions; None while learning.
        confidence: How much was observed, from 0 to 1.
        battery_end: None when nothing can be said.
    """

    state: HealthState
    score: int | None
    confidence: float
    deductions: tuple[Deduction, ...] = ()
    battery_end: BatteryEnd | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a device last; None what was never measured.

    Attributes:
        battery_level: Percent.
        link_quality: In ``link_unit``: ``lqi`` (0 to 255), ``dBm`` or ``%``.
        last_seen_us: When any of its entities last changed or reported.
        last_reported_us: When any of its entities last reported, changed or not.
    """

    available: bool | None = None
    battery_level: float | None = None
    battery_low: bool | None = None
    link_quality: float | None = None
    link_unit: str | None = None
    last_seen_us: int | None = None
    last_reported_us: int | None = None


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of an entity within an hour, since they were last asked for.

    Attributes:
        id: The entity's registry id.
        hour_us: When the hour began.
        last_us: When ``last`` was measured.
    """

    id: str
    hour_us: int
    count: int
    min: float
    max: float
    sum: float
    last: float
    last_us: int


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All that holds at one instant.

    Attributes:
        settled: False shortly after a start or a gap in the data, when the absence of a condition means nothing yet:
            then nothing may be resolved.
        health: Of each device, by id.
    """

    at_us: int
    settled: bool
    conditions: tuple[Condition, ...]
    health: Mapping[str, Health]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a Home Assistant tells every five minutes.

    Attributes:
        stream: The run of its forwarder; another one means that Home Assistant or the integration was restarted.
        at_us: Now, by its clock.
        reported: By entity id: when it last reported, where that is later than what was told before.
        commands: Entity id, when it was asked to change, when it did (None: not within a minute).
    """

    stream: str
    at_us: int
    reported: Mapping[str, int] = {}
    commands: tuple[tuple[str, int, int | None], ...] = ()
