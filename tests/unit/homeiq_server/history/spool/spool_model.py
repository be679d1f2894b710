"""What a spool must know, as plain Python keeps it: lists of lines, and stretches of time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from homeiq_server.errors import RetryLater, SequenceHole
from homeiq_server.history.spool.channels import LIVE, OF_SOURCE, OWN, PATIENT
from homeiq_server.history.spool.rows import Row, Settled
from homeiq_server.model import Intake, Position, Receipt

type Outcome = Receipt | Exception


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """One line, who sent it, and when its event was."""

    line: bytes
    channel: str
    source: str = ""

    @property
    def time_us(self) -> int:
        return int(self.line.rpartition(b" ")[2])


def waiting(channel: str, source: str | None, body: bytes) -> list[Waiting]:
    return [Waiting(line, channel, source or "") for line in body.split(b"\n")] if body else []


class Stretches:
    """A set of instants, as stretches ``[start, end)``."""

    def __init__(self, some: Iterable[tuple[int, int]] = ()) -> None:
        self._some: list[tuple[int, int]] = []
        for start, end in some:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        if start < end:
            apart = [(a, b) for a, b in self._some if b < start or a > end]
            touching = [(a, b) for a, b in self._some if b >= start and a <= end]
            joined = min([start, *(a for a, _ in touching)]), max([end, *(b for _, b in touching)])
            self._some = sorted([*apart, joined])

    def remove(self, start: int, end: int) -> None:
        left = [(a, min(b, start)) for a, b in self._some]
        right = [(max(a, end), b) for a, b in self._some]
        self._some = sorted((a, b) for a, b in (*left, *right) if a < b)

    def holds(self, start: int, end: int) -> bool:
        return any(a <= start and end <= b for a, b in self._some)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._some)


@dataclass
class Source:
    """What is known of one Home Assistant.

    Attributes:
        noted: Stretches that the rules of sequence found missing.
        lost: Instants of lines that were dropped.
    """

    whole_us: int | None = None
    covered_us: int | None = None
    noted: Stretches = field(default_factory=Stretches)
    lost: Stretches = field(default_factory=Stretches)


class Model:
    """The spool without a disk; its limits are asked of it before each commit, and its drops told after it."""

    def __init__(self) -> None:
        self.seqs: Counter[tuple[str, str]] = Counter()
        self.sources: dict[str, Source] = {}
        self.queued: list[Waiting] = []
        self.dead: list[Waiting] = []
        self.items: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.room_bytes = self.patient_room_bytes = 0
        self.refuses = True

    def begin(self, *, used_bytes: int, limit_bytes: int, refuses: bool) -> None:
        """Note what a commit finds."""
        self.room_bytes = limit_bytes - used_bytes
        self.patient_room_bytes = limit_bytes // 2 - used_bytes
        self.refuses = refuses

    def put(self, request: Intake, now_us: int) -> Outcome:
        position, received = request.position, request.tally.received
        if position is not None:
            last = self.seqs[position.source, position.stream]
            if position.seq <= last:
                self._see(position.source, now_us)
                self.items.update(received=received, duplicate=received)
                return Receipt(duplicate=True)
            if position.seq > last + 1:
                self._note_hole(request, position, now_us)
                return SequenceHole(expected=last + 1, got=position.seq)
        if request.lines.count and self._is_full(request.channel):
            return RetryLater("full")
        if position is not None:
            self._advance(request, position, now_us)
        self.items["received"] += received
        self.lines["spooled"] += request.lines.count
        self.room_bytes -= len(request.lines.body)
        self.patient_room_bytes -= len(request.lines.body)
        self.queued += waiting(request.channel, position.source if position else None, request.lines.body)
        return Receipt()

    def _is_full(self, channel: str) -> bool:
        return (self.refuses and self.room_bytes <= 0) or (channel in PATIENT and self.patient_room_bytes < 0)

    def _see(self, name: str, now_us: int) -> Source:
        source = self.sources.setdefault(name, Source())
        if source.whole_us is not None:
            source.whole_us = min(source.whole_us, now_us)
        return source

    def _note_hole(self, request: Intake, position: Position, now_us: int) -> None:
        source = self.sources.get(position.source)
        if request.channel == LIVE and source is not None and source.whole_us is not None:
            source.noted.add(min(source.whole_us, now_us), request.last_us or now_us)

    def _advance(self, request: Intake, position: Position, now_us: int) -> None:
        source = self._see(position.source, now_us)
        self.seqs[position.source, position.stream] = position.seq
        if request.channel != LIVE:
            return
        assert request.last_us is not None
        started_us = position.started_us if position.seq == 1 else None
        if source.whole_us is not None and started_us is not None:
            source.noted.add(source.whole_us, started_us)
        if source.covered_us is None:
            source.covered_us = request.last_us if started_us is None else started_us
        source.whole_us = max(request.last_us, source.whole_us or started_us or 0)

    def tell_own(self, lines: Sequence[Waiting]) -> None:
        """The spool has queued points of its own."""
        self.lines["spooled"] += len(lines)
        self.queued += lines

    def drop(self, lines: Sequence[Waiting]) -> None:
        """The spool has made room."""
        for line in lines:
            self.queued.remove(line)
            assert line.channel != OWN
            if line.channel in OF_SOURCE:
                self.sources[line.source].lost.add(line.time_us, line.time_us + 1)
            else:
                self.lines["missed"] += 1
        self.lines["dropped"] += len(lines)

    def settle(self, row: Row, result: Settled) -> None:
        """Its first lines are dead, the next ones dropped, the rest written."""
        lines = waiting(row.channel, row.source, row.body())
        for line in lines:
            self.queued.remove(line)
        dead, dropped = sum(letter.count for letter in result.dead), sum(result.dropped.values())
        self.dead += lines[:dead]
        self.lines.update(written=result.written, dropped=dropped)

    def replay(self, lines: Sequence[bytes]) -> None:
        self.queued += self._unbury(lines)

    def discard(self, lines: Sequence[bytes]) -> None:
        self.lines["dropped"] += len(self._unbury(lines))

    def _unbury(self, lines: Sequence[bytes]) -> list[Waiting]:
        found = [next(dead for dead in self.dead if dead.line == line) for line in lines]
        for dead in found:
            self.dead.remove(dead)
        return found

    def complete(self, name: str, start_us: int, end_us: int) -> None:
        source = self.sources[name]
        source.noted.remove(start_us, end_us)
        source.lost.remove(start_us, end_us)
        if source.covered_us is not None and start_us < source.covered_us <= end_us:
            source.covered_us = start_us
