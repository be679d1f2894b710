"""Watches one connection while it is there: when it has to end, and whether all has come that waited at the broker."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from homeiq_server.errors import Misconfigured, RetryLater

from .backlog import Backlog
from .came import Wanted
from .client import Connection
from .reception import Reception
from .window import MOST_MESSAGES

_DEADLINE_S: Final = 60.0
_LOOK_S: Final = 1.0
_ECHO_S: Final = 0.5


class Watch:
    """A look about once a second.

    Attributes:
        forced: It ended because messages could not be kept in time.
    """

    def __init__(
        self, connection: Connection, reception: Reception, backlog: Backlog, *, echo_topic: str, wake: asyncio.Event
    ) -> None:
        """Begin.

        Args:
            connection: Open.
            reception: What came over it.
            backlog: Is told of the end of what waited.
            echo_topic: Of messages to ourselves.
            wake: Is set when there is a reason to look.
        """
        self.forced = False
        self._connection = connection
        self._reception = reception
        self._backlog = backlog
        self._echo_topic = echo_topic
        self._is_subscribed = False
        self._wake = wake

    async def until_end(self, is_stopping: Callable[[], bool]) -> str:
        """Return why the connection is to end."""
        while True:
            self._wake.clear()
            if is_stopping():
                return "stopping"
            if self._connection.why_lost is not None:
                return self._connection.why_lost
            if self._reception.oldest_s() > _DEADLINE_S:
                self.forced = True
                return "messages could not be kept in time; they are asked for again"
            if self._reception.is_stalled:
                self._backlog.begin(MOST_MESSAGES)
            if echo := self._backlog.look(self._reception.held):
                await self._send(echo)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def _send(self, echo: bytes) -> None:
        """Send a message to ourselves; a broker that is too busy for it gets the next one at the next look."""
        try:
            async with asyncio.timeout(_ECHO_S):
                if not self._is_subscribed:
                    await self._connection.subscribe([Wanted(topic_filter=self._echo_topic, retained=False)])
                    self._is_subscribed = True
                await self._connection.publish(self._echo_topic, echo, qos=1, retain=False)
        except TimeoutError:
            return
        except RetryLater, Misconfigured:
            # It does not let us, and perhaps ended the connection for it.
            self._backlog.forgo_echoes()
