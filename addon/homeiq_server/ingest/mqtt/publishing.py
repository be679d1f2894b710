"""What of our own messages the broker has not acknowledged; in the shape of what gmqtt keeps them in.

gmqtt sends again, on each new connection, whatever its storage still has, and waits for it before it calls itself
connected. Who publishes here decides himself what is sent again, so nothing is stored: only who waits for which packet.
"""

import asyncio

from homeiq_server.errors import RetryLater


class Unacknowledged:
    """Who waits for which packet's acknowledgement, on one connection."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._newest: asyncio.Future[None] | None = None
        self._room = asyncio.Event()

    def newest(self) -> asyncio.Future[None]:
        """Return what ends with the acknowledgement of the packet that was sent just now; to be awaited at once."""
        if self._newest is None:
            raise RetryLater("the broker's connection is closing")
        newest, self._newest = self._newest, None
        return newest

    async def room(self) -> None:
        """Return when another packet was acknowledged."""
        self._room.clear()
        await self._room.wait()

    def fail(self) -> None:
        """Tell all who wait that their connection is gone."""
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(RetryLater("the connection to the broker was lost"))
        self._waiting.clear()
        self._room.set()

    # gmqtt's names from here on.

    @property
    def is_empty(self) -> bool:
        """Nothing is sent again."""
        return True

    def push_message(self, mid: int, _: bytes) -> None:
        """Called within ``publish``."""
        self._waiting[mid] = self._newest = asyncio.get_running_loop().create_future()

    def remove_message_by_mid(self, mid: int) -> None:
        """Called for each acknowledgement, when the packet's number is free again."""
        waiter = self._waiting.pop(mid, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self._room.set()

    async def wait_empty(self) -> None:
        """Called while connecting."""

    def clear(self) -> None:
        """Called when the broker knows no session of ours."""

    def get_all(self) -> list[tuple[int, bytes]]:
        """Nothing is sent again."""
        return []
