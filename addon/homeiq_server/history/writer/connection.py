"""The way to a database that may be away: each question is asked until it is answered for good."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from homeiq_server.history.answers import Action, Refusal
from homeiq_server.history.target import Form, Identity, Target

from .outage import Outage, Timing


class FormChanged(Exception):
    """What was unpacked for the database that was there before cannot be sent."""


class Connection:
    """A connection that is made when it is first needed, and again after each failure.

    Attributes:
        outage: The present failure, if any.
        identity: Who answers, or None before it was ever known.
        epoch: The database's process, as last seen.
    """

    def __init__(
        self,
        target: Target,
        *,
        timing: Timing,
        returned: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet.

        Args:
            target: The database.
            timing: How long to wait.
            returned: Called each time when the database is there, before it is asked anything else.
            clock: Monotonic.
        """
        self.outage = Outage(target.name, timing, clock)
        self.identity: Identity | None = None
        self.epoch = ""
        self._target = target
        self._timing = timing
        self._returned = returned
        self._clock = clock
        self._form: Form | None = None
        self._connected = False

    async def connect(self) -> None:
        """Return once it is known who answers.

        Raises:
            FormChanged: See ``persist``.
        """
        await self.persist(_nothing)

    async def persist[T](self, ask: Callable[[], Awaitable[T | Refusal]]) -> T | Refusal:
        """Ask until the database answers for good: with what was asked for, or a refusal of the lines themselves.

        Raises:
            FormChanged: Another database answers at the address. It can be asked at once.
        """
        while True:
            answer = await self._connect() or await ask()
            if not isinstance(answer, Refusal) or answer.lines_at_fault:
                self.outage.ended()
                return answer
            self._connected = False
            self.outage.failed(answer)
            await self._pause(answer)

    async def ask_epoch(self) -> bool:
        """Renew ``epoch``; False when the database refuses to tell."""
        epoch = await self.persist(self._target.epoch)
        if isinstance(epoch, Refusal):
            return False
        self.epoch = epoch
        return True

    async def _connect(self) -> Refusal | None:
        """Find out who answers, unless nothing has failed since that was last asked."""
        if self._connected:
            return None
        if isinstance(identity := await self._target.identify(), Refusal):
            return identity
        if isinstance(epoch := await self._target.epoch(), Refusal):
            return epoch
        self.identity, self.epoch, self._connected = identity, epoch, True
        self._returned()
        before, self._form = self._form, self._target.form
        if before not in (None, self._form):
            raise FormChanged
        return None

    async def _pause(self, refusal: Refusal) -> None:
        """Wait for the next try, but no longer than until the database answers again after it did not."""
        probe_s = self._timing.probe
        was_away = refusal.status is None
        if refusal.action is Action.RETRY and refusal.after is None:
            while self.outage.retry_at - self._clock() > probe_s:
                await asyncio.sleep(probe_s)
                is_healthy = await self._target.healthy()
                if was_away and is_healthy:
                    return
                was_away = not is_healthy
        await asyncio.sleep(max(self.outage.retry_at - self._clock(), 0))


async def _nothing() -> None:
    """Ask for nothing: the connection is made, and it is known who answers, before there is a line to send."""
