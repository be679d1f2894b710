"""From the buffer to the app, one request at a time: where a batch stands in its stream, and what each answer means."""

import asyncio
import logging
from collections.abc import Callable
from itertools import batched
from typing import Final, Protocol

from .buffer import Buffer
from .client import Receipt
from .errors import Busy, OutOfTurn, Refused, TooLarge
from .labels import EntityLabels
from .wire import (
    ENTITY_ID,
    MAX_BATCH_EVENTS,
    MAX_BODY_BYTES,
    TIME_US,
    Batch,
    Change,
    Stream,
    build_body,
    serialise,
)

_LOGGER = logging.getLogger(__name__)

# About a millisecond of work; between two slices the event loop goes on.
SLICE_EVENTS: Final = 250


class App(Protocol):
    """Who is delivered to; ``client.AppClient``."""

    async def send(self, body: bytes) -> Receipt:
        """Return once the app has the batch on disk; raises an ``AppError``."""


class Delivery:
    """Moves events from the buffer to the app. What is not acknowledged stays in the buffer, to the byte.

    A position in the stream is used for one body only: when another body has to go after an attempt that may have
    been stored (an answer that never came), it goes under a new stream, or the app would take it for a duplicate.
    """

    def __init__(
        self,
        app: App,
        buffer: Buffer,
        labels: EntityLabels,
        stream: Stream,
        on_gap: Callable[[], object] = lambda: None,
    ) -> None:
        """``on_gap`` is called when the app was told of what may be a gap: of a new stream, or of lost events."""
        self._on_gap = on_gap
        self._app = app
        self._buffer = buffer
        self._labels = labels
        self._stream = stream
        self._one_at_a_time = asyncio.Lock()

    @property
    def stream_id(self) -> str:
        """Return the uuid of the stream that batches go under now."""
        return self._stream.id

    async def send_next(self) -> None:
        """Send the batch in flight, else the oldest waiting events, else an empty batch, which announces the stream.

        Returns when the app has answered, even if the answer only means that other batches must be sent next.

        Raises:
            AppError: The batch is still in flight, and must wait.
        """
        async with self._one_at_a_time:
            buffer = self._buffer
            batch = buffer.in_flight[-1] if buffer.in_flight else buffer.take(MAX_BATCH_EVENTS)
            try:
                body = batch.body or await self._encode(batch)
                batch.attempts += 1
                receipt = await self._app.send(body)
            except OutOfTurn as err:
                self._start_over(batch, err)
            except TooLarge as err:
                self._divide(batch, err)
            except Refused as err:
                self._isolate(batch, err)
            else:
                self._settle(batch, receipt)

    async def _encode(self, batch: Batch) -> bytes:
        """Build the body under the current stream; events that cannot be serialised get their fate here."""
        unserialisable: list[tuple[Change, str]] = []
        parts: list[bytes] = []
        kept: list[Change] = []
        for events in batched(batch.events, SLICE_EVENTS, strict=False):
            part, good = serialise(events, lambda *refusal: unserialisable.append(refusal))
            parts.append(part)
            kept.extend(good)
            await asyncio.sleep(0)
        if unserialisable:
            self._keep_only(batch, kept)
            for event, reason in unserialisable:
                self._buffer.refuse(event[ENTITY_ID], reason)
        entities = self._labels.async_tell(_entity_ids(batch))
        body = build_body(self._stream, batch.gaps, entities, parts)
        batch.stream, batch.body, batch.attempts = self._stream, body, 0
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"{len(batch.events)} events make {len(body)} bytes")
        return body

    def _keep_only(self, batch: Batch, events: list[Change]) -> None:
        """Shrink a batch in flight."""
        self._buffer.land()
        batch.events = events
        self._buffer.fly(batch)

    def _settle(self, batch: Batch, receipt: Receipt) -> None:
        """The app has the batch, except what it rejected."""
        buffer = self._buffer
        buffer.land()
        rejected = receipt.rejected[: len(batch.events)]
        buffer.delivered += len(batch.events) - len(rejected)
        for entity_id, reason in rejected:
            buffer.refuse(entity_id, reason)
        if batch.suspect is not None:
            event, reason = batch.suspect
            buffer.refuse(event[ENTITY_ID], reason)
        if (stream := batch.stream) is not None:
            if stream.seq == 1 or batch.gaps:
                self._on_gap()
            stream.seq += 1
            if batch.events:
                stream.whole_since_us = max(stream.whole_since_us, batch.events[-1][TIME_US])

    def _start_over(self, batch: Batch, err: OutOfTurn) -> None:
        """The app does not know what came before in this stream; go on in a new one.

        The new stream is whole from the newest acknowledged change on. When the app has forgotten older ones (it was
        restored from a backup), it opens a gap up to there by itself.
        """
        if batch.stream is self._stream:
            if self._stream.seq == 1:
                raise Busy(f"the app takes no new stream: {err}") from err
            self._new_stream()
        batch.body = None

    def _new_stream(self) -> None:
        """Number from 1 again, under another uuid, and tell the labels again."""
        self._stream = Stream(self._stream.source, self._stream.whole_since_us)
        self._labels.async_untell_all()

    def _divide(self, batch: Batch, err: TooLarge | Refused) -> None:
        """Replace a batch in flight by its halves, or give up its only event."""
        if not batch.events:
            batch.body = None
            raise Busy(f"the app takes no batch, not even an empty one: {err}") from err
        self._withdraw(batch)
        if len(batch.events) == 1:
            self._buffer.refuse(batch.events[0][ENTITY_ID], str(err))
            if batch.gaps:
                self._buffer.fly(Batch((), batch.gaps))
            return
        middle = len(batch.events) // 2
        self._buffer.fly(Batch(batch.events[middle:]))
        self._buffer.fly(Batch(batch.events[:middle], batch.gaps))

    def _isolate(self, batch: Batch, err: Refused) -> None:
        """Find the event for which a batch is refused as a whole, and make sure that it is the event's fault.

        When the app refuses the same batch without it too, something between us and the app is at fault: the event
        waits, however long that takes.
        """
        if batch.suspect is not None:
            self._withdraw(batch)
            self._buffer.fly(Batch(batch.suspect[:1], batch.gaps))
            raise Busy(f"the app takes no batch, not even an empty one: {err}") from err
        if len(batch.events) != 1:
            self._divide(batch, err)
            return
        self._withdraw(batch)
        self._buffer.fly(Batch((), batch.gaps, suspect=(batch.events[0], str(err))))

    def _withdraw(self, batch: Batch) -> None:
        """Take a batch that the app has not stored out of the flight; its position is free for another body."""
        self._buffer.land()
        if batch.attempts > 1 and batch.stream is self._stream:
            self._new_stream()
        else:
            self._labels.async_untell(_entity_ids(batch))


def _entity_ids(batch: Batch) -> set[str]:
    """Return the entities that a batch is about."""
    return {event[ENTITY_ID] for event in batch.events}
