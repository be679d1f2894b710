"""Judges what devices of one tenant said by the thresholds that are in force, in one transaction.

All is read under the tenant's lock: two servers that were told different parts see each other's results, and a rule
that was changed or deleted meanwhile judges nothing any more.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from homeiq_server.store import alert_changes, alert_rules, alerts, device_states, rule_states
from homeiq_server.store.alert_rules import AlertRule
from homeiq_server.store.alerts import Opening
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Conn
from homeiq_server.store.rule_states import Pair

from . import words
from .pending import Heard, Key, states_of
from .threshold import Sample, State, Threshold, Transition, step, threshold_of

type Said = Mapping[tuple[str, str], Sequence[Sample]]
"""By device and metric, in the order of time."""


@dataclass(slots=True)
class _Verdict:
    """What one rule makes of one device, in the order it happened."""

    rule: AlertRule
    device_id: str
    was: tuple[int, float] | None
    state: State
    last: Sample | None = None
    turns: list[tuple[Transition, State, Sample]] = field(default_factory=list)

    @property
    def cause(self) -> str:
        return cause_of(self.rule.id, self.device_id)

    def hear(self, rule: Threshold, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self.state, turn = step(rule, self.state, sample)
            self.last = sample
            if turn is not None:
                self.turns.append((turn, self.state, sample))


def cause_of(rule_id: UUID, device_id: str) -> str:
    """Return what an alert is about that a rule has about a device."""
    return f"rule:{rule_id}:{device_id}"


async def judge(conn: Conn, tenant_id: str, heard: Mapping[Key, Heard], *, now: datetime) -> None:
    """Keep what devices of the tenant said, and judge it.

    Values older than the newest that is kept of the same metric are late: they are not judged.
    """
    await alert_changes.lock(conn, tenant_id)
    rules = await alert_rules.enabled(conn, tenant_id, "THRESHOLD")
    sites = {device_id: each.site_id for (_, device_id), each in heard.items() if each.samples}
    metrics = sorted({rule.metric for rule in rules if rule.metric})
    times = await device_states.metric_times(conn, tenant_id, list(sites), metrics)
    said = {
        (device_id, metric): _in_order(each.samples[metric], times.get((device_id, metric)))
        for (_, device_id), each in heard.items()
        for metric in metrics
        if metric in each.samples
    }
    await device_states.save(conn, list(states_of(heard)))
    await _judge(conn, tenant_id, rules, sites, said, now=now)


async def review(conn: Conn, tenant_id: str, *, now: datetime) -> None:
    """Judge what is kept of the tenant's devices, and clear what nothing asks for any more.

    After a start, and when rules have changed. What holds still is found to hold, what was not judged is judged now.
    """
    await tidy(conn, tenant_id, now=now)
    rules = await alert_rules.enabled(conn, tenant_id, "THRESHOLD")
    metrics = sorted({rule.metric for rule in rules if rule.metric})
    sites: dict[str, str] = {}
    said: dict[tuple[str, str], Sequence[Sample]] = {}
    for last in await device_states.last_values(conn, tenant_id, metrics) if metrics else ():
        if isinstance(last.value, (int, float)):
            sites[last.device_id] = last.site_id
            said[last.device_id, last.metric] = [Sample(last.time_us, float(last.value))]
    await _judge(conn, tenant_id, rules, sites, said, now=now, again=False)


async def tidy(conn: Conn, tenant_id: str, *, now: datetime) -> None:
    """Clear what nothing asks for any more: of rules that are not in force, and of devices that may not send."""
    await alert_changes.lock(conn, tenant_id)
    await alerts.clear_unfounded(conn, tenant_id, at=now)
    await rule_states.forget_inactive(conn, tenant_id)


async def _judge(  # noqa: PLR0913 - rules, what they are about, and when
    conn: Conn,
    tenant_id: str,
    rules: Sequence[AlertRule],
    sites: Mapping[str, str],
    said: Said,
    *,
    now: datetime,
    again: bool = True,
) -> None:
    """Judge samples; ``again``: count those that find what an alert tells of already."""
    known = await rule_states.load(conn, tenant_id, [rule.id for rule in rules], list(sites))
    is_open = await alerts.open_of_devices(conn, tenant_id, list(sites))
    verdicts: list[_Verdict] = []
    for rule in rules:
        threshold = threshold_of(rule)
        for device_id, site_id in sites.items():
            if (samples := said.get((device_id, rule.metric or ""))) and rule.applies_to(device_id, site_id):
                was = known.get((rule.id, device_id))
                state = State(was and was[0], is_open=cause_of(rule.id, device_id) in is_open)
                verdict = _Verdict(rule=rule, device_id=device_id, was=was, state=state)
                verdict.hear(threshold, samples)
                verdicts.append(verdict)
        await asyncio.sleep(0)  # many rules about many devices must not hold up what comes in
    await rule_states.save(conn, tenant_id, _changed(verdicts))
    await _tell(conn, tenant_id, verdicts, now=now, again=again)


def _changed(verdicts: Iterable[_Verdict]) -> dict[Pair, tuple[int, float] | None]:
    changed: dict[Pair, tuple[int, float] | None] = {}
    for each in verdicts:
        if each.last is None:
            continue
        since_us = each.state.since_us
        state = None if since_us is None else (since_us, each.last.value)
        if state != each.was:
            changed[each.rule.id, each.device_id] = state
    return changed


async def _tell(conn: Conn, tenant_id: str, verdicts: Iterable[_Verdict], *, now: datetime, again: bool) -> None:
    """Open and clear in the order it happened, the first of each cause first, then the second of each."""
    rounds: defaultdict[int, list[tuple[_Verdict, Transition, State, Sample, int]]] = defaultdict(list)
    for verdict in verdicts:
        for place, turn in enumerate(_joined(verdict, again=again)):
            rounds[place].append((verdict, *turn))
    if not rounds:
        return
    names = await device_states.active_devices(conn, tenant_id, {turn[0].device_id for turn in rounds[0]})
    for place in range(len(rounds)):
        over = [verdict.cause for verdict, turn, *_ in rounds[place] if turn is Transition.CLEAR]
        await alerts.clear_causes(conn, tenant_id, over, at=now, actor="device")
        openings = [
            _opening(verdict, state, sample, times, *names[verdict.device_id])
            for verdict, turn, state, sample, times in rounds[place]
            if turn is not Transition.CLEAR and verdict.device_id in names
        ]
        await alerts.open_alerts(conn, tenant_id, openings, at=now)


def _joined(verdict: _Verdict, *, again: bool) -> list[tuple[Transition, State, Sample, int]]:
    """Return what happened, with repetitions joined to one, and how often each was found."""
    joined: list[tuple[Transition, State, Sample, int]] = []
    for turn, state, sample in verdict.turns:
        if turn is Transition.AGAIN and joined and joined[-1][0] is not Transition.CLEAR:
            if again:
                joined[-1] = (*joined[-1][:3], joined[-1][3] + 1)
        elif turn is not Transition.AGAIN or again:
            joined.append((turn, state, sample, 1))
    return joined


def _opening(verdict: _Verdict, state: State, sample: Sample, times: int, name: str, site_id: str) -> Opening:  # noqa: PLR0913, PLR0917 - a rule, a device, and what it said
    rule = verdict.rule
    assert rule.metric is not None  # noqa: S101 - of a threshold
    assert rule.operator is not None  # noqa: S101 - the same
    assert rule.threshold is not None  # noqa: S101 - the same
    assert state.since_us is not None  # noqa: S101 - it is open
    return Opening(
        cause=verdict.cause,
        rule_id=rule.id,
        kind=rule.kind,
        device_id=verdict.device_id,
        site_id=site_id,
        severity=rule.severity,
        summary=words.beyond(name, rule.metric, sample.value, rule.operator, rule.threshold, rule.duration_s),
        details={
            "rule": rule.name,
            "metric": rule.metric,
            "value": sample.value,
            "at": moment(sample.time_us),
            "since": moment(state.since_us),
            "operator": rule.operator,
            "threshold": rule.threshold,
            "hysteresis": rule.hysteresis,
            "duration_s": rule.duration_s,
        },
        times=times,
    )


def _in_order(samples: Iterable[Sample], newest_us: int | None) -> list[Sample]:
    fresh = [each for each in samples if newest_us is None or each.time_us >= newest_us]
    return sorted(fresh, key=lambda each: each.time_us)
