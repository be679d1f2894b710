"""The way of a batch of events: converted to lines, stored, and only then acknowledged."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from homeiq_server.errors import RetryLater
from homeiq_server.history.points.conversion import Conversion
from homeiq_server.model import Event, Intake, Labels, Lines, Receipt, Tally
from homeiq_server.rates import Rate
from homeiq_server.wire import Batch, Rejection

_LOGGER = logging.getLogger(__name__)

CHANNEL: Final = "events"
_FRESH_S: Final = 120  # a sender that waits asks again sooner
_SOURCES: Final = 32  # whose labels are remembered; those of others are read from the spool again


class Store(Protocol):
    """Where lines wait for the database."""

    async def put(self, intake: Intake) -> Receipt:
        """Return once all of it is on disk."""
        ...

    async def labels(self, source: str) -> dict[str, Labels]:
        """Return what was stored of the source's labels."""
        ...


class Schema(Protocol):
    """What turns events into lines; never raises for any event."""

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        """Return the lines of a batch and each event's fate."""
        ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender is told: ``accepted + duplicates + len(rejected)`` is what it sent."""

    accepted: int
    duplicates: int = 0
    rejected: list[Rejection] = []


class HistoryOff:
    """A schema for those who want no history: every event is counted, none is kept."""

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:  # noqa: ARG002  # a Schema
        """Skip all of them."""
        return Conversion(
            lines=Lines(body=b"", count=0),
            converted=0,
            skipped={"history is off": len(events)} if events else {},
            rejected=[],
            last_us=max((event.time_us for event in events), default=None),
        )


@dataclass(frozen=True, slots=True)
class _Trouble:
    """The store refuses: since when, when last (monotonic seconds), and in which words."""

    since: float
    latest: float
    error: RetryLater


class EventIntake:
    """Accepts batches of events, from any number of senders at once.

    Attributes:
        rate: Events received, by the minute.
        left_out: By reason: parts of events that the database cannot hold, since the start.
    """

    def __init__(self, store: Store, schema: Callable[[], Schema]) -> None:
        """Store in ``store``; ``schema`` raises ``RetryLater`` while it is not known what the database can hold."""
        self.rate = Rate()
        self.left_out: Counter[str] = Counter()
        self._trouble: _Trouble | None = None
        self._store = store
        self._schema = schema
        self._labels: dict[str, dict[str, Labels]] = {}
        self._stopping = False

    def stop(self) -> None:
        """Refuse from now on; what was begun goes on."""
        self._stopping = True

    def refusals(self) -> Iterator[tuple[str, str]]:
        """Yield why batches are refused at the moment, as a code and a sentence."""
        try:
            self.admit()
        except RetryLater as err:
            yield ("stopping" if self._stopping else "database_unknown"), str(err)
        if (trouble := self._trouble) and time.monotonic() - trouble.latest < _FRESH_S:
            yield "spool_refuses", str(trouble.error)

    def admit(self) -> None:
        """Return when a batch may be sent.

        Raises:
            RetryLater: It would be refused whatever it holds.
        """
        if self._stopping:
            raise RetryLater("the server is stopping: send the batch again when it is back")
        self._schema()

    async def accept(self, batch: Batch) -> Answer:
        """Store a batch and return what became of it; nothing is acknowledged that is not on disk.

        Raises:
            RetryLater: It cannot be stored now.
            SequenceHole: Batches before this one are missing.
        """
        self.admit()
        source = batch.position.source
        known = await self._known_labels(source)
        labels = {**known, **batch.entities} if batch.entities else known
        conversion = self._schema().convert(batch.events, labels)
        late = [_rejection(batch, index, reason) for index, reason in conversion.rejected]
        with self._noticing():
            receipt = await self._store.put(_intake(batch, conversion))
        self.rate.add(batch.received)
        if receipt.duplicate:
            return Answer(accepted=0, duplicates=batch.received)
        known.update(batch.entities)
        self.left_out += Counter(conversion.left_out)
        rejected = sorted((*batch.rejected, *late), key=lambda rejection: rejection.index)
        return Answer(accepted=batch.received - len(rejected), rejected=rejected)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Keep what the store says for the status, and log when it begins to refuse and when it ends."""
        try:
            yield
        except RetryLater as err:
            now = time.monotonic()
            if self._trouble is None:
                _LOGGER.warning("events are refused and wait in Home Assistant: %s", err)
            self._trouble = _Trouble(self._trouble.since if self._trouble else now, now, err)
            raise
        if self._trouble is not None:
            _LOGGER.info("events are accepted again, after %.0f s", time.monotonic() - self._trouble.since)
            self._trouble = None

    async def _known_labels(self, source: str) -> dict[str, Labels]:
        """Return the source's labels, read from the store after a start."""
        if (known := self._labels.pop(source, None)) is None:
            known = await self._store.labels(source)
            known = self._labels.pop(source, known)  # another batch may have been quicker
        while len(self._labels) >= _SOURCES:
            del self._labels[next(iter(self._labels))]
        self._labels[source] = known  # now the last to be forgotten
        return known


def _intake(batch: Batch, conversion: Conversion) -> Intake:
    reasons = Counter(rejection.kind for rejection in batch.rejected)
    reasons.update(reason for _, reason in conversion.rejected)
    return Intake(
        channel=CHANNEL,
        tally=Tally(
            received=batch.received,
            converted=conversion.converted,
            skipped=conversion.skipped,
            rejected=reasons,
        ),
        lines=conversion.lines,
        position=batch.position,
        last_us=conversion.last_us,
        labels={entity_id: msgspec.json.encode(labels) for entity_id, labels in batch.entities.items()},
    )


def _rejection(batch: Batch, index: int, reason: str) -> Rejection:
    """Return why the event at ``index`` of the decoded ones was refused, in the sender's terms."""
    return Rejection(batch.indices[index], batch.events[index].entity_id, reason)
