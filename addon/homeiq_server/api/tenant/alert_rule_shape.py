"""Alert rules as they are sent and answered, and what each kind of them takes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.errors import Rejected
from homeiq_server.insights.finding import Kind
from homeiq_server.store.alert_rules import Operator, RuleFields, RuleKind

from .caller import HOME

type Severity = Annotated[int, Meta(ge=1, le=5)]
type Metric = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
type Limit = Annotated[float, Meta(ge=-1e300, le=1e300)]
type Hysteresis = Annotated[float, Meta(ge=0, le=1e300)]
type DurationS = Annotated[int, Meta(ge=0, le=604_800)]
type SilenceS = Annotated[int, Meta(ge=5, le=31_536_000)]
type Ids = Annotated[list[Words], Meta(min_length=1, max_length=500)]
type Kinds = Annotated[list[Kind], Meta(min_length=1, max_length=50)]
type Description = Annotated[str, Meta(max_length=2_000, pattern=r"^[^\x00]*$")]


# What a kind of rule needs, and what it must not have beside what all may have.
_NEEDS: Final[dict[RuleKind, tuple[str, ...]]] = {
    "THRESHOLD": ("metric", "operator", "threshold"),
    "NO_HEARTBEAT": ("silence_s",),
    "NO_TELEMETRY": ("silence_s",),
    "INSIGHT": (),
}
_TAKES: Final[dict[RuleKind, tuple[str, ...]]] = {
    "THRESHOLD": ("hysteresis", "duration_s", "site_ids"),
    "NO_HEARTBEAT": ("site_ids",),
    "NO_TELEMETRY": ("site_ids",),
    "INSIGHT": ("finding_kinds",),
}
_OF_SOME: Final = {name: None for kind in _NEEDS for name in (*_NEEDS[kind], *_TAKES[kind])}


class NewRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that is to be made.

    Attributes:
        severity: 5 critical, 4 high, 3 medium, 2 low, 1 info. Of INSIGHT the least: a finding's may be higher.
        metric: Of THRESHOLD, as the next two; switches count as 1 and 0.
        hysteresis: Of THRESHOLD: how far a value must be back within the threshold for the alert to clear.
        duration_s: Of THRESHOLD: how long values must be beyond, in the device's own time.
        silence_s: Of NO_HEARTBEAT (nothing came at all) and NO_TELEMETRY (no values came).
        finding_kinds: Of INSIGHT, which only the home's own tenant has; null: any.
        site_ids: Not of INSIGHT; null: any.
        device_ids: Null: any.
    """

    name: Words
    kind: RuleKind
    severity: Severity = 3
    enabled: bool = True
    metric: Metric | None = None
    operator: Operator | None = None
    threshold: Limit | None = None
    hysteresis: Hysteresis | None = None
    duration_s: DurationS | None = None
    silence_s: SilenceS | None = None
    finding_kinds: Kinds | None = None
    site_ids: Ids | None = None
    device_ids: Ids | None = None
    description: Description | None = None


class RuleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a rule; what is left out stays. Its kind never changes."""

    name: Words | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    metric: Metric | UnsetType = UNSET
    operator: Operator | UnsetType = UNSET
    threshold: Limit | UnsetType = UNSET
    hysteresis: Hysteresis | UnsetType = UNSET
    duration_s: DurationS | UnsetType = UNSET
    silence_s: SilenceS | UnsetType = UNSET
    finding_kinds: Kinds | UnsetType | None = UNSET
    site_ids: Ids | UnsetType | None = UNSET
    device_ids: Ids | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET


class Rule(RuleFields, frozen=True, kw_only=True):
    """A rule as it is kept."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime


class RulePage(Struct, frozen=True, kw_only=True):
    """Some rules, oldest first."""

    alert_rules: Sequence[Rule]
    next_cursor: str | None


class RuleQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page."""

    limit: PageSize = 50
    cursor: CursorText | None = None


def check(kind: RuleKind, tenant_id: str, given: Mapping[str, object], *, changes: bool = False) -> None:
    """Return when a rule of this kind can be made of what is given.

    Raises:
        Rejected: It cannot; names the first field that is wrong.
    """
    for fault in _faults(kind, tenant_id, given, changes=changes):
        raise Rejected(fault)


def _faults(kind: RuleKind, tenant_id: str, given: Mapping[str, object], *, changes: bool) -> Iterator[str]:
    if kind == "INSIGHT" and tenant_id != HOME.tenant_id:
        yield "kind: INSIGHT is about the devices of Home Assistant, which this tenant has not"
    if not changes:
        for name in _NEEDS[kind]:
            if name not in given:
                yield f"{name}: is missing; a rule of kind {kind} needs it"
    for name in _OF_SOME:
        if name in given and name not in (*_NEEDS[kind], *_TAKES[kind]):
            yield f"{name}: is not for a rule of kind {kind}; leave it out"
