"""The way of everything that is not happening now: behind the live events, one request at a time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from .errors import Busy, CannotConnect

PAUSE_S: Final = 0.2
PATIENCE_S: Final = 300.0
LONGEST_BACKOFF_S: Final = 30.0


class SlowLane:
    """At most one request in flight, a pause before each, and none while live events wait."""

    def __init__(self, is_live_behind: Callable[[], bool]) -> None:
        """``is_live_behind`` says whether the live events have use for the app's whole attention."""
        self._is_live_behind = is_live_behind
        self._one_at_a_time = asyncio.Lock()

    async def send[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what ``attempt`` returns; an app that is busy or away is waited for, five minutes at most.

        Raises:
            AppError: The app refuses, or has not come back in time.
        """
        async with self._one_at_a_time:
            deadline = time.monotonic() + PATIENCE_S
            await self._give_way(deadline)
            failures = 0
            while True:
                try:
                    return await attempt()
                except (Busy, CannotConnect) as err:
                    failures += 1
                    delay = _delay(failures, err)
                    if time.monotonic() + delay > deadline:
                        raise
                await asyncio.sleep(delay)

    async def _give_way(self, deadline: float) -> None:
        """Pause, and go on pausing while live events wait."""
        await asyncio.sleep(PAUSE_S)
        while self._is_live_behind():
            if time.monotonic() > deadline:
                raise Busy("the events that happen now take all of its time")
            await asyncio.sleep(PAUSE_S)


def _delay(failures: int, err: Busy | CannotConnect) -> float:
    """Return how long to wait before the next attempt: with full jitter, but no shorter than the app asks for."""
    ceiling = min(LONGEST_BACKOFF_S, PAUSE_S * 2.0 ** min(failures, 10))
    advice = err.after if isinstance(err, Busy) else None
    return max(advice or 0, random.uniform(0, ceiling))  # noqa: S311 - spreads load, keeps no secret
