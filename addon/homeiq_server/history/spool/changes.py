"""What a request changes in the tables: the rules of sequence and the rules of settling.

Each function works inside a part of an open transaction. It writes to the tables first and to memory (the
group, the sums) last, where nothing can fail any more: so a part that fails leaves no trace in either.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from homeiq_server.errors import RetryLater, SequenceHole
from homeiq_server.model import Intake, Position, Receipt

from .batches import Batch
from .counters import LINES, Key
from .rows import Settled
from .tables import Group, Tables
from .totals import KnownGap

LIVE: Final = "events"  # the channel whose events follow each other without a hole, and can so leave one
FULL_RETRY_S: Final = 10.0
_PRECISIONS: Final = frozenset({"ns", "us", "ms", "s"})
_MIN_US, _MAX_US = -(2**63), 2**63 - 1  # what a column holds


@dataclass(frozen=True, slots=True)
class Put:
    """What one request asks to be stored, and what its lines were encoded for."""

    intake: Intake
    form: str


def put(tables: Tables, group: Group, change: Put, *, limit_bytes: int) -> Receipt | SequenceHole | RetryLater:
    """Store what one request brought, unless it came before, out of turn, or finds the queue full.

    Raises:
        ValueError: The request's own numbers contradict each other.
        OverflowError: A time is beyond 64 bits.
    """
    intake = change.intake
    _check(intake)
    if (position := intake.position) is not None:
        last = tables.streams.last_seq(position.source, position.stream)
        if position.seq <= last:
            return _put_again(tables, group, intake, position)
        if position.seq > last + 1:
            _note_hole(tables, group, intake, position)
            return SequenceHole(expected=last + 1, got=position.seq)
    if intake.lines.count and tables.queue.stored_bytes >= limit_bytes:
        return RetryLater(f"the spool holds its limit of {limit_bytes} bytes", after=FULL_RETRY_S)
    since_us = None if position is None else _advance(tables, group, intake, position)
    _gather(group, change, since_us)
    return Receipt()


def _check(intake: Intake) -> None:
    tally, lines = intake.tally, intake.lines
    accounted = tally.converted + sum(tally.skipped.values()) + sum(tally.rejected.values())
    if tally.received != accounted:
        raise ValueError(f"{tally.received} items received, {accounted} accounted for: {tally}")
    found = lines.body.count(b"\n") + 1 if lines.body else 0
    if lines.count != found:
        raise ValueError(f"{lines.count} lines announced, {found} found")
    if lines.precision not in _PRECISIONS:
        raise ValueError(f"precision is {lines.precision!r}, and must be one of {sorted(_PRECISIONS)}")
    if intake.last_us is not None and not _MIN_US <= intake.last_us <= _MAX_US:
        raise OverflowError(f"last_us is {intake.last_us}, which is no time")


def _put_again(tables: Tables, group: Group, intake: Intake, position: Position) -> Receipt:
    """Count a batch that had been stored before: its sender did not get the answer."""
    whole_us = tables.sources.whole_us(position.source)
    tables.streams.advance(position.source, position.stream, position.seq, group.now_us)
    tables.sources.seen(position.source, whole_us=whole_us, now_us=group.now_us)
    group.counts[intake.channel, "received", ""] += intake.tally.received
    group.counts[intake.channel, "duplicate", ""] += intake.tally.received
    return Receipt(duplicate=True)


def _note_hole(tables: Tables, group: Group, intake: Intake, position: Position) -> None:
    """Open a gap where batches are missing that their sender holds for stored.

    This file is older than the sender's memory, a restored backup perhaps. The sender begins a new stream,
    but cannot know what is missing.
    """
    whole_us = tables.sources.whole_us(position.source)
    if intake.channel != LIVE or whole_us is None:
        return
    end_us = group.now_us if intake.last_us is None else intake.last_us
    gap = KnownGap(source=position.source, start_us=whole_us, end_us=end_us, events=None, reason="hole")
    tables.gaps.extend(gap, group.now_us)
    tables.gaps.join_surplus(position.source)


def _advance(tables: Tables, group: Group, intake: Intake, position: Position) -> int | None:
    """Move the stream and its source on, note gaps and labels; return up to when the source was whole."""
    source, now_us = position.source, group.now_us
    is_live = intake.channel == LIVE
    started_us = position.started_us if is_live and position.seq == 1 else None
    before_us = tables.sources.whole_us(source)
    for gap in _gaps(position, before_us, started_us):
        tables.gaps.open(gap, now_us)
    tables.gaps.join_surplus(source)
    tables.streams.advance(source, position.stream, position.seq, now_us)
    # An event from the future, of a clock that went wrong, must not hide the gaps until that time has come.
    live_us = [min(time_us, now_us) for time_us in (started_us, intake.last_us) if is_live and time_us is not None]
    known_us = live_us if before_us is None else [before_us, *live_us]
    tables.sources.seen(source, whole_us=max(known_us, default=None), now_us=now_us)
    tables.labels.keep(source, intake.labels, now_us)
    return before_us if is_live else None


def _gaps(position: Position, whole_us: int | None, started_us: int | None) -> Iterator[KnownGap]:
    """Yield the stretch in which no forwarder of a known source ran, and those that its forwarder lost."""
    source = position.source
    if whole_us is not None and started_us is not None:
        yield KnownGap(source=source, start_us=whole_us, end_us=started_us, events=None, reason="restart")
    for gap in position.gaps:
        yield KnownGap(source=source, start_us=gap.start_us, end_us=gap.end_us, events=gap.events, reason="overflow")


def _gather(group: Group, change: Put, since_us: int | None) -> None:
    intake = change.intake
    channel, tally = intake.channel, intake.tally
    group.counts[channel, "received", ""] += tally.received
    group.counts[channel, "converted", ""] += tally.converted
    for reason, n in tally.skipped.items():
        group.counts[channel, "skipped", reason] += n
    for reason, n in tally.rejected.items():
        group.counts[channel, "rejected", reason] += n
    if intake.lines.count:
        group.batches.append(
            Batch(
                channel=channel,
                source=None if intake.position is None else intake.position.source,
                form=change.form,
                lines=intake.lines,
                since_us=since_us,
                newest_us=intake.last_us,
            )
        )


def settle(tables: Tables, group: Group, results: Sequence[Settled]) -> None:
    """Take rows out of the queue: written, dead and dropped lines are counted, dead ones kept.

    A row that is no longer there has been accounted for by whoever took it away, and is passed over.

    Raises:
        ValueError: A result does not account for exactly the lines of its row.
    """
    counts: Counter[Key] = Counter()
    dead_lines = dead_bytes = 0
    gone = []
    for result in results:
        if (row := tables.queue.remove(result.row_id)) is None:
            continue
        if row.lines != result.count():
            raise ValueError(f"row {result.row_id} holds {row.lines} lines, {result.count()} are settled")
        gone.append(row)
        counts[LINES, "written", ""] += result.written
        for reason, n in result.dropped.items():
            counts[LINES, "dropped", reason] += n
        for letter in result.dead:
            dead_bytes += tables.dead.bury(letter, row, group.now_us)
            dead_lines += letter.count
    for row in gone:
        tables.queue.forget(row)
    tables.dead.count(dead_lines, dead_bytes)
    group.counts.update(counts)
