"""Messages of one connection from their arrival until they are acknowledged: bounded, each with a deadline.

Each is acknowledged as soon as it is kept, and tried again by itself while it cannot be: a device that the store has to
be asked about keeps only its own messages waiting. So acknowledgements are not in the order of the messages, which the
standard asks of clients (MQTT 5, 4.6); brokers find them by their numbers. Those that wait take up the broker's window,
which is 2,000 for MQTT 5: it takes that many to hold up all others. A broker of 3.1.1 has few, Mosquitto 20.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Inbound, Outcome

from .lanes import Held, Lanes
from .resting import Resting
from .window import MOST_BYTES, MOST_MESSAGES, Window

_LOGGER = logging.getLogger(__name__)

_OVERTAKE_S: Final = 0.05
_LOOK_AGAIN_S: Final = 0.01
_LATE_S: Final = 1.0

type Key = tuple[str, bytes, str | None]
"""What two messages that are the same have in common."""


class Take(Protocol):
    """Keeps messages for good, see ``Gate.take_each``."""

    async def __call__(
        self, messages: Sequence[Inbound], kept: Callable[[Sequence[int]], None], /
    ) -> list[Outcome | RetryLater]:
        """Return what became of each; call ``kept`` with the places of those that are kept before all are."""
        ...


def key_of(message: Inbound) -> Key:
    """Return what the same message has when it is sent again."""
    return message.topic, message.payload, message.token


class Reception:
    """Takes what comes in groups, several at once, those of one device one after the other. Owned by one connection.

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
            take: Returns once messages are kept for good, or cannot be now.
            pause: Called, perhaps many times, when no more may come.
            resume: Called when more may come again.
            most_messages: How many may be held, so that no more groups can be under way; the transport may have a few
                more on the way when it is paused.
            most_bytes: How large their payloads may be together.
            gather_s: From the begin of a group to that of the next, at least: each costs a commit of its own.
        """
        self._take = take
        self._window = Window(pause=pause, resume=resume, most_messages=most_messages, most_bytes=most_bytes)
        self._waiting: list[Held] = []
        self._resting = Resting()
        self._lanes = Lanes()
        self._under_way = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._gather_s = gather_s
        self._loop = asyncio.get_running_loop()
        self._is_gone = False
        self.faults = 0
        self.unacknowledged: list[Key] = []

    @property
    def held(self) -> int:
        """Messages that are not acknowledged yet."""
        return len(self._window)

    @property
    def is_stalled(self) -> bool:
        """Whether the broker has to wait because messages cannot be kept: not when they are only too many."""
        return self._window.tried > 0 and self._window.is_full

    def oldest_s(self) -> float:
        """Return for how many seconds the oldest message is held that would be sent again; 0.0 when none is."""
        return self._window.oldest_s()

    def hold(self, message: Inbound, *, again: bool) -> asyncio.Future[int]:
        """Put a message into the next group; never raises.

        Args:
            message: As it came.
            again: Whether the broker would send it again, were it not acknowledged (QoS 1).

        Returns:
            What becomes 0, the reason code of success, once the message is taken; else it never ends.
        """
        held = Held(message, time.monotonic(), again, self._loop.create_future())
        self._window.add(held)
        self._waiting.append(held)
        self._wake.set()
        return held.kept

    async def run(self) -> None:
        """Take group after group until cancelled."""
        began = -self._gather_s
        async with asyncio.TaskGroup() as groups:
            while True:
                await self._woken()
                await self._apart(began)
                began = self._loop.time()
                self._wake.clear()
                if group := self._next_group(began):
                    self._under_way += 1
                    groups.create_task(self._take_group(group), name="mqtt: a group")

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
            waiting, self._waiting = self._waiting, []
            self._requeue(waiting)
            for held in self._resting.pop_all():
                self._requeue([held, *self._lanes.leave(held)])
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._waiting or self._resting or self._under_way:  # noqa: ASYNC110 - of three kinds
                    await asyncio.sleep(_LOOK_AGAIN_S)
        return self._window.sent_once()

    async def _woken(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._resting.due):
                await self._wake.wait()

    async def _apart(self, began: float) -> None:
        """Return when the next group may begin: soon after the last one, but sooner when nothing is under way."""
        if (rest_s := began + self._gather_s - self._loop.time()) > 0:
            await asyncio.sleep(rest_s)
        if self._under_way and self._loop.time() < began + _OVERTAKE_S:
            self._idle.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(began + _OVERTAKE_S):
                    await self._idle.wait()

    def _next_group(self, now: float) -> list[Held]:
        came, self._waiting = self._waiting, []
        return [*map(_noting_lateness, self._resting.pop_due(now)), *self._lanes.enter(came)]

    async def _take_group(self, group: list[Held]) -> None:
        try:
            await self._keep(group)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _keep(self, group: list[Held]) -> None:
        try:
            outcomes = await self._take(
                [held.message for held in group], lambda places: self._settle(group[place] for place in places)
            )
            pairs = list(zip(group, outcomes, strict=True))
        except RetryLater as err:
            self._rest(group, err)
        except Exception as err:  # noqa: BLE001 - one message must not keep the others from being taken
            await self._keep_others(group, err)
        else:
            self._settle(held for held, outcome in pairs if not isinstance(outcome, RetryLater))
            if later := [(held, outcome) for held, outcome in pairs if isinstance(outcome, RetryLater)]:
                self._rest([held for held, _ in later], later[0][1])

    async def _keep_others(self, group: list[Held], err: Exception) -> None:
        """Find out by halves which message it is that cannot be taken."""
        self.faults += 1
        if len(group) > 1:
            left = [held for held in group if held in self._window]
            half = len(left) // 2 or 1
            for part in (left[:half], left[half:]):
                if part:
                    await self._keep(part)
            return
        # Only the kind and the place: an error's text may repeat what the device sent, its token among it.
        # It is not acknowledged, so that its deadline has it sent again; if nobody would, it is lost.
        (broken,) = group
        _LOGGER.error("a message of %s could not be taken: %s", broken.message.topic, type(err).__name__)
        if not broken.again:
            self._window.remove(broken)
        self._requeue(self._lanes.leave(broken))

    def _settle(self, taken: Iterable[Held]) -> None:
        """Acknowledge what is taken, unless it was already."""
        behind = list[Held]()
        for held in taken:
            if held not in self._window:
                continue
            if not held.kept.done():
                held.kept.set_result(0)
            self._window.remove(held)
            behind += self._lanes.leave(held)
            if self._is_gone and held.again:
                self.unacknowledged.append(key_of(held.message))
        self._requeue(behind)
        self._window.resume()

    def _rest(self, failed: Iterable[Held], err: RetryLater) -> None:
        """Try again after a while what would not come again by itself."""
        if not self._window.tried:
            _LOGGER.warning("messages of devices cannot be kept now: %s; they wait", err)
        left = [held for held in failed if held in self._window]
        if self._is_gone:
            for held in left:
                if held.again:
                    self._requeue([held, *self._lanes.leave(held)])
            left = [held for held in left if not held.again]
        self._window.tried += sum(not held.tries for held in left)
        self._resting.add(left, self._loop.time())
        self._wake.set()

    def _requeue(self, behind: list[Held]) -> None:
        """Put those first in turn that waited behind others; when we are gone, drop those that will come again."""
        if self._is_gone:
            for held in behind:
                if held.again:
                    self._window.remove(held)
            behind = [held for held in behind if not held.again]
        if behind:
            self._waiting[:0] = map(_noting_lateness, behind)
            self._wake.set()


def _noting_lateness(held: Held) -> Held:
    """Note that its sender was not too fast: it waited with us, and others of its device with it."""
    if not held.message.late and time.monotonic() - held.since >= _LATE_S:
        held.message = replace(held.message, late=True)
    return held
