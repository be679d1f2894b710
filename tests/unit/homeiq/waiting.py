"""Waiting for conditions, with a deadline."""

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object]) -> None:
    """Return when the condition holds; the event loop goes on meanwhile.

    Raises:
        TimeoutError: It did not come true within 20 s.
    """
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - any condition, not only one that an event announces
            await asyncio.sleep(0.005)
