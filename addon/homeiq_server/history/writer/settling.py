"""Rows that the database has acknowledged but may still lose: sent is not yet written.

VictoriaMetrics 1.145, killed, lost the last seconds of what it had answered 204 to. A row leaves the spool only after
the target's settling time, and only when the database's process is still the one that acknowledged it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from homeiq_server.history.spool import Settled

MAX_ROWS: Final = 20_000
"""Bounds memory; the backlog waits while so many rows settle."""

_RESERVED: Final = 5_000  # for fresh rows, which need not wait for the backlog's


@dataclass(frozen=True, slots=True)
class Sent:
    """A row on its way to be written.

    Attributes:
        result: What becomes of it if the database keeps it.
        due: Monotonic time from which it can be relied upon.
        epoch: The database's process, as last seen before the row was sent; None when parts of it went to several.
    """

    result: Settled
    due: float
    epoch: str | None


class Settling:
    """First in, first out."""

    def __init__(self) -> None:
        self._rows: deque[Sent] = deque()
        self.lines = 0  # that wait here to be counted written

    @property
    def has_room_for_backlog(self) -> bool:
        """Whether rows may be sent that can wait."""
        return len(self._rows) < MAX_ROWS

    @property
    def is_full(self) -> bool:
        """Whether no more may be sent for now."""
        return len(self._rows) >= MAX_ROWS + _RESERVED

    @property
    def due(self) -> float | None:
        """When the oldest row can be settled, in monotonic time; None when there is none."""
        return self._rows[0].due if self._rows else None

    def lost(self, epoch: str) -> bool:
        """Whether rows are here that another process than the one of ``epoch`` acknowledged."""
        return bool(self._rows) and self._rows[0].epoch != epoch

    def add(self, rows: Sequence[Sent]) -> None:
        """Keep rows until they are due."""
        self._rows.extend(rows)
        self.lines += sum(row.result.written for row in rows)

    def take_due(self, now: float, epoch: str) -> list[Settled]:
        """Remove and return the results of the rows that are due; those of another epoch stay."""
        results: list[Settled] = []
        while self._rows and self._rows[0].due <= now and self._rows[0].epoch == epoch:
            results.append(self._rows.popleft().result)
        self.lines -= sum(result.written for result in results)
        return results

    def clear(self) -> int:
        """Forget all, because it will be sent again; return how many lines."""
        lines, self.lines = self.lines, 0
        self._rows.clear()
        return lines
