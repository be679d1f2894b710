"""``/tenant/v1/alert-rules``: what alerts are made of."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.errors import Conflict, NotFound, Outdated, Rejected
from homeiq_server.insights.finding import Kind
from homeiq_server.store import alert_changes, alert_rules, alerts, rule_states
from homeiq_server.store.alert_rules import AlertRule, Operator, RuleFields, RuleKind
from homeiq_server.store.pool import Conn

from .caller import HOME, Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply

MOST_RULES: Final = 500
"""Of one tenant."""

type Severity = Annotated[int, Meta(ge=1, le=5)]
type Metric = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
type Limit = Annotated[float, Meta(ge=-1e300, le=1e300)]
type Hysteresis = Annotated[float, Meta(ge=0, le=1e300)]
type DurationS = Annotated[int, Meta(ge=0, le=604_800)]
type SilenceS = Annotated[int, Meta(ge=5, le=31_536_000)]
type Ids = Annotated[list[Words], Meta(min_length=1, max_length=500)]
type Kinds = Annotated[list[Kind], Meta(min_length=1, max_length=50)]
type Description = Annotated[str, Meta(max_length=2_000, pattern=r"^[^\x00]*$")]
type _Moment = Annotated[datetime, Meta(tz=True)]

_BASE: Final = "/tenant/v1/alert-rules"
_TAG: Final = "Alert rules"
_ABSENCES: Final = ("NO_HEARTBEAT", "NO_TELEMETRY")
_JUDGED: Final = ("metric", "operator", "threshold")

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


async def get_rules(call: Call[RuleQuery, NoBody]) -> Reply:
    """Answer a page of rules."""
    after = read_cursor(call.query.cursor, tuple[_Moment, UUID])
    async with call.conn() as conn:
        rules = await alert_rules.page(conn, call.tenant_id, after, limit=call.query.limit + 1)
    shown = rules[: call.query.limit]
    following = cursor_of((shown[-1].created_at, shown[-1].id)) if len(rules) > len(shown) else None
    return Reply(content=RulePage(alert_rules=[_shown(rule) for rule in shown], next_cursor=following))


async def get_rule(call: Call[NoQuery, NoBody]) -> Reply:
    """Answer one rule."""
    async with call.conn() as conn:
        return _answer(await _the_rule(conn, call))


async def post_rule(call: Call[NoQuery, NewRule]) -> Reply:
    """Make a rule."""
    given = {name: value for name, value in structs.asdict(call.body).items() if value is not None}
    _check(call.body.kind, call.tenant_id, given)
    async with call.conn() as conn:
        await alert_changes.lock(conn, call.tenant_id)
        if await alert_rules.count(conn, call.tenant_id) >= MOST_RULES:
            raise Conflict(f"there are {MOST_RULES} rules, and there may not be more: delete some")
        return _answer(await alert_rules.add(conn, call.tenant_id, RuleFields(**given)))


async def patch_rule(call: Call[NoQuery, RuleChange]) -> Reply:
    """Change a rule; one that judges something else or is not in force any more ends its alerts."""
    given = {name: value for name, value in structs.asdict(call.body).items() if value is not UNSET}
    async with call.conn() as conn:
        await alert_changes.lock(conn, call.tenant_id)
        before = await _the_rule(conn, call, locked=True)
        if call.if_match not in (None, before.version):
            raise Outdated(f"the rule has version {before.version} by now: fetch it, and decide anew")
        _check(before.kind, call.tenant_id, given, changes=True)
        fields = structs.asdict(before) | given
        kept = RuleFields(**{name: fields[name] for name in RuleFields.__struct_fields__})
        after = await alert_rules.change(conn, call.tenant_id, before.id, kept)
        if not after.enabled or any(getattr(before, name) != getattr(after, name) for name in _JUDGED):
            await rule_states.forget_rule(conn, call.tenant_id, after.id)
            await alerts.clear_rule(conn, call.tenant_id, after.id, at=datetime.now(UTC))
        return _answer(after)


async def delete_rule(call: Call[NoQuery, NoBody]) -> Reply:
    """Delete a rule, and clear its alerts."""
    async with call.conn() as conn:
        await alert_changes.lock(conn, call.tenant_id)
        rule = await _the_rule(conn, call, locked=True)
        if call.if_match not in (None, rule.version):
            raise Outdated(f"the rule has version {rule.version} by now: fetch it, and decide anew")
        await alerts.clear_rule(conn, call.tenant_id, rule.id, at=datetime.now(UTC))
        await alert_rules.delete(conn, call.tenant_id, rule.id)
        return Reply()


def operations() -> tuple[AnyOperation, ...]:
    """Return the routes of alert rules."""
    return (
        Operation(
            method="GET",
            path=_BASE,
            tag=_TAG,
            summary="List alert rules, oldest first",
            scope=Scope.ALERTS_READ,
            query=RuleQuery,
            body=NoBody,
            answer=RulePage,
            handle=get_rules,
        ),
        Operation(
            method="POST",
            path=_BASE,
            tag=_TAG,
            summary="Make an alert rule",
            scope=Scope.ALERTS_WRITE,
            query=NoQuery,
            body=NewRule,
            answer=Rule,
            status=201,
            handle=post_rule,
            problems=(409,),
        ),
        Operation(
            method="GET",
            path=f"{_BASE}/{{id}}",
            tag=_TAG,
            summary="Show an alert rule",
            scope=Scope.ALERTS_READ,
            query=NoQuery,
            body=NoBody,
            answer=Rule,
            handle=get_rule,
            problems=(404,),
        ),
        Operation(
            method="PATCH",
            path=f"{_BASE}/{{id}}",
            tag=_TAG,
            summary="Change an alert rule",
            scope=Scope.ALERTS_WRITE,
            query=NoQuery,
            body=RuleChange,
            answer=Rule,
            handle=patch_rule,
            problems=(404, 412),
            versioned=True,
        ),
        Operation(
            method="DELETE",
            path=f"{_BASE}/{{id}}",
            tag=_TAG,
            summary="Delete an alert rule and clear its alerts",
            scope=Scope.ALERTS_WRITE,
            query=NoQuery,
            body=NoBody,
            status=204,
            handle=delete_rule,
            problems=(404, 412),
            versioned=True,
        ),
    )


async def _the_rule[Query, Body](conn: Conn, call: Call[Query, Body], *, locked: bool = False) -> AlertRule:
    if (rule := await alert_rules.one(conn, call.tenant_id, call.uuid(), locked=locked)) is None:
        raise NotFound("there is no alert rule with this id")
    return rule


def _check(kind: RuleKind, tenant_id: str, given: dict[str, object], *, changes: bool = False) -> None:
    """Return when a rule of this kind can be made of what is given.

    Raises:
        Rejected: It cannot; names the first field that is wrong.
    """
    for fault in _faults(kind, tenant_id, given, changes=changes):
        raise Rejected(fault)


def _faults(kind: RuleKind, tenant_id: str, given: dict[str, object], *, changes: bool) -> Iterator[str]:
    if kind == "INSIGHT" and tenant_id != HOME.tenant_id:
        yield "kind: INSIGHT is about the devices of Home Assistant, which this tenant has not"
    if not changes:
        for name in _NEEDS[kind]:
            if name not in given:
                yield f"{name}: is missing; a rule of kind {kind} needs it"
    for name in _OF_SOME:
        if name in given and name not in (*_NEEDS[kind], *_TAKES[kind]):
            yield f"{name}: is not for a rule of kind {kind}; leave it out"


def _shown(rule: AlertRule) -> Rule:
    return Rule(**structs.asdict(rule))


def _answer(rule: AlertRule) -> Reply:
    return Reply(content=_shown(rule), version=rule.version)
