"""Hands the recorder's hourly long-term statistics to the app."""

from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from homeassistant.core import valid_entity_id
from homeassistant.helpers.json import json_bytes

from .errors import Busy, OutOfTurn
from .recorder_history import RecorderHistory
from .recorder_tables import STATISTICS, RecordedStatistic
from .supply import Link
from .wire import Stream


@dataclass(slots=True)
class StatisticsReport:
    """What came of an import, in hours of one statistic each.

    Attributes:
        read: Found in the recorder.
        sent: Handed to the app; the others are of entities that are not forwarded.
        accepted: The app has them, some perhaps since an earlier import.
        rejected: The app will never take them.
        statistic_ids: Of which statistics they are.
    """

    read: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    statistic_ids: set[str] = field(default_factory=set)


class StatisticsImport:
    """One import, under a stream of its own."""

    def __init__(self, link: Link, history: RecorderHistory) -> None:
        self.report: Final = StatisticsReport()
        self._link = link
        self._history = history
        self._stream = Stream(link.source, 0)

    async def async_run(self, start_us: int, end_us: int, statistic_ids: Collection[str] | None) -> StatisticsReport:
        """Hand over the hours that begin between two instants: of some statistics, or of all that are forwarded.

        Raises:
            AppError: The app refuses, or was away for too long.
            RecorderFault: The recorder cannot be read.
        """
        await self._history.async_settle()
        async with aclosing(self._history.async_pages(STATISTICS, start_us, end_us, statistic_ids)) as pages:
            async for rows in pages:
                self.report.read += len(rows)
                await self._send([row for row in rows if self._forwards(row.statistic_id)])
        return self.report

    def _forwards(self, statistic_id: str) -> bool:
        """Return whether a statistic is wanted; those that are of no entity always are."""
        return not valid_entity_id(statistic_id) or self._link.entity_filter.async_forwards(statistic_id)

    async def _send(self, rows: Sequence[RecordedStatistic]) -> None:
        if not rows:
            return
        report = self.report
        report.sent += len(rows)
        report.statistic_ids.update(row.statistic_id for row in rows)
        try:
            await self._post(rows)
        except OutOfTurn as err:
            if self._stream.seq == 1:
                raise Busy(f"the app takes no new stream: {err}") from err
            self._stream = Stream(self._link.source, 0)
            await self._post(rows)

    async def _post(self, rows: Sequence[RecordedStatistic]) -> None:
        stream, client = self._stream, self._link.client
        plain = [tuple(row) for row in rows]  # the encoder leaves named tuples to its slow fallback
        body = json_bytes({"source": stream.source, "stream": stream.id, "seq": stream.seq, "rows": plain})
        receipt = await self._link.lane.send(lambda: client.statistics(body))
        stream.seq += 1
        self.report.rejected += len(receipt.rejected)
        self.report.accepted += len(rows) - len(receipt.rejected)
