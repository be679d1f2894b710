"""Whatever is asked of the spool, in whatever order, it does as a list would, and both laws hold after each step."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import override

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from homeiq_server.errors import RetryLater, SequenceHole
from homeiq_server.history.spool.changes import Put
from homeiq_server.history.spool.file import Outcome, SpoolFile
from homeiq_server.history.spool.rows import DeadLetter, Row, Settled
from homeiq_server.model import Intake, Position, Receipt
from tests.unit.homeiq_server.history.spool.spool_builders import Clock, lines, open_file, tally

LIMIT_BYTES = 1_000

type Asked = tuple[str, str, int, int]
"""Source, stream, step from the stream's last batch, number of lines."""

asked = st.tuples(
    st.sampled_from(["home", "cabin"]),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([1, 1, 1, 1, 0, -1, 2]),
    st.integers(0, 9),
)


class Model:
    """What the spool must know, as plain Python keeps it."""

    def __init__(self) -> None:
        self.seqs: Counter[tuple[str, str]] = Counter()
        self.whole_us: dict[str, int] = {}
        self.gaps: set[tuple[str, str, int]] = set()
        self.queued: list[bytes] = []
        self.items: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def put(self, request: Intake, *, is_full: bool) -> Outcome:
        position, last_us = request.position, request.last_us
        assert position is not None
        assert last_us is not None
        last = self.seqs[position.source, position.stream]
        whole_us = self.whole_us.get(position.source)
        if position.seq <= last:
            self.items.update(received=request.tally.received, duplicate=request.tally.received)
            return Receipt(duplicate=True)
        if position.seq > last + 1:
            self._note_gap(position.source, "hole", whole_us, last_us)
            return SequenceHole(expected=last + 1, got=position.seq)
        if is_full and request.lines.count:
            return RetryLater("full")
        if position.seq == 1:
            self._note_gap(position.source, "restart", whole_us, position.started_us)
        self.seqs[position.source, position.stream] = position.seq
        self.whole_us[position.source] = max(last_us, whole_us or 0)
        self.items["received"] += request.tally.received
        self.lines["spooled"] += request.lines.count
        self.queued += request.lines.body.split(b"\n") if request.lines.count else []
        return Receipt()

    def _note_gap(self, source: str, reason: str, start_us: int | None, end_us: int | None) -> None:
        if start_us is not None and end_us is not None and start_us < end_us:
            self.gaps.add((source, reason, start_us))

    def settle(self, row: Row, result: Settled) -> None:
        for line in row.body().split(b"\n"):
            self.queued.remove(line)
        dead, dropped = sum(letter.count for letter in result.dead), sum(result.dropped.values())
        self.lines.update(written=result.written, dead=dead, dropped=dropped)


def told(outcome: Outcome) -> object:
    match outcome:
        case SequenceHole():
            return SequenceHole, outcome.expected
        case Exception():
            return type(outcome)
    return outcome


def settled(row: Row, data: st.DataObject) -> Settled:
    """Every line written, but for as many dead and dropped ones as are drawn."""
    dead = data.draw(st.integers(0, row.count))
    dropped = data.draw(st.integers(0, row.count - dead))
    body = b"\n".join(row.body().split(b"\n")[:dead])
    letter = DeadLetter(line=body, count=dead, code=400, reason="type conflict", target="influx")
    return Settled(
        row_id=row.id,
        written=row.count - dead - dropped,
        dead=(letter,) if dead else (),
        dropped={"damage": dropped} if dropped else {},
    )


class SpoolMachine(RuleBasedStateMachine):
    """The requests of one commit are given together, as the thread would do it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="spool")
        self.clock = Clock()
        self.model = Model()
        self.made = 0
        self.file = self.opened()

    def opened(self) -> SpoolFile:
        return open_file(Path(self.folder.name), limit_bytes=LIMIT_BYTES, clock=self.clock)

    @rule(group=st.lists(asked, max_size=4))
    def put(self, group: Sequence[Asked]) -> None:
        self.clock.now_us += 10
        is_full = self.file.totals.queued_bytes >= LIMIT_BYTES
        requests: list[Intake] = []
        expected: list[Outcome] = []
        for one in group:
            requests.append(self.request(*one))
            expected.append(self.model.put(requests[-1], is_full=is_full))
        outcomes = self.file.commit([Put(request, "influx") for request in requests])
        assert list(map(told, outcomes)) == list(map(told, expected))

    def request(self, source: str, stream: str, step: int, count: int) -> Intake:
        self.made += 1
        seq = max(1, self.model.seqs[source, stream] + step)
        return Intake(
            channel="events",
            tally=tally(converted=count, skipped={"no_value": 1}),
            lines=lines(count, mark=self.made),
            position=Position(source=source, stream=stream, seq=seq, started_us=self.clock.now_us - 5),
            last_us=self.clock.now_us - 2,
        )

    @precondition(lambda self: self.model.queued)
    @rule(data=st.data(), max_lines=st.integers(1, 20))
    def take_and_settle(self, data: st.DataObject, max_lines: int) -> None:
        rows = self.file.take(after=0, max_lines=max_lines, max_bytes=10**6)
        assert len(rows) == 1 or 0 < sum(row.count for row in rows) <= max_lines
        results = [settled(row, data) for row in rows if data.draw(st.booleans())]
        for result in results:
            self.model.settle(next(row for row in rows if row.id == result.row_id), result)
        assert self.file.commit([tuple(results)]) == [None]

    @rule()
    def reopen(self) -> None:
        self.file.close()
        self.file = self.opened()

    @invariant()
    def both_laws_hold(self) -> None:
        assert self.file.audit() == []

    @invariant()
    def the_numbers_are_the_models(self) -> None:
        totals, model = self.file.totals, self.model
        assert totals.lines.queued == len(model.queued)
        assert totals.lines.spooled == model.lines["spooled"]
        assert totals.lines.written == model.lines["written"]
        assert totals.lines.dead == model.lines["dead"]
        assert sum(totals.lines.dropped.values()) == model.lines["dropped"]
        assert sum(channel.received for channel in totals.intake.values()) == model.items["received"]
        assert sum(channel.duplicate for channel in totals.intake.values()) == model.items["duplicate"]
        assert totals.open_gaps == len(model.gaps)
        assert {source.source: source.last_event_us for source in totals.sources} == model.whole_us

    @invariant()
    def what_is_queued_is_what_was_accepted_and_not_settled(self) -> None:
        rows = self.file.take(after=0, max_lines=10**9, max_bytes=10**9)
        assert sorted(line for row in rows for line in row.body().split(b"\n")) == sorted(self.model.queued)

    @override
    def teardown(self) -> None:
        self.file.close()
        self.folder.cleanup()


SpoolMachine.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=60, stateful_step_count=25)
TestSpool = SpoolMachine.TestCase
