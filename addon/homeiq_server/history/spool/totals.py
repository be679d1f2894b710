"""The numbers that account for every item and every line, and the two laws that they keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type WhenFull = Literal["refuse", "drop_oldest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTotals:
    """What became of everything that one channel received.

    Attributes:
        received: Items that requests held, repeated requests included.
        converted: Items for which there was something to store.
        duplicate: Items of batches that had been stored before.
        skipped: By reason: nothing to store for the item.
        rejected: By reason: the item could not be understood.
    """

    received: int = 0
    converted: int = 0
    duplicate: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)

    def accounted(self) -> int:
        """Return the items whose fate is known; the law says it equals ``received``."""
        return self.converted + self.duplicate + sum(self.skipped.values()) + sum(self.rejected.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTotals:
    """Where the lines are that were ever stored.

    Attributes:
        spooled: Lines ever stored.
        written: Lines that a database has for good.
        queued: Lines that wait now.
        dead: Lines that lie among the dead letters now.
        dropped: By reason: lines given up.
    """

    spooled: int = 0
    written: int = 0
    queued: int = 0
    dead: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    def accounted(self) -> int:
        """Return the lines whose place is known; the law says it equals ``spooled``."""
        return self.written + self.queued + self.dead + sum(self.dropped.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGap:
    """A stretch of time for which a source's events are missing.

    Attributes:
        source: The Home Assistant instance; the channel for lines that no instance can supply again.
        start_us: The last instant known to be whole.
        end_us: The first instant known to be whole again.
        events: How many are missing, or None when nobody counted.
        reason: ``restart`` (the forwarder was not running), ``overflow`` (its buffer was full), ``hole``
            (batches that we should have are not here), ``dropped`` (the queue was full, and the oldest rows went) or
            ``damage`` (the spool's file was damaged, and not all of it could be salvaged).
        is_open: False once a backfill has covered it; lines that no backfill can supply leave a closed one.
        missed: Of a closed one, how many nobody could supply; None when nobody counted.
    """

    source: str
    start_us: int
    end_us: int
    events: int | None
    reason: str
    is_open: bool = True
    missed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTotals:
    """How far one source has come.

    Attributes:
        source: The Home Assistant instance, its instance uuid.
        last_event_us: Up to here its events are known to have come, gaps apart; None before the first.
        last_seen_us: When its last batch came, by our clock.
    """

    source: str
    last_event_us: int | None
    last_seen_us: int


@dataclass(frozen=True, slots=True)
class SalvageTotals:
    """What came of a damaged file, for as long as its copy lies beside the new one.

    Attributes:
        copy: Its path.
        is_running: There is more of it to read.
        left: Lines that lay in it and have not been found yet; among the queued ones of ``LineTotals``.
        found: Lines that have been found and are queued or dead again.
        lost: Lines that were not found, known at the end; among the dropped ones, for ``damage``.
    """

    copy: str
    is_running: bool
    left: int
    found: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The spool as of its last commit. Never changes once published.

    Attributes:
        intake: By channel; a channel appears with its first item.
        lines: Of all channels together.
        missed: Events that a gap held and no backfill could supply.
        queued_bytes: What the queue takes of the disk, the dead letters apart.
        limit_bytes: Where it is full.
        when_full: Whether new lines are refused then, or the oldest dropped.
        is_filling: The queue came over 80 % of its limit, and has not fallen below 70 % since.
        dropping_since_us: When the oldest rows began to be dropped; None while they are not.
        dead_bytes: What the dead letters occupy on disk.
        newest_row_id: Of the queued rows; 0 when none waits.
        oldest_accepted_us: When the oldest queued row was accepted; None when none waits.
        open_gaps: How many.
        newest_gaps: At most ten, open or closed, newest first.
        sources: At most a hundred, last seen first.
        shortage: Why the disk has no room for lines; None while it has.
        salvage: Of a damaged file that was set aside; None when there is none.
        commit_s: Seconds that the latest commits took, at most 512 of them, latest last.
    """

    intake: Mapping[str, ChannelTotals] = field(default_factory=dict)
    lines: LineTotals = field(default_factory=LineTotals)
    missed: int = 0
    queued_bytes: int = 0
    limit_bytes: int = 0
    when_full: WhenFull = "refuse"
    is_filling: bool = False
    dropping_since_us: int | None = None
    dead_bytes: int = 0
    newest_row_id: int = 0
    oldest_accepted_us: int | None = None
    open_gaps: int = 0
    newest_gaps: tuple[KnownGap, ...] = ()
    sources: tuple[SourceTotals, ...] = ()
    shortage: str | None = None
    salvage: SalvageTotals | None = None
    commit_s: tuple[float, ...] = ()

    @property
    def fill(self) -> float:
        """The part of the limit that is taken; 1 and more when the queue is full."""
        return self.queued_bytes / self.limit_bytes if self.limit_bytes else 0.0

    def imbalances(self) -> list[str]:
        """Return one sentence for each law that does not hold, with its numbers; empty when all is well."""
        faults = [
            f"{channel}: received {totals.received} items, but {totals.accounted()} are accounted for: {totals}"
            for channel, totals in self.intake.items()
            if totals.received != totals.accounted()
        ]
        if self.lines.spooled != self.lines.accounted():
            faults.append(
                f"spooled {self.lines.spooled} lines, but {self.lines.accounted()} are accounted for: {self.lines}"
            )
        return faults

    def commit_percentile_s(self, percent: int) -> float | None:
        """Return the seconds within which ``percent`` of the latest commits ended; None before the first."""
        if not self.commit_s:
            return None
        return sorted(self.commit_s)[(len(self.commit_s) - 1) * percent // 100]
