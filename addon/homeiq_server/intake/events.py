"""State changes, as they happen or from the past."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from homeiq_server.history.points.conversion import Conversion
from homeiq_server.model import Event, Labels
from homeiq_server.wire import Batch, Rejection

from .channel import Answer, Channel, Store, answer
from .labels import KnownLabels

LIVE: Final = "events"


class Schema(Protocol):
    """What turns events into lines; never raises for any event."""

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        """Return the lines of a batch and each event's fate."""
        ...


class EventIntake(Channel):
    """Accepts batches of events."""

    def __init__(
        self,
        store: Store,
        schema: Callable[[], Schema],
        labels: KnownLabels,
        *,
        name: str = LIVE,
        observe: Callable[[Batch[Event]], None] | None = None,
    ) -> None:
        """Begin.

        Args:
            store: Where lines wait.
            schema: Raises ``RetryLater`` while it is not known what the database can hold.
            labels: What the registries say of each entity.
            name: Under which its events are counted.
            observe: Told of every batch that was stored, once; must not raise.
        """
        # The past waits whenever there is much of the present: that is no trouble.
        super().__init__(name, store, schema, level=logging.WARNING if name == LIVE else logging.DEBUG)
        self._schema = schema
        self._labels = labels
        self._observe = observe

    async def accept(self, batch: Batch[Event]) -> Answer:
        """Store a batch and return what became of it; nothing is acknowledged that is not on disk.

        Raises:
            RetryLater: It cannot be stored now.
            SequenceHole: Batches before this one are missing.
        """
        self.admit()
        known = await self._labels.of(batch.position.source)
        labels = {**known, **batch.entities} if batch.entities else known
        conversion = self._schema().convert(batch.items.good, labels)
        late = [_rejection(batch, place, reason) for place, reason in conversion.rejected]
        receipt = await self.store(batch, conversion)
        if not receipt.duplicate:
            self._labels.tell(batch.position.source, batch.entities)
            if self._observe:
                self._observe(batch)
        return answer(batch, receipt, late)


def _rejection(batch: Batch[Event], place: int, reason: str) -> Rejection:
    """Return why the event at ``place`` of the good ones was refused, in the sender's terms."""
    return Rejection(batch.items.indices[place], batch.items.good[place].entity_id, reason)
