"""How the writer does, in numbers."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.spool import Row
from homeiq_server.history.target import Identity
from homeiq_server.rates import Rate

from .draft import Changes

_WINDOW: Final = 512

type WriterState = Literal["starting", "ok", "unreachable", "refusing", "misconfigured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterReport:
    """The writer's state for the status.

    Attributes:
        state: ``starting`` until the database was reached once; ``unreachable`` when it does not answer, ``refusing``
            when it answers that it cannot now, ``misconfigured`` when a person has to mend a setting.
        identity: Who answers, or None when it is not known yet.
        error: One line for people; None when all is well.
        category: What kind of fault the error is.
        retry_in_s: Seconds until the next try; None when all is well.
        last_write_us: When the database last acknowledged lines, by our clock.
        newest_written_us: The newest event's time among what it has acknowledged.
        settling: Lines that it has acknowledged and that are not counted written yet.
        write_p50_s: Seconds from a request to its 2xx, the median of the latest 512.
        write_p99_s: The same, the 99th percentile.
        accepted_to_written_p99_s: Seconds from a row's commit in the spool to its 2xx, of the latest 512 rows.
        lines_written_per_minute: Lines counted written in the last minute.
        catching_up: Whether lines from before the database's latest return may still wait.
        sent_again: Lines that it had acknowledged and that were sent again, because it restarted before they settled.
        coerced: Fields sent as another type, because the database has them so and nothing is lost.
        diverted: Fields sent under another key, ``<field>_<type>``, because the database has them as another type.
    """

    state: WriterState
    identity: Identity | None
    error: str | None
    category: Category | None
    retry_in_s: float | None
    last_write_us: int | None
    newest_written_us: int | None
    settling: int
    write_p50_s: float | None
    write_p99_s: float | None
    accepted_to_written_p99_s: float | None
    lines_written_per_minute: float
    catching_up: bool
    sent_again: int
    coerced: int
    diverted: int


class Meter:
    """Measures what the report tells, over bounded windows.

    Attributes:
        last_write_us: As in the report.
        newest_written_us: As in the report.
        write_s: Seconds that requests took.
        accepted_to_written_s: Seconds that rows took.
        rate: Of lines counted written.
        sent_again, coerced, diverted: As in the report.
    """

    def __init__(self) -> None:
        self.last_write_us: int | None = None
        self.newest_written_us: int | None = None
        self.write_s: deque[float] = deque(maxlen=_WINDOW)
        self.accepted_to_written_s: deque[float] = deque(maxlen=_WINDOW)
        self.rate = Rate()
        self.sent_again = 0
        self.coerced = 0
        self.diverted = 0

    def acknowledged(self, rows: Iterable[Row]) -> None:
        """Measure rows that the database has just answered with 2xx."""
        now_us = time.time_ns() // 1_000
        self.last_write_us = now_us
        for row in rows:
            # By the wall clock, because a row may be older than this process; a clock set back counts as no time.
            self.accepted_to_written_s.append(max(now_us - row.accepted_us, 0) / 1_000_000)
            if row.newest_us is not None:
                self.newest_written_us = max(self.newest_written_us or row.newest_us, row.newest_us)

    def written(self, lines: int) -> None:
        """Measure lines that the spool has just counted written."""
        self.rate.add(lines)

    def changed(self, changes: Changes) -> None:
        """Count fields that were not sent as they are."""
        self.coerced += changes.coerced
        self.diverted += changes.diverted


def state_of(refusal: Refusal | None, identity: Identity | None) -> WriterState:
    """Name the state that the latest failure, or its absence, means."""
    if refusal is None:
        return "starting" if identity is None else "ok"
    if refusal.action is Action.HOLD:
        return "misconfigured"
    return "unreachable" if refusal.status is None else "refusing"


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the value that ``percent`` of the values do not exceed; None when there are none."""
    return sorted(values)[(len(values) - 1) * percent // 100] if values else None
