"""``/tenant/v1/alert-rules``: what alerts are made of."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import UNSET, structs

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.errors import Conflict, NotFound, Outdated
from homeiq_server.store import alert_changes, alert_rules, alerts, rule_states
from homeiq_server.store.alert_rules import AlertRule, RuleFields
from homeiq_server.store.pool import Conn

from .alert_rule_shape import NewRule, Rule, RuleChange, RulePage, RuleQuery, check
from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .times import Moment, checked

MOST_RULES: Final = 500
"""Of one tenant."""

_BASE: Final = "/tenant/v1/alert-rules"
_TAG: Final = "Alert rules"
_JUDGED: Final = ("metric", "operator", "threshold")


async def get_rules(call: Call[RuleQuery, NoBody]) -> Reply:
    """Answer a page of rules."""
    key = read_cursor(call.query.cursor, tuple[Moment, UUID])
    after = key and (checked(key[0], field="cursor"), key[1])
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
    check(call.body.kind, call.tenant_id, given)
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
        check(before.kind, call.tenant_id, given, changes=True)
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


def _shown(rule: AlertRule) -> Rule:
    return Rule(**structs.asdict(rule))


def _answer(rule: AlertRule) -> Reply:
    return Reply(content=_shown(rule), version=rule.version)
