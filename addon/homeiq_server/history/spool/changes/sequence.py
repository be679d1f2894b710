"""The rules of sequence: which batch of a stream is next, and what its place tells of missing events."""

from collections.abc import Iterator

from homeiq_server.history.spool.channels import LIVE
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.history.spool.totals import KnownGap
from homeiq_server.model import Intake, Position, Receipt


def put_again(tables: Tables, group: Group, intake: Intake, position: Position) -> Receipt:
    """Count a batch that had been stored before: its sender did not get the answer."""
    tables.streams.advance(position.source, position.stream, position.seq, group.now_us)
    tables.sources.seen(position.source, whole_us=_whole_us(tables, group, position.source), now_us=group.now_us)
    group.counts[intake.channel, "received", ""] += intake.tally.received
    group.counts[intake.channel, "duplicate", ""] += intake.tally.received
    return Receipt(duplicate=True)


def note_hole(tables: Tables, group: Group, intake: Intake, position: Position) -> None:
    """Open a gap where batches are missing that their sender holds for stored.

    This file is older than the sender's memory, a restored backup perhaps. The sender begins a new stream,
    but cannot know what is missing.
    """
    whole_us = _whole_us(tables, group, position.source)
    if intake.channel != LIVE or whole_us is None:
        return
    end_us = group.now_us if intake.last_us is None else intake.last_us
    gap = KnownGap(source=position.source, start_us=whole_us, end_us=end_us, events=None, reason="hole")
    has_grown = tables.gaps.extend(gap, group.now_us)
    tables.gaps.join_surplus(position.source)
    if has_grown:
        group.gaps.append(gap)


def advance(tables: Tables, group: Group, intake: Intake, position: Position) -> int | None:
    """Move the stream and its source on, note gaps and labels; return from when on its lines cover the source."""
    source, now_us = position.source, group.now_us
    is_live = intake.channel == LIVE
    started_us = position.started_us if is_live and position.seq == 1 else None
    before_us = _whole_us(tables, group, source)
    opened = [gap for gap in _gaps(position, before_us, started_us) if tables.gaps.open(gap, now_us)]
    tables.gaps.join_surplus(source)
    tables.streams.advance(source, position.stream, position.seq, now_us)
    # An event from the future, of a clock that went wrong, must not hide the gaps until that time has come.
    live_us = [min(time_us, now_us) for time_us in (started_us, intake.last_us) if is_live and time_us is not None]
    known_us = live_us if before_us is None else [before_us, *live_us]
    covered_us = min(live_us, default=now_us) if is_live else None
    tables.sources.seen(source, whole_us=max(known_us, default=None), now_us=now_us, covered_us=covered_us)
    tables.labels.keep(source, intake.labels, now_us)
    group.gaps += opened
    if not is_live:
        return None
    return covered_us if before_us is None else before_us


def _whole_us(tables: Tables, group: Group, source: str) -> int | None:
    """Return up to when the source's events have come.

    Never later than now: a clock that was ahead and has been set back would hide every gap until then.
    """
    whole_us = tables.sources.whole_us(source)
    return None if whole_us is None else min(whole_us, group.now_us)


def _gaps(position: Position, whole_us: int | None, started_us: int | None) -> Iterator[KnownGap]:
    """Yield the stretch in which no forwarder of a known source ran, and those that its forwarder lost."""
    source = position.source
    if whole_us is not None and started_us is not None:
        yield KnownGap(source=source, start_us=whole_us, end_us=started_us, events=None, reason="restart")
    for gap in position.gaps:
        yield KnownGap(source=source, start_us=gap.start_us, end_us=gap.end_us, events=gap.events, reason="overflow")
