"""What all kinds of batches have in common: when none is taken, how one is stored, and what its sender is told."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from homeiq_server.errors import RetryLater
from homeiq_server.history.points.conversion import Conversion
from homeiq_server.model import Intake, Receipt, Tally
from homeiq_server.rates import Rate
from homeiq_server.wire import Batch, Rejection

_LOGGER = logging.getLogger(__name__)

_FRESH_S: Final = 120  # a sender that waits asks again sooner


class Store(Protocol):
    """Where lines wait for the database."""

    async def put(self, intake: Intake) -> Receipt:
        """Return once all of it is on disk."""
        ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender is told: ``accepted + duplicates + len(rejected)`` is what it sent."""

    accepted: int
    duplicates: int = 0
    rejected: list[Rejection] = []


@dataclass(frozen=True, slots=True)
class _Trouble:
    """The store refuses: since when, when last (monotonic seconds), and in which words."""

    since: float
    latest: float
    error: RetryLater


class Channel:
    """One way into the store, for any number of senders at once.

    Attributes:
        name: Under which its items are counted.
        rate: Items received, by the minute.
        left_out: By reason: parts of items that the database cannot hold, since the start.
    """

    def __init__(self, name: str, store: Store, ready: Callable[[], object], *, level: int = logging.DEBUG) -> None:
        """Begin.

        Args:
            name: See the attribute.
            store: Where lines wait.
            ready: Raises ``RetryLater`` while nothing can be taken.
            level: At which a refusing store is logged.
        """
        self.name = name
        self._level = level
        self.rate = Rate()
        self.left_out: Counter[str] = Counter()
        self._store = store
        self._ready = ready
        self._trouble: _Trouble | None = None
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
        self._ready()

    async def store[Item](self, batch: Batch[Item], conversion: Conversion) -> Receipt:
        """Store a converted batch.

        Raises:
            RetryLater: It cannot be stored now.
            SequenceHole: Batches before this one are missing.
        """
        with self._noticing():
            receipt = await self._store.put(self._intake(batch, conversion))
        self.rate.add(batch.received)
        if not receipt.duplicate:
            self.left_out += Counter(conversion.left_out)
        return receipt

    def _intake[Item](self, batch: Batch[Item], conversion: Conversion) -> Intake:
        reasons = Counter(rejection.kind for rejection in batch.items.bad)
        reasons.update(reason for _, reason in conversion.rejected)
        return Intake(
            channel=self.name,
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

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Keep what the store says for the status, and log when it begins to refuse and when it ends."""
        try:
            yield
        except RetryLater as err:
            now = time.monotonic()
            if self._trouble is None:
                _LOGGER.log(self._level, "%s cannot be stored now, and wait with their senders: %s", self.name, err)
            self._trouble = _Trouble(self._trouble.since if self._trouble else now, now, err)
            raise
        if self._trouble is not None:
            waited_s, level = time.monotonic() - self._trouble.since, min(self._level, logging.INFO)
            _LOGGER.log(level, "%s are accepted again, after %.0f s", self.name, waited_s)
            self._trouble = None


def answer[Item](batch: Batch[Item], receipt: Receipt, late: Sequence[Rejection] = ()) -> Answer:
    """Return what the sender of a batch is told; ``late`` are good items that the conversion rejected."""
    if receipt.duplicate:
        return Answer(accepted=0, duplicates=batch.received)
    rejected = sorted((*batch.items.bad, *late), key=lambda rejection: rejection.index)
    return Answer(accepted=batch.received - len(rejected), rejected=rejected)
