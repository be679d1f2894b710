"""Messages of one connection from their arrival until they are acknowledged: bounded, in turn, each with a deadline."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Inbound, Outcome

_LOGGER = logging.getLogger(__name__)

MOST_MESSAGES: Final = 2_000
MOST_BYTES: Final = 32 * 1024 * 1024
_LOOK_AGAIN_S: Final = 0.01
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0

type Key = tuple[str, bytes, str | None]
"""What two messages that are the same have in common."""

type Take = Callable[[Sequence[Inbound]], Awaitable[list[Outcome]]]


@dataclass(slots=True, eq=False)
class _Held:
    message: Inbound
    since: float
    again: bool
    kept: asyncio.Future[int]


def key_of(message: Inbound) -> Key:
    """Return what the same message has when it is sent again."""
    return message.topic, message.payload, message.token


class Reception:
    """Takes what comes in groups: all that came while the group before was being taken. Owned by one connection.

    Attributes:
        faults: How many times ``take`` failed in a way that it does not promise.
        unacknowledged: Those that were kept when the connection was gone already; the broker will send them again.
    """

    def __init__(  # noqa: PLR0913 - its limits are for tests to make smaller
        self,
        take: Take,
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
        most_messages: int = MOST_MESSAGES,
        most_bytes: int = MOST_BYTES,
        gather_s: float = 0.0,
    ) -> None:
        """Begin with nothing held.

        Args:
            take: Returns once messages are kept for good; `RetryLater` when they cannot be now.
            pause: Called, perhaps many times, when no more may come.
            resume: Called when more may come again.
            most_messages: How many may be held; the transport may have a few more on the way when it is paused.
            most_bytes: How large their payloads may be together.
            gather_s: From the begin of a group to that of the next, at least: each costs a commit of its own.
        """
        self._take = take
        self._pause = pause
        self._resume = resume
        self._most = (most_messages, most_bytes)
        self._held: dict[_Held, None] = {}
        self._bytes = 0
        self._waiting: list[_Held] = []
        self._came = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_paused = False
        self._gather_s = gather_s
        self._loop = asyncio.get_running_loop()
        self._is_gone = False
        self.faults = 0
        self.unacknowledged: list[Key] = []

    @property
    def held(self) -> int:
        """Messages that are not acknowledged yet."""
        return len(self._held)

    def oldest_s(self) -> float:
        """Return for how many seconds the oldest message is held that would be sent again; 0.0 when none is."""
        since = next((held.since for held in self._held if held.again), None)
        return 0.0 if since is None else time.monotonic() - since

    def hold(self, message: Inbound, *, again: bool) -> asyncio.Future[int]:
        """Put a message into the next group; never raises.

        Args:
            message: As it came.
            again: Whether the broker would send it again, were it not acknowledged (QoS 1).

        Returns:
            What becomes 0, the reason code of success, once the message is taken; else it never ends.
        """
        held = _Held(message, time.monotonic(), again, self._loop.create_future())
        self._held[held] = None
        self._bytes += len(message.payload)
        self._waiting.append(held)
        self._came.set()
        if self._is_full():
            self._is_paused = True
            self._pause()
        return held.kept

    async def run(self) -> None:
        """Take group after group until cancelled."""
        next_s = 0.0
        while True:
            await self._came.wait()
            if (rest_s := next_s - self._loop.time()) > 0:
                await asyncio.sleep(rest_s)
            next_s = self._loop.time() + self._gather_s
            self._came.clear()
            group, self._waiting = self._waiting, []
            if not group:
                continue
            self._idle.clear()
            try:
                await self._keep(group)
            finally:
                self._idle.set()

    async def finish(self, seconds: float, *, connected: bool) -> int:
        """Wait until what can still be taken is, but not for longer than ``seconds``; then ``run`` may be cancelled.

        Args:
            seconds: The limit.
            connected: Whether an acknowledgement would still arrive. When not, what the broker will send again is
                dropped unless it is being taken at this moment.

        Returns:
            How many messages are lost because nobody will send them again (QoS 0).
        """
        self._is_gone = not connected
        if self._is_gone:
            for held in self._waiting:
                if held.again:
                    self._forget(held)
            self._waiting = [held for held in self._waiting if not held.again]
        try:
            async with asyncio.timeout(seconds):
                while self._waiting or not self._idle.is_set():
                    await self._idle.wait()
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except TimeoutError:
            pass
        return sum(not held.again for held in self._held)

    async def _keep(self, group: list[_Held]) -> None:
        try:
            await self._persist([held.message for held in group])
        except Exception as err:  # noqa: BLE001 - one message must not keep the others from being taken
            self.faults += 1
            if len(group) == 1:
                # Only the kind and the place: an error's text may repeat what the device sent, its token among it.
                # It is not acknowledged, so that its deadline has it sent again; if nobody would, it is lost.
                topic = group[0].message.topic
                _LOGGER.error("a message of %s could not be taken: %s", topic, type(err).__name__)  # noqa: TRY400
                if not group[0].again:
                    self._forget(group[0])
                return
            half = len(group) // 2
            await self._keep(group[:half])
            await self._keep(group[half:])
            return
        for held in group:
            if not held.kept.done():
                held.kept.set_result(0)
            self._forget(held)
        if self._is_gone:
            self.unacknowledged += (key_of(held.message) for held in group if held.again)
        if self._is_paused and not self._is_full():
            self._is_paused = False
            self._resume()

    async def _persist(self, messages: list[Inbound]) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                await self._take(messages)
            except RetryLater as err:
                if pause_s == _FIRST_PAUSE_S:
                    _LOGGER.warning("messages of devices cannot be kept now: %s; they wait", err)
                await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - to spread load, not a secret
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                return

    def _forget(self, held: _Held) -> None:
        self._held.pop(held, None)
        self._bytes -= len(held.message.payload)

    def _is_full(self) -> bool:
        return len(self._held) >= self._most[0] or self._bytes >= self._most[1]
