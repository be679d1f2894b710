"""No more than so many a second."""

import asyncio
import time
from collections.abc import Callable


class Pace:
    """Spreads items evenly: after a burst of n, the next one waits for n parts of a second."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._free_at = 0.0

    async def wait(self, items: int) -> None:
        """Return when these may go; at once when the ones before are long gone."""
        await asyncio.sleep(max(self._free_at - self._clock(), 0))
        self._free_at = self._clock() + items / self._per_second
