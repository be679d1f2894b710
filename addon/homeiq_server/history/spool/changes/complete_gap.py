"""Which stretches of a source's past are not known to be whole, and how a backfill makes them so."""

from dataclasses import dataclass, replace
from typing import Final

from homeiq_server.history.spool.tables.counters import GAPS
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables

BEFORE: Final = "before"


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time for which events may be missing.

    Attributes:
        start_us: The last instant known to be whole, or where the question begins.
        end_us: The first instant known to be whole again, or where the question ends.
        events: How many are missing; None when nobody counted, or when the question cuts the gap.
        reason: A gap's, or ``before``: the source's live events had not begun to come.
    """

    start_us: int
    end_us: int
    events: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """What a backfill has closed: how many gaps, wholly or in part; and how many of the source are still open."""

    closed: int
    open: int


def uncovered(tables: Tables, source: str, start_us: int, end_us: int) -> list[Range]:
    """Return what is not known to be whole between two times, in order and without overlap."""
    ranges = [
        Range(
            max(gap.start_us, start_us),
            min(gap.end_us, end_us),
            gap.events if start_us <= gap.start_us and gap.end_us <= end_us else None,
            gap.reason,
        )
        for _, _, _, gap in tables.gaps.overlapping(source, start_us, end_us)
    ]
    covered_us = tables.sources.covered_us(source)
    before_us = end_us if covered_us is None else min(covered_us, end_us)
    if start_us < before_us:
        ranges.append(Range(start_us, before_us, None, BEFORE))
    return _joined(sorted(ranges, key=lambda part: part.start_us))


def _joined(ranges: list[Range]) -> list[Range]:
    """Join those that overlap; the first one's reason stands for all."""
    joined: list[Range] = []
    for part in ranges:
        if joined and part.start_us < (last := joined[-1]).end_us:
            joined[-1] = replace(last, end_us=max(last.end_us, part.end_us), events=None)
        else:
            joined.append(part)
    return joined


@dataclass(frozen=True, slots=True)
class CompleteGap:
    """The backfill of a stretch is complete: the gaps inside are closed, those that reach beyond lose that part.

    Attributes:
        source: The Home Assistant instance.
        start_us: Where the stretch begins.
        end_us: Where it ends.
        missed: Events in it that the recorder could not supply; None when nobody counted. They are counted when a gap
            is closed, and stand with the first one.
    """

    source: str
    start_us: int
    end_us: int
    missed: int | None = None

    def make(self, tables: Tables, group: Group) -> Completed:
        """Do so, and let the source's coverage begin earlier when the stretch leads up to it."""
        if self.start_us >= self.end_us:
            raise ValueError(f"the stretch from {self.start_us} to {self.end_us} has no length")
        if self.missed is not None and self.missed < 0:
            raise ValueError(f"{self.missed} events cannot have been missed")
        found = tables.gaps.overlapping(self.source, self.start_us, self.end_us)
        for n, gap in enumerate(found):
            missed = None if n else self.missed
            tables.gaps.close(gap, self.start_us, self.end_us, missed=missed, now_us=group.now_us)
        tables.sources.cover(self.source, self.start_us, self.end_us)
        still_open = tables.gaps.count_open(self.source)
        if found:
            group.counts[GAPS, "missed", ""] += self.missed or 0
        return Completed(closed=len(found), open=still_open)
