"""A Home Assistant as the server sees it: batches in order, each sent again until it is answered."""

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from homeiq_bench.http import Answer, Connection
from homeiq_bench.numbered import Numbering, Taken

_AGAIN_AFTER_S: Final = 0.02
_MOST_EVENTS: Final = 400


@dataclass(frozen=True, slots=True)
class _Batch:
    numbers: range
    seq: int
    body: bytes


class Forwarder:
    """Sends numbered events as its source, one batch in flight.

    Attributes:
        ends: Its numbers end before it: all of them were sent, or are about to be.
        answered: How many events the server has acknowledged.
        abandoned: Batches that were never answered, and were given up when the stream began anew: they may be stored.
    """

    def __init__(self, sender: int, port: int, token: Callable[[], str], numbering: Numbering, seed: int) -> None:
        self._sender = sender
        self._chance = random.Random(seed)  # noqa: S311  # a repeatable choice, no secret
        self._numbering = numbering
        self._source = uuid.UUID(int=sender + 1).hex
        self._port, self._token = port, token
        self._connection: Connection | None = None
        self._seq = 0
        self._pending: _Batch | None = None
        self._stopping = False
        self.ends = 0
        self.answered = 0
        self.abandoned: list[range] = []
        self.begin_stream()

    def begin_stream(self) -> None:
        """Go on as after a restart of Home Assistant: what was not answered is not sent again."""
        self._stream = uuid.UUID(int=self._chance.getrandbits(128)).hex
        self._seq = 0
        if self._pending:
            self.abandoned.append(self._pending.numbers)
            self._pending = None

    async def run(self) -> None:
        """Send until ``finish`` was called and everything is answered.

        Raises:
            RuntimeError: The server answered what no forwarder can live with.
        """
        while self._pending or not self._stopping:
            batch = self._pending = self._pending or self._next()
            answer = await self._send(batch)
            if answer is None or answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                await asyncio.sleep(_AGAIN_AFTER_S)
            elif answer.status != HTTPStatus.OK:
                raise RuntimeError(f"batch {batch.seq} of sender {self._sender} was answered {answer}")
            elif self._pending is batch:
                self._pending = None
                self.answered += len(batch.numbers)
            else:  # given up while it was on its way, and answered all the same
                self.abandoned.remove(batch.numbers)
                self.answered += len(batch.numbers)
        if self._connection:
            self._connection.abort()

    def finish(self) -> None:
        """Begin no further batch."""
        self._stopping = True

    def lost(self, taken: Taken) -> list[int]:
        """Return the numbers that were acknowledged and are not among the taken ones."""
        unsure = {number for numbers in self.abandoned for number in numbers}
        return [n for n in range(self.ends) if n not in unsure and not taken.has(self._sender, n)]

    def _next(self) -> _Batch:
        numbers = range(self.ends, self.ends + self._chance.randint(1, _MOST_EVENTS))
        self.ends, self._seq = numbers.stop, self._seq + 1
        opening = (
            f'{{"source":"{self._source}","stream":"{self._stream}","seq":{self._seq},'
            f'"started_us":{self._numbering.time_us(numbers.start)},"events":'
        )
        return _Batch(numbers, self._seq, opening.encode() + self._numbering.events(self._sender, numbers) + b"}")

    async def _send(self, batch: _Batch) -> Answer | None:
        """Return the answer, or None when none came."""
        if self._connection is None:
            self._connection = Connection(self._port, authorization=f"Bearer {self._token()}")
        try:
            return await self._connection.post("/api/v1/events", batch.body)
        except OSError, EOFError:
            return None
