"""Hands stretches of the recorder to the app, under a stream of their own."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import batched
from typing import Final

from homeassistant.core import HomeAssistant

from .buffer import Buffer
from .client import AppClient, Receipt
from .coverage import Stretch
from .delivery import SLICE_EVENTS, Delivery
from .filters import EntityFilter
from .labels import EntityLabels
from .recorded_changes import RecordedChanges
from .recorder_history import RecorderHistory
from .recorder_tables import STATES, RecordedState
from .slow_lane import SlowLane
from .wire import Stream


@dataclass(frozen=True, slots=True)
class Link:
    """What whoever hands over the past needs: the home, its app, and the way there.

    Attributes:
        source: This Home Assistant, by its instance uuid.
        entity_filter: What is forwarded; it holds for the past as well.
    """

    hass: HomeAssistant
    client: AppClient
    lane: SlowLane
    source: str
    entity_filter: EntityFilter


@dataclass(slots=True)
class Report:
    """What came of a backfill, in changes.

    Attributes:
        ranges: Stretches of time that were read.
        read: Found in the recorder.
        sent: Handed to the app; the others are of entities that are not forwarded.
        accepted: The app has them.
        rejected: The app will never take them.
        skipped_covered: Left in the recorder, because the app has them.
    """

    ranges: int = 0
    read: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped_covered: int = 0


class Supply:
    """One run of a backfill. What an app does with a batch is the ``Delivery``'s business, as with live events.

    Attributes:
        report: What came of it so far.
    """

    def __init__(self, link: Link, history: RecorderHistory) -> None:
        self.report: Final = Report()
        self._lane = link.lane
        self._filter = link.entity_filter
        self._history = history
        self._changes = RecordedChanges(link.hass)
        self._labels = EntityLabels(link.hass)
        self._buffer = Buffer(STATES.page)
        self._delivery = Delivery(_Backfilled(link.client), self._buffer, self._labels, Stream(link.source, 0))
        self._forwarded: dict[str, bool] = {}

    async def async_hand_over(self, stretch: Stretch, entity_ids: Collection[str] | None = None) -> int:
        """Hand over what the recorder has in a stretch; return how many changes that was.

        Raises:
            AppError: The app refuses, or was away for too long.
            RecorderFault: The recorder cannot be read.
        """
        before = self.report.sent
        self.report.ranges += 1
        stop = self._labels.async_listen()
        try:
            async with aclosing(
                self._history.async_pages(STATES, stretch.start_us, stretch.end_us, entity_ids)
            ) as pages:
                async for rows in pages:
                    await self._send(rows)
        finally:
            stop()
        return self.report.sent - before

    async def _send(self, rows: Sequence[RecordedState]) -> None:
        buffer, report = self._buffer, self.report
        report.read += len(rows)
        for some in batched(rows, SLICE_EVENTS, strict=False):
            for change in self._changes.async_changes(row for row in some if self._forwards(row.entity_id)):
                buffer.add(change)
            await asyncio.sleep(0)
        report.sent += len(buffer)
        while buffer:
            await self._lane.send(self._delivery.send_next)
        report.accepted, report.rejected = buffer.delivered, buffer.refused

    def _forwards(self, entity_id: str) -> bool:
        if (known := self._forwarded.get(entity_id)) is None:
            known = self._forwarded[entity_id] = self._filter.async_forwards(entity_id)
        return known


class _Backfilled:
    """The app as a ``Delivery`` of recorded changes sees it."""

    def __init__(self, client: AppClient) -> None:
        self._client = client

    async def send(self, body: bytes) -> Receipt:
        """Hand over a batch."""
        return await self._client.backfill(body)
