"""Link: a device that its hub or router hears less and less well.

Formula (iot.md D.2, rule 8): exponentially weighted by time, the share of time below the floor of its unit (over a
day), and the fall of the mean of six hours below the baseline of fourteen days, in the baseline's standard deviations.
Weak means below the floor for more than half of the time; falling means three deviations, and at the same time a level
that is no longer comfortable, so that a swing high above every need is not told. Both are over at half. A weight of dt
/ (tau + dt) stands for 1 - exp(-dt / tau).

Floors: 2.4 GHz radios of the home lose packets from about -85 dBm on (the sensitivity of common chips is -95 to -100
dBm, less a margin of 10 dB); an LQI of 30 is taken for that level, and 30 % where per cent stand for -100 to -50 dBm.
"""

import math
from collections.abc import Mapping
from typing import Final, Self

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.slots import quick
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import DAY_S, HOUR_S, figure, microseconds, number
from homeiq_server.registry import Entity

_RECENT_S: Final = 6 * HOUR_S
_BASELINE_S: Final = 14 * DAY_S
_SHARE_S: Final = DAY_S
_LEARNED_S: Final = 3 * DAY_S
_BASELINE_LEARNED_S: Final = 7 * DAY_S
_LEARNED: Final = 50
_WEAK: Final = 0.5
_FALLEN: Final = 3.0


class _Scale(msgspec.Struct, frozen=True):
    """A unit's levels: the floor, what is comfortable, the least standard deviation, and the steps to tell it in."""

    floor: float
    comfortable: float
    least: float
    step: int


_SCALES: Final[Mapping[str, _Scale]] = {
    "lqi": _Scale(30, 80, 8, 5),
    "dBm": _Scale(-85, -75, 2, 2),
    "%": _Scale(30, 50, 4, 5),
}


def unit_of(entity: Entity) -> str | None:
    """Return the unit when the entity measures a link: ``dBm``, ``lqi`` or ``%``; else None."""
    if entity.domain != "sensor":
        return None
    unit = {"LQI": "lqi"}.get(entity.unit or "", entity.unit)
    words = f"{entity.translation_key or ''} {entity.unique_id or ''} {entity.entity_id}".casefold()
    if unit == "lqi" or (unit is None and ("linkquality" in words or words.rstrip().endswith("lqi"))):
        return "lqi"
    if unit in {"dBm", "dB"}:
        return "dBm" if entity.device_class == "signal_strength" and unit == "dBm" else None
    is_share = unit == "%" and entity.device_class is None and "signal" in words and "wifi" in words.replace("_", "")
    return "%" if is_share else None


@quick
class Link(msgspec.Struct, array_like=True, gc=False):
    """The link of one entity's device, by one measurement of it.

    Attributes:
        unit: Of the measurement, as ``unit_of`` gives it.
        weak: The share of time below the floor.
    """

    unit: str = "lqi"
    floor: float = 30.0
    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    recent: float = 0.0
    baseline: float = 0.0
    variance: float = 0.0
    weak: float = 0.0
    since_s: float = 0.0
    raised: bool = False

    @classmethod
    def of(cls, entity: Entity) -> Self | None:
        """Return the state for an entity, or None when it measures no link."""
        unit = unit_of(entity)
        return cls(unit=unit, floor=_SCALES[unit].floor) if unit else None

    def take(self, at_s: float, value: float) -> None:
        """Take a measurement."""
        if value - value != 0.0:
            return  # not a number, or infinite
        if not self.count:
            self.count = 1
            self.first_s = self.last_s = at_s
            self.recent = self.baseline = value
            return
        passed = at_s - self.last_s
        if passed <= 0.0:
            return
        self.last_s = at_s
        self.count += 1
        recent, baseline, weak = self.recent, self.baseline, self.weak
        self.recent = recent + passed / (_RECENT_S + passed) * (value - recent)
        self.weak = weak + passed / (_SHARE_S + passed) * ((1.0 if value < self.floor else 0.0) - weak)
        # The beginning of a baseline is a plain mean.
        watched = at_s - self.first_s
        weight = passed / ((watched if watched < _BASELINE_S else _BASELINE_S) + passed)  # noqa: FURB136  # hot
        away = value - baseline
        self.baseline = baseline + weight * away
        self.variance = (1.0 - weight) * (self.variance + weight * away * away)

    def check(self, now_s: float) -> Evidence | None:
        """Return the figures when the link is weak or has fallen."""
        watched_s = self.last_s - self.first_s
        if self.count < _LEARNED or watched_s < _LEARNED_S:
            return None
        scale = _SCALES[self.unit]
        fallen = (self.baseline - self.recent) / max(scale.least, math.sqrt(self.variance))
        ease = 0.5 if self.raised else 1.0
        falling = watched_s >= _BASELINE_LEARNED_S and fallen >= ease * _FALLEN and self.recent < scale.comfortable
        if not (falling or self.weak > ease * _WEAK):
            self.raised = False
            return None
        if not self.raised:
            self.raised, self.since_s = True, now_s
        return {
            "since_us": microseconds(self.since_s),
            "unit": self.unit,
            "recent": scale.step * round(self.recent / scale.step),
            "usual": scale.step * round(self.baseline / scale.step),
            "below_floor_percent": 10 * round(10 * self.weak),
            "floor": scale.floor,
            "fall_in_standard_deviations": round(max(0.0, fallen)),
        }


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    unit = "" if evidence.get("unit") == "lqi" else str(evidence.get("unit") or "")
    recent, usual = (figure(number(evidence, name), unit) for name in ("recent", "usual"))
    share = number(evidence, "below_floor_percent")
    if share >= 100 * _WEAK * 0.5:
        title = f"{subject.name} has a weak connection"
        seen = f"has had a weak connection for {figure(share)} % of the last day (now {recent})"
    else:
        title = f"The connection of {subject.name} has become weaker"
        seen = f"has a weaker connection than it used to: {recent} instead of {usual}"
    return subject.condition(
        Kind.LINK,
        2,
        title,
        f"{subject.name} {seen}. Move it or its router closer, or put a repeater"
        " or a mains-powered device between them.",
        evidence,
        now_us,
    )
