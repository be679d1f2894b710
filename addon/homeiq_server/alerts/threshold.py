"""When a value is too much, for how long, and when that is over. Pure; time is the device's own."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from homeiq_server.store.alert_rules import AlertRule, Operator

_BEYOND: Final[dict[Operator, Callable[[float, float], bool]]] = {
    "GT": operator.gt,
    "GTE": operator.ge,
    "LT": operator.lt,
    "LTE": operator.le,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What is judged.

    Attributes:
        operator: How a value beyond the limit compares with it.
        limit: In the metric's own unit, as the next one.
        hysteresis: How far a value must be back within the limit to end it.
        duration_us: How long values must be beyond, from the first one to the one that tells.
    """

    operator: Operator
    limit: float
    hysteresis: float = 0.0
    duration_us: int = 0

    def is_beyond(self, value: float) -> bool:
        """Tell whether a value is beyond the limit."""
        return _BEYOND[self.operator](value, self.limit)

    def is_back(self, value: float) -> bool:
        """Tell whether a value is so far within the limit that what began is over."""
        inwards = -self.hysteresis if self.operator in ("GT", "GTE") else self.hysteresis
        return not _BEYOND[self.operator](value, self.limit + inwards) and not self.is_beyond(value)


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a device.

    Attributes:
        since_us: Since when it is beyond, or was before it came back into the hysteresis; None while it is not.
        is_open: Whether an alert tells of it.
    """

    since_us: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A value at a time, in microseconds."""

    time_us: int
    value: float


class Transition(Enum):
    """What a value means for the alert."""

    OPEN = auto()
    AGAIN = auto()
    CLEAR = auto()


def step(rule: Threshold, state: State, sample: Sample) -> tuple[State, Transition | None]:
    """Return the state after a value, and what it means; values come in the order of their times.

    While no alert is open, a value that is not beyond begins anew. While one is, a value between the limit and the end
    of the hysteresis changes nothing.
    """
    if rule.is_beyond(sample.value):
        since_us = sample.time_us if state.since_us is None else state.since_us
        if state.is_open:
            return State(since_us, is_open=True), Transition.AGAIN
        if sample.time_us - since_us >= rule.duration_us:
            return State(since_us, is_open=True), Transition.OPEN
        return State(since_us), None
    if not state.is_open:
        return State(), None
    if rule.is_back(sample.value):
        return State(), Transition.CLEAR
    return state, None


def threshold_of(rule: AlertRule) -> Threshold:
    """Return what a rule of the kind THRESHOLD judges."""
    assert rule.operator is not None  # noqa: S101 - the table has no such rule without
    assert rule.threshold is not None  # noqa: S101 - the same
    return Threshold(
        operator=rule.operator,
        limit=rule.threshold,
        hysteresis=rule.hysteresis,
        duration_us=rule.duration_s * 1_000_000,
    )
