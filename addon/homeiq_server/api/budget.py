"""How many bytes of requests may be in memory at once."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from homeiq_server.errors import RetryLater

_WAITING: Final = 32  # a request that waits keeps what came of it, some 32 KiB


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    size: int
    turn: asyncio.Future[None]


class ByteBudget:
    """Bytes that are promised before they are taken, so that many senders together cannot exhaust the memory.

    Who finds none left waits for his turn, the first come first, however small those behind him are.

    Attributes:
        limit: All of it.
        held: What is promised now.
    """

    def __init__(self, limit: int, *, patience_s: float) -> None:
        """Hold nothing yet; nobody waits longer than ``patience_s``."""
        self.limit: Final = limit
        self.held = 0
        self._patience_s = patience_s
        self._waiting: deque[_Waiter] = deque()

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes while the block lasts; a larger one than all is held as all.

        Raises:
            RetryLater: They were not left in time, or too many wait for theirs.
        """
        size = min(size, self.limit)
        if self._waiting or self.held + size > self.limit:
            await self._turn(size)
        else:
            self.held += size
        try:
            yield
        finally:
            self._release(size)

    @contextmanager
    def hold_now(self, size: int) -> Iterator[None]:
        """Hold ``size`` bytes while the block lasts, for one who holds some: he must not wait for others like him.

        Raises:
            RetryLater: They are not left.
        """
        if self.held + size > self.limit:
            raise _busy()
        self.held += size
        try:
            yield
        finally:
            self._release(size)

    async def _turn(self, size: int) -> None:
        """Return when the bytes are held."""
        if len(self._waiting) >= _WAITING:
            raise _busy()
        waiter = _Waiter(size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._patience_s):
                await waiter.turn
        except BaseException as err:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._release(0)  # those behind may be smaller
            else:
                self._release(size)  # its turn came at the last moment
            if isinstance(err, TimeoutError):
                raise _busy() from err
            raise

    def _release(self, size: int) -> None:
        self.held -= size
        while self._waiting and self.held + self._waiting[0].size <= self.limit:
            waiter = self._waiting.popleft()
            self.held += waiter.size
            if not waiter.turn.done():
                waiter.turn.set_result(None)


def _busy() -> RetryLater:
    return RetryLater("too many requests are being handled at once: send this one again", after=1)
