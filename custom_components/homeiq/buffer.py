"""The changes that the app does not have yet: bounded, first in first out, every fate counted."""

import logging
from collections import Counter, deque
from itertools import islice
from typing import Final

from .wire import TIME_US, Batch, Change, Gap

_LOGGER = logging.getLogger(__name__)

# Entities that are told apart among the refused; those beyond count in the total alone.
_NAMED_ENTITIES: Final = 1_000


class Buffer:
    """Holds at most ``limit`` events, waiting and in flight together. When it is full the oldest waiting one goes.

    What is in flight is never pushed out: the app may already have it. At any instant
    ``added == len(buffer) + delivered + lost + refused``. The buffer outlives a reload of the config entry, so that
    a new token or another option costs no event.

    Attributes:
        waiting: Oldest first.
        in_flight: What is being sent; the last one is next. More than one only while a refused batch is divided.
        added: Events taken in.
        delivered: Events that the app has acknowledged.
        lost: Events pushed out by newer ones, for which a gap was reported or is about to be.
        refused: Events that could not be serialised, or that the app will never take.
        refused_by_entity: The same by entity, for at most 1,000 entities.
    """

    def __init__(self, limit: int) -> None:
        self.limit: Final = limit
        self.waiting: deque[Change] = deque()
        self.in_flight: list[Batch] = []
        self.added = self.delivered = self.lost = self.refused = 0
        self.refused_by_entity: Counter[str] = Counter()
        self._room = limit  # for waiting events, beside those in flight
        self._gap: Gap | None = None

    def __len__(self) -> int:
        """Return the number of events whose fate is open."""
        return len(self.waiting) + self.limit - self._room

    def add(self, event: Change) -> None:
        """Take in an event. Runs for every state change, so it does no more than it must."""
        self.added += 1
        self.waiting.append(event)
        if len(self.waiting) > self._room:
            self._lose_oldest()

    def take(self, count: int) -> Batch:
        """Put up to ``count`` of the oldest events in flight, with the gap before them; maybe none."""
        events = list(islice(self.waiting, count))
        for _ in events:
            self.waiting.popleft()
        batch = Batch(events, () if self._gap is None else (self._gap,))
        self._gap = None
        self.fly(batch)
        return batch

    def fly(self, batch: Batch) -> None:
        """Put a batch in flight, to be the next that is sent."""
        self.in_flight.append(batch)
        self._room -= len(batch)

    def land(self) -> Batch:
        """Take the next batch out of the flight; the caller owes each of its events a fate."""
        batch = self.in_flight.pop()
        self._room += len(batch)
        return batch

    def refuse(self, entity_id: str, reason: str) -> None:
        """Count an event that nobody will ever take; warn of each entity once."""
        self.refused += 1
        if entity_id not in self.refused_by_entity:
            if len(self.refused_by_entity) >= _NAMED_ENTITIES:
                return
            _LOGGER.warning("A state of %s is left out, as will be others like it: %s", entity_id, reason)
        self.refused_by_entity[entity_id] += 1

    def _lose_oldest(self) -> None:
        """Give up the oldest waiting event and widen the gap by it."""
        lost_us = self.waiting.popleft()[TIME_US]
        start_us, end_us, count = self._gap or (lost_us - 1, lost_us, 0)
        # The ends are the instants known to be whole, just before the first and just after the last lost event.
        self._gap = (min(start_us, lost_us - 1), max(end_us, lost_us + 1), count + 1)
        self.lost += 1
