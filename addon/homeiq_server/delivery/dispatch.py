"""One delivery from its claim to what is noted of it."""

import asyncio
import time
from datetime import timedelta
from typing import Final, Protocol

from homeiq_server.errors import RetryLater
from homeiq_server.store import outbox
from homeiq_server.store.outbox import Attempt, Claimed, Target
from homeiq_server.store.pool import Workers

from .backoff import MOST_AGE_S, wait_s
from .message import Message, Outcome, message_id

LEASE_S: Final = 60
"""A delivery is ours for so long. Longer than all that is done with it may take."""

_WITHIN_S: Final = 50
_SEND_WITHIN_S: Final = 25
_NOTE_AGAIN_S: Final = 1
_AT_ONCE: Final = 3  # the pool's connections are for all parts of the server


class Sender(Protocol):
    """Sends messages, see ``ways``."""

    async def send(self, message: Message) -> Outcome:
        """Send it once; never raises but when cancelled."""
        ...


class Dispatch:
    """Delivers what was claimed."""

    def __init__(self, store: Workers, sender: Sender) -> None:
        self._store = store
        self._sender = sender
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def deliver(self, claimed: Claimed) -> None:
        """Try it once, unless it is not to be tried now; within the time that it is ours.

        A server that dies between the attempt and its note has another one send it again: at least once, not at most.

        Raises:
            RetryLater: The store is away, or it took too long; the claim ends by itself.
        """
        try:
            async with asyncio.timeout(_WITHIN_S):
                if target := await self._begin(claimed):
                    attempt = await self._attempt(claimed, target)
                    await self._note(claimed, target, attempt)
        except TimeoutError as err:
            raise RetryLater("a delivery took longer than its claim") from err

    async def _begin(self, claimed: Claimed) -> Target | None:
        async with self._turns, self._store.tenant(claimed.tenant_id) as conn:
            return await outbox.begin(conn, claimed, lease_s=LEASE_S)

    async def _attempt(self, claimed: Claimed, target: Target) -> Attempt:
        at_us, began = time.time_ns() // 1_000, time.monotonic()
        outcome = await self._send(claimed, target)
        return Attempt(
            at_us=at_us,
            duration_s=time.monotonic() - began,
            ok=outcome.ok,
            final=outcome.final,
            status=outcome.status,
            error=outcome.error,
            wait_s=wait_s(claimed.attempts + 1, outcome.after_s),
        )

    async def _send(self, claimed: Claimed, target: Target) -> Outcome:
        message = Message(
            message_id=message_id(claimed.integration_id, claimed.id),
            tenant_id=claimed.tenant_id,
            kind=target.kind,
            config=target.config,
            secrets=target.secrets,
            payload=claimed.payload,
        )
        try:
            async with asyncio.timeout(_SEND_WITHIN_S):
                return await self._sender.send(message)
        except TimeoutError:
            return Outcome(error=f"it took longer than {_SEND_WITHIN_S} seconds")

    async def _note(self, claimed: Claimed, target: Target, attempt: Attempt) -> None:
        """Note it, again and again while the store is away: what is not noted is sent twice."""
        while True:
            try:
                async with self._turns, self._store.tenant(claimed.tenant_id) as conn:
                    await outbox.note(
                        conn, claimed, attempt, most_age=timedelta(seconds=MOST_AGE_S), is_probe=target.is_probe
                    )
            except RetryLater:
                await asyncio.sleep(_NOTE_AGAIN_S)
            else:
                return
