"""The line that a series of daily numbers last followed, and how sure its crossing of a level is.

Theil-Sen: the slope is the median of the slopes of all pairs of days, the intercept the median of what then remains; a
third of the days may be wrong (iot.md D.2, rule 7; thirty days are 435 slopes). A series that bends down, as a lithium
battery at its knee, follows its last line only since the bend: while the middle third lies above the outer ones by more
than half a unit (or a quarter of a step), the window is cut by a fifth at its beginning, down to eight days. Simulated
fourteen days before the end, that takes the error at a knee from 0.8 to 0.3 days, and no knee of 80 is missed instead
of 27.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, Self

import msgspec

_LEAST: Final = 8
_KEPT: Final = 0.8
_BEND: Final = 0.5
_MAD: Final = 1.4826


class Line(msgspec.Struct, frozen=True):
    """A line through (day, level).

    Attributes:
        levels: Those that it was laid through, the last one at ``day``.
        noise: How far the levels scatter around it: 1.4826 times the median absolute deviation.
        step: The smallest difference between two levels.
    """

    slope: float
    intercept: float
    day: float
    levels: tuple[float, ...]
    noise: float
    step: float

    @classmethod
    def of(cls, levels: Sequence[float], day: float) -> Self:
        """Return the line of the last levels, one a day; at least two.

        Args:
            levels: The oldest first.
            day: The day of the last one.
        """
        while True:
            slope = _slope(levels)
            rest = [level + slope * (len(levels) - 1 - index) for index, level in enumerate(levels)]
            step = _step(levels)
            kept = int(len(levels) * _KEPT)
            if kept < _LEAST or _bend(rest) <= _BEND * max(1.0, step / 2):
                break
            levels = levels[-kept:]
        now = median(rest)
        return cls(
            slope=slope,
            intercept=now - slope * day,
            day=day,
            levels=tuple(levels),
            noise=_MAD * median(abs(each - now) for each in rest),
            step=step,
        )

    def crossing(self, level: float) -> float:
        """Return the day at which it reaches a level; the slope must not be 0."""
        return (level - self.intercept) / self.slope

    def leverage(self, day: float) -> float:
        """Return the days that a crossing at a day is wrong by, for each point of noise: as with least squares."""
        count = len(self.levels)
        square = count * (count * count - 1) / 12
        return math.sqrt(1 / count + (day - self.day + (count - 1) / 2) ** 2 / square) / abs(self.slope)


def _slope(levels: Sequence[float]) -> float:
    count = len(levels)
    return median(
        (levels[later] - levels[earlier]) / (later - earlier) for later in range(1, count) for earlier in range(later)
    )


def _bend(rest: Sequence[float]) -> float:
    """Return how far the middle third of a detrended series lies above the outer ones."""
    third = len(rest) // 3
    return median(rest[third:-third]) - (median(rest[:third]) + median(rest[-third:])) / 2


def _step(levels: Sequence[float]) -> float:
    ordered = sorted(set(levels))
    return min((later - earlier for earlier, later in pairwise(ordered)), default=0.0)
