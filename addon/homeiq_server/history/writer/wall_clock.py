"""Our clock, which after a start may say 1970 until somebody has set it."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.spool import Row

_MICROSECOND: Final = timedelta(microseconds=1)


class WallClock:
    """Doubts our clock when rows were accepted in its future, further ahead than the database keeps points.

    By such a clock they would be dropped as too far in the future; so they wait. Not for ever, because it may as well
    have been wrong when they were accepted, and be right now.
    """

    def __init__(self, *, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s = patience_s
        self._clock = clock
        self._doubted_since: float | None = None

    def now_us(self) -> int:
        """Return what it says."""
        return time.time_ns() // 1_000

    def doubt(self, rows: Iterable[Row], future: timedelta | None) -> Refusal | None:
        """Return why rows have to wait, or None when the clock is believed."""
        ahead_us = max(row.accepted_us for row in rows) - self.now_us()
        if future is None or ahead_us <= future // _MICROSECOND:
            self._doubted_since = None
            return None
        if self._doubted_since is None:
            self._doubted_since = self._clock()
        if self._clock() - self._doubted_since >= self._patience_s:
            return None
        days = ahead_us / 86_400_000_000
        return Refusal(
            action=Action.HOLD,
            category=Category.CONFIGURATION,
            reason=f"the clock of this machine is {days:.0f} days behind the time at which these lines came: set it",
        )
