"""A cumulative sum that notices small, lasting shifts of a number that comes once a day.

Page's two-sided CUSUM: z is the distance from a baseline in standard deviations, C = max(0, C + z - 0.75) upwards, the
same with -z downwards; above 8 it is raised (iot.md D.2, rule 5; measured there), below 4 it is over. The baseline is
an exponentially weighted mean and variance; it stands still while C >= 2, else it would follow the shift. One odd day
adds at most z = 3, and C ends at 10, so that it is over some eight days after the cause has gone.

Days are alike: a cold week shifts all of its days. The deviation is therefore widened by sqrt((1 + r) / (1 - r)) for a
correlation r with the day before.
"""

import math
from typing import Final

import msgspec

from homeiq_server.insights.words import DAY_S

LEARNED: Final = 14
"""So many days make a baseline; after seven there were about twice as many false alarms (simulated)."""

_SLACK: Final = 0.75
_RAISED: Final = 8.0
_CLEARED: Final = 4.0
_FROZEN: Final = 2.0
_TOP: Final = 10.0
_ODD: Final = 3.0
_WEIGHT: Final = 1 / 28
_PRIOR: Final = 4
_ALIKE: Final = 0.7


class Cusum(msgspec.Struct, array_like=True, gc=False):
    """The sum of one daily number.

    Attributes:
        shift: How far the number is from its baseline, over the last few days.
        up_since_s: On which day the sum upwards left zero; ``down_since_s`` likewise.
    """

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0
    before: float = 0.0
    alike: float = 0.0
    up: float = 0.0
    down: float = 0.0
    shift: float = 0.0
    up_since_s: float = 0.0
    down_since_s: float = 0.0
    last_s: float = 0.0
    raised: bool = False

    def take(self, at_s: float, value: float, least_deviation: float) -> None:
        """Take a day's number; deviations smaller than the least count as that."""
        if not math.isfinite(value):
            return
        if self.count < LEARNED:
            self._learn(value)
            return
        deviation = self._deviation(least_deviation)
        z = max(-_ODD, min(_ODD, (value - self.mean) / deviation))
        self._sum(at_s, z)
        self.shift += 0.5 * (value - self.mean - self.shift)
        if max(self.up, self.down) < _FROZEN:
            self._learn(value)
        self.before = value

    @property
    def since_s(self) -> float:
        """Return when the larger sum began to grow."""
        return self.up_since_s if self.up >= self.down else self.down_since_s

    @property
    def days(self) -> int:
        """Return for how many days it has been growing."""
        return 1 + round((self.last_s - self.since_s) / DAY_S)

    def _deviation(self, least: float) -> float:
        """Return the standard deviation, drawn towards the least one while it rests on few days."""
        weight = min(self.count, 1 / _WEIGHT)
        variance = (weight * self.variance + _PRIOR * least * least) / (weight + _PRIOR)
        alike = max(0.0, min(_ALIKE, self.alike / variance))
        return math.sqrt(max(least * least, variance) * (1 + alike) / (1 - alike))

    def _sum(self, at_s: float, z: float) -> None:
        if not self.up:
            self.up_since_s = at_s
        if not self.down:
            self.down_since_s = at_s
        self.last_s = at_s
        self.up = min(_TOP, max(0.0, self.up + z - _SLACK))
        self.down = min(_TOP, max(0.0, self.down - z - _SLACK))
        largest = max(self.up, self.down)
        self.raised = largest > (_CLEARED if self.raised else _RAISED)

    def _learn(self, value: float) -> None:
        weight = max(_WEIGHT, 1 / (self.count + 1))
        self.count += 1
        away = value - self.mean
        self.alike += weight * (away * (self.before - self.mean) - self.alike)
        self.mean += weight * away
        self.variance = (1 - weight) * (self.variance + weight * away * away)
        self.before = value
