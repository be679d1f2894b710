"""How well a device is: 100 points less named deductions, each with its evidence and since when.

The points are those of iot.md D.2. Each kind counts once, by its worst case; hygiene costs at most 5 in sum.
Confidence is min(1, reports / 50, days / 7); below 0.3 nothing is said but ``learning``. A device that suffers from the
failure of another one is ``affected`` and loses nothing: the other one's finding says what is wrong.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from homeiq_server.insights.finding import BatteryEnd, Condition, Deduction, Health, HealthState, Kind
from homeiq_server.insights.words import number
from homeiq_server.registry import Device

_WHOLE: Final = 100
_GOOD: Final = 80
_FAIR: Final = 50
_REPORTS: Final = 50
_DAYS: Final = 7.0
_KNOWN: Final = 0.3

_POINTS: Final[Mapping[Kind, int]] = {
    Kind.OFFLINE: 60,
    Kind.HUB_DOWN: 60,
    Kind.SILENT: 40,
    Kind.FLAPPING: 25,
    Kind.STUCK: 25,
    Kind.DRIFT: 15,
    Kind.IMPOSSIBLE: 25,
    Kind.LINK: 10,
    Kind.COMMANDS: 20,
    Kind.ENERGY: 5,
}
_BATTERY: Final = ((14.0, 20), (30.0, 8))
"""Points by the days that are left, at most."""

_HYGIENE: Final[Mapping[Kind, int]] = {
    Kind.MISSING_AREA: 1,
    Kind.PLACEHOLDER_NAME: 1,
    Kind.DUPLICATE_NAME: 1,
    Kind.MISSING_INTEGRATION: 2,
    Kind.ORPHAN_ENTITY: 2,
    Kind.UPDATE_PENDING: 2,
}
_HYGIENE_MOST: Final = 5


def assess(  # noqa: PLR0913  # each is a fact of its own
    device: Device,
    conditions: Iterable[Condition],
    *,
    count: int,
    days: float,
    affected: bool = False,
    battery_end: BatteryEnd | None = None,
) -> Health:
    """Return how well a device is.

    Args:
        device: The device.
        conditions: Those that hold; those of other devices are passed over.
        count: How many reports of it were observed.
        days: For how many days.
        affected: Whether something else is down that it depends on.
        battery_end: As the battery's rule estimates it.
    """
    confidence = _confidence(count, days)
    if affected:
        return Health(
            state="affected",
            score=_WHOLE if confidence >= _KNOWN else None,
            confidence=confidence,
            battery_end=battery_end,
        )
    own = sorted((each for each in conditions if each.device_id in {None, device.id}), key=lambda each: each.since_us)
    deductions = _capped(_faults(own) + _hygiene(own))
    if confidence < _KNOWN:
        return Health(
            state="learning", score=None, confidence=confidence, deductions=deductions, battery_end=battery_end
        )
    score = _WHOLE - sum(each.points for each in deductions)
    return Health(
        state=_state(score), score=score, confidence=confidence, deductions=deductions, battery_end=battery_end
    )


def _confidence(count: int, days: float) -> float:
    return round(max(0.0, min(1.0, count / _REPORTS, days / _DAYS)), 2)


def _state(score: int) -> HealthState:
    if score >= _GOOD:
        return "good"
    return "fair" if score >= _FAIR else "poor"


def _faults(conditions: Iterable[Condition]) -> list[Deduction]:
    """Return the deductions for faults, one of each kind, the most costly first."""
    worst: dict[Kind, Deduction] = {}
    for each in conditions:
        points = _points(each)
        if points and (each.kind not in worst or points > worst[each.kind].points):
            worst[each.kind] = _deduction(each, points)
    return sorted(worst.values(), key=lambda each: -each.points)


def _points(condition: Condition) -> int:
    if condition.kind != Kind.BATTERY:
        return _POINTS.get(condition.kind, 0)
    days_left = number(condition.evidence, "days_left")
    return next((points for most, points in _BATTERY if days_left <= most), 0)


def _hygiene(conditions: Iterable[Condition]) -> list[Deduction]:
    left, deductions, seen = _HYGIENE_MOST, [], set[Kind]()
    for each in conditions:
        points = 0 if each.kind in seen else min(left, _HYGIENE.get(each.kind, 0))
        if points:
            seen.add(each.kind)
            left -= points
            deductions.append(_deduction(each, points))
    return deductions


def _capped(deductions: Iterable[Deduction]) -> tuple[Deduction, ...]:
    """Return them until nothing is left to lose, so that the score is always 100 less their sum."""
    left, capped = _WHOLE, []
    for each in deductions:
        points = min(left, each.points)
        if points:
            left -= points
            capped.append(Deduction(name=each.name, points=points, since_us=each.since_us, evidence=each.evidence))
    return tuple(capped)


def _deduction(condition: Condition, points: int) -> Deduction:
    return Deduction(name=condition.kind.value, points=points, since_us=condition.since_us, evidence=condition.evidence)
