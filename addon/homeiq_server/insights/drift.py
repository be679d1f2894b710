"""Drift: a sensor that moves away from the others near it, day by day.

Formula (iot.md D.2, rule 5): the residual of a day is its mean less the median of its peers' means (the same device
class in the same area, else on the same floor; at least two). A CUSUM of the residual (see cusum.py) notices a lasting
shift; it has to see fourteen days first, and tells nothing below six times the usual deviation of the class (1.2 °C).
Where one of few sensors drifts, the median of the others' peers moves along, by up to half as much and the other way: a
shift that a peer explains is not told.
"""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

from homeiq_server.insights.cusum import Cusum
from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import DAY_S, figure, microseconds, number, span

_PEERS: Final = 2
_EXPLAINED: Final = 0.8
"""A peer that has shifted the other way by at least this much of it may be the one that drifts."""

_MATERIAL: Final = 6

_LEAST: Final[Mapping[str | None, float]] = {
    "°C": 0.2,
    "K": 0.2,
    "°F": 0.36,
    "%": 1.0,
    "hPa": 0.3,
    "mbar": 0.3,
    "Pa": 30.0,
    "kPa": 0.03,
    "inHg": 0.009,
    "mmHg": 0.23,
    "ppm": 30.0,
}
"""By unit: how much a residual differs from day to day at the least."""

_CLASSES: Final = frozenset(("temperature", "humidity", "atmospheric_pressure", "carbon_dioxide"))


def least_of(device_class: str | None, unit: str | None) -> float | None:
    """Return the least deviation to count with, or None for what cannot be compared with its peers."""
    return _LEAST.get(unit) if device_class in _CLASSES else None


def residuals(day_means: Mapping[str, float], peers: Callable[[str], Sequence[str]]) -> dict[str, float]:
    """Return each entity's day less the median of its peers', where at least two of them have one.

    Args:
        day_means: By entity, in one unit for all that are peers.
        peers: The others that measure the same near it.
    """
    found = {}
    for entity, mean in day_means.items():
        others = [day_means[peer] for peer in peers(entity) if peer in day_means and peer != entity]
        if len(others) >= _PEERS:
            found[entity] = mean - median(others)
    return found


class Drift(msgspec.Struct, array_like=True, gc=False):
    """The residuals of one entity; ``least`` is what ``least_of`` gives."""

    least: float = 0.2
    sum: Cusum = msgspec.field(default_factory=Cusum)

    def day(self, residual: float, at_s: float = 0.0) -> None:
        """Take the residual of a day that ends at this time."""
        self.sum.take(at_s, residual, self.least)

    def check(self) -> Evidence | None:
        """Return the figures when it drifts."""
        if not self.sum.raised or abs(self.sum.shift) < _MATERIAL * self.least:
            return None
        return {
            "since_us": microseconds(self.sum.since_s),
            "days": self.sum.days,
            "shift": round(self.sum.shift, 2),
            "usual_difference_from_others": round(self.sum.mean, 2),
        }


def apart(drifts: Mapping[str, Drift], peers: Callable[[str], Sequence[str]]) -> dict[str, Evidence]:
    """Return the figures of those that drift and are not explained by a peer of theirs."""
    found = {}
    for entity, drift in drifts.items():
        evidence = drift.check()
        if evidence is not None and not any(
            drifts[peer].sum.shift * drift.sum.shift < 0
            and abs(drifts[peer].sum.shift) > _EXPLAINED * abs(drift.sum.shift)
            for peer in peers(entity)
            if peer in drifts
        ):
            found[entity] = evidence
    return found


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    shift = number(evidence, "shift")
    direction = "higher" if shift > 0 else "lower"
    return subject.condition(
        Kind.DRIFT,
        2,
        f"{subject.name} drifts",
        f"{subject.name} has moved away from the other sensors near it within {span(number(evidence, 'days') * DAY_S)}:"
        f" it shows {figure(abs(shift), subject.unit)} {direction} than it used to beside them."
        " Calibrate it or replace it, or see whether its place has changed.",
        evidence,
        now_us,
    )
