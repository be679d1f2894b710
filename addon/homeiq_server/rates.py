"""How many a minute, over the minute that has just passed."""

import time
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 60


class Rate:
    """Counts by the second in a ring of sixty, so that counting and reading cost the same at any load."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts = [0] * _SECONDS
        self._second = int(clock())

    def add(self, count: int) -> None:
        """Count now."""
        self._advance()
        self._counts[self._second % _SECONDS] += count

    def per_minute(self) -> float:
        """Return the count of the last minute."""
        self._advance()
        return float(sum(self._counts))

    def _advance(self) -> None:
        """Forget the seconds that have left the window since the last call."""
        now = int(self._clock())
        for second in range(max(self._second + 1, now - _SECONDS + 1), now + 1):
            self._counts[second % _SECONDS] = 0
        self._second = now
