"""Hourly rollups: the numbers of each entity by UTC hour, as what came since they were last taken."""

from collections.abc import Iterable
from typing import Final

from homeiq_server.insights.finding import Hour

HOUR_US: Final = 3_600_000_000
KEPT: Final = 200_000
"""So many that the store did not take are kept, some 50 MB; then the oldest hours go first."""


class Sum:
    """The numbers of one entity within one hour."""

    __slots__ = ("count", "end_us", "id", "last", "last_us", "max", "min", "start_us", "sum")

    def __init__(self, id: str, time_us: int) -> None:  # noqa: A002 - the registry's word
        self.id = id
        self.start_us = time_us - time_us % HOUR_US
        self.end_us = self.start_us + HOUR_US
        self.count = 0
        self.min = float("inf")
        self.max = float("-inf")
        self.sum = 0.0
        self.last = 0.0
        self.last_us = 0

    def add(self, value: float, time_us: int) -> None:
        """Count a finite number of this hour."""
        self.count += 1
        self.sum += value
        if value < self.min:  # noqa: PLR1730  # hot: min() is slower
            self.min = value
        if value > self.max:  # noqa: PLR1730  # the same
            self.max = value
        if time_us >= self.last_us:
            self.last_us = time_us
            self.last = value

    def merge(self, hour: Hour) -> None:
        """Count what was counted elsewhere of the same hour."""
        self.count += hour.count
        self.sum += hour.sum
        self.min = min(self.min, hour.min)
        self.max = max(self.max, hour.max)
        if hour.last_us > self.last_us:
            self.last, self.last_us = hour.last, hour.last_us

    def hour(self) -> Hour:
        """Return it as it is now."""
        return Hour(
            id=self.id,
            hour_us=self.start_us,
            count=self.count,
            min=self.min,
            max=self.max,
            sum=self.sum,
            last=self.last,
            last_us=self.last_us,
        )


class Hours:
    """All that was counted since it was last taken.

    Attributes:
        dropped: Hours that were given back too often and were dropped.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._sums: dict[tuple[str, int], Sum] = {}
        self._kept = kept
        self.dropped = 0

    def of(self, id: str, time_us: int) -> Sum:  # noqa: A002 - the registry's word
        """Return the sum to count into, which is valid until the hours are taken."""
        key = (id, time_us - time_us % HOUR_US)
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = Sum(id, time_us)
        return found

    def take(self) -> list[Hour]:
        """Return and forget what was counted; the sums are closed by an end in the past."""
        hours = []
        for each in self._sums.values():
            hours.append(each.hour())
            each.end_us = 0
        self._sums.clear()
        return hours

    def give_back(self, hours: Iterable[Hour]) -> None:
        """Count again what was taken."""
        for hour in hours:
            self.of(hour.id, hour.hour_us).merge(hour)
        surplus = len(self._sums) - self._kept
        if surplus > 0:
            for key in sorted(self._sums, key=lambda each: each[1])[:surplus]:
                del self._sums[key]
            self.dropped += surplus
