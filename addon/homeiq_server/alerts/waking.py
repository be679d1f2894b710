"""Wakes those who wait for something new of a tenant: requests that are answered once there is."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from homeiq_server.errors import TooMany

MOST_WAITING: Final = 100
"""Of one tenant at a time."""


class Watch:
    """One who waits: looks, and waits when there was nothing; what is told while he looks ends the wait at once."""

    def __init__(self) -> None:
        self._told = asyncio.Event()

    def tell(self) -> None:
        """End the wait that is, or the next one."""
        self._told.set()

    async def wait(self, seconds: float) -> None:
        """Return once something is told, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._told.wait()
        self._told.clear()


class Waking:
    """Who waits, by tenant; tenants that nobody waits for take no room.

    Attributes:
        is_closed: Nobody waits any more, the server stops.
    """

    def __init__(self) -> None:
        self.is_closed = False
        self._watches: dict[str, set[Watch]] = {}
        self._on_close: list[Callable[[], None]] = []

    def tell(self, tenant_id: str) -> None:
        """Wake all who wait for this tenant."""
        for watch in self._watches.get(tenant_id, ()):
            watch.tell()

    def close(self) -> None:
        """Wake everybody, for good."""
        self.is_closed = True
        for tenant_id in self._watches:
            self.tell(tenant_id)
        for wake in self._on_close:
            wake()

    def on_close(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` when nobody is to wait any more: for those who wait for something else. It must not raise."""
        self._on_close.append(wake)

    @contextmanager
    def watch(self, tenant_id: str) -> Iterator[Watch]:
        """Notice what is told of a tenant, for as long as the block lasts.

        Raises:
            TooMany: Too many wait for this tenant already.
        """
        watches = self._watches.setdefault(tenant_id, set())
        if len(watches) >= MOST_WAITING:
            raise TooMany(f"{MOST_WAITING} requests of this tenant wait for news already: end one of them", after=5)
        watch = Watch()
        watches.add(watch)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches:
                self._watches.pop(tenant_id, None)
