"""A request is stored, unless it came before, out of turn, or finds the queue full."""

from dataclasses import dataclass
from typing import Final

from homeiq_server.errors import RetryLater, SequenceHole
from homeiq_server.history.spool.channels import PATIENT
from homeiq_server.history.spool.tables.batches import Batch
from homeiq_server.history.spool.tables.counters import LINES
from homeiq_server.history.spool.tables.dead_letters import Origin
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.model import Intake, Receipt

from .oversize import Parted, part
from .sequence import advance, note_hole, put_again

FULL_RETRY_S: Final = 10.0
HALF_FULL_RETRY_S: Final = 60.0
_PRECISIONS: Final = frozenset({"ns", "us", "ms", "s"})
_MIN_US, _MAX_US = -(2**63), 2**63 - 1  # what a column holds


@dataclass(frozen=True, slots=True)
class Put:
    """What one request asks to be stored, and what its lines were encoded for."""

    intake: Intake
    form: str

    def make(self, tables: Tables, group: Group) -> Receipt | SequenceHole | RetryLater:
        """Store what the request brought, or answer why not."""
        intake = self.intake
        _check(intake)
        if (position := intake.position) is not None:
            last = tables.streams.last_seq(position.source, position.stream)
            if position.seq <= last:
                return put_again(tables, group, intake, position)
            if position.seq > last + 1:
                note_hole(tables, group, intake, position)
                return SequenceHole(expected=last + 1, got=position.seq)
        if intake.lines.count and (refusal := _refusal(tables, group, intake.channel)):
            return refusal
        parted = part(intake.lines)
        origin = _origin(self, group)
        dead_bytes = sum(tables.dead.bury(letter, origin, group.now_us) for letter in parted.letters)
        since_us = None if position is None else advance(tables, group, intake, position)
        tables.dead.count(len(parted.letters), dead_bytes)
        _gather(group, self, parted, since_us)
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


def _refusal(tables: Tables, group: Group, channel: str) -> RetryLater | None:
    """Return why lines of this channel find no room."""
    if group.shortage is not None:
        return RetryLater(group.shortage, after=FULL_RETRY_S)
    limit_bytes = tables.bounds.limit_bytes
    used_bytes = group.used_bytes + group.gathered_bytes
    if channel in PATIENT and used_bytes > limit_bytes // 2:
        return RetryLater(
            f"the spool holds over half of its limit of {limit_bytes} bytes, and what is left is for live events",
            after=HALF_FULL_RETRY_S,
        )
    if tables.bounds.when_full == "refuse" and used_bytes >= limit_bytes:
        return RetryLater(f"the spool holds its limit of {limit_bytes} bytes", after=FULL_RETRY_S)
    return None


def _origin(change: Put, group: Group) -> Origin:
    intake = change.intake
    source = None if intake.position is None else intake.position.source
    return Origin(group.now_us, intake.channel, source, intake.lines.precision, change.form)


def _gather(group: Group, change: Put, parted: Parted, since_us: int | None) -> None:
    intake, lines = change.intake, parted.lines
    channel, tally = intake.channel, intake.tally
    group.counts[channel, "received", ""] += tally.received
    group.counts[channel, "converted", ""] += tally.converted
    for reason, n in tally.skipped.items():
        group.counts[channel, "skipped", reason] += n
    for reason, n in tally.rejected.items():
        group.counts[channel, "rejected", reason] += n
    group.counts[LINES, "spooled", ""] += intake.lines.count
    group.gathered_bytes += len(lines.body)
    if lines.count:
        group.batches.append(
            Batch(
                channel=channel,
                source=None if intake.position is None else intake.position.source,
                form=change.form,
                lines=lines,
                since_us=since_us,
                newest_us=intake.last_us,
            )
        )
