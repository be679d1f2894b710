"""Whatever is asked of the spool, in whatever order, it does as a list would, and both laws hold after each step."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, override

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from homeiq_server.errors import RetryLater, SequenceHole
from homeiq_server.history.spool.changes.change import Change
from homeiq_server.history.spool.changes.complete_gap import CompleteGap, uncovered
from homeiq_server.history.spool.changes.dead_letters import DiscardDead, ReplayDead
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.channels import OWN
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import DeadLetter, Row, Settled
from homeiq_server.history.spool.tables.dead_query import DeadQuery
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.history.spool.totals import WhenFull
from homeiq_server.model import Intake, Lines, Position
from tests.unit.homeiq_server.history.spool.spool_builders import Clock, open_file, take, tally
from tests.unit.homeiq_server.history.spool.spool_model import Model, Outcome, Stretches, Waiting, waiting

HOUR_US = 3_600 * 1_000_000
EVER = -(2**62), 2**62

type Asked = tuple[str, str, str, int, int]
"""Channel, source, stream, step from the stream's last batch, number of lines."""

asked = st.tuples(
    st.sampled_from(["events", "events", "events", "backfill", "line_protocol"]),
    st.sampled_from(["home", "cabin"]),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([1, 1, 1, 1, 0, -1, 2]),
    st.integers(0, 9),
)
groups = st.lists(asked, max_size=4)
bounds = st.tuples(st.sampled_from([1_000, 3_000]), st.sampled_from(["refuse", "drop_oldest"]))


class Killed(Exception):
    """The process ends here."""


class SpoolMachine(RuleBasedStateMachine):
    """The requests of one commit are given together, as the thread would do it."""

    def __init__(self) -> None:
        super().__init__()
        self.folders = tempfile.TemporaryDirectory(prefix="spool")
        self.folder = Path(self.folders.name) / "0"
        self.clock = Clock()
        self.model = Model()
        self.made = 0
        self.in_flight: list[Row] = []
        self.was_set_back = False
        self.file: SpoolFile

    @initialize(how=bounds)
    def begin(self, how: tuple[int, WhenFull]) -> None:
        self.open(how)

    def open(self, how: tuple[int, WhenFull]) -> None:
        self.how = how
        self.file = open_file(self.folder, limit_bytes=how[0], when_full=how[1], clock=self.clock)

    def commit(self, *changes: Change[Any]) -> list[Any]:
        """Commit the changes, then tell the model what the spool did of its own accord."""
        settled = {result.row_id for change in changes if isinstance(change, Settle) for result in change.results}
        before = [row for row in self.rows() if row.id not in settled]
        was_dropped = self.file.totals.lines.dropped.get("overflow", 0)
        was_told = self.told()
        outcomes = self.file.commit(changes)
        after = self.rows()
        queued = Counter(lines_of(after))
        own = [line for line in (queued - Counter(self.model.queued)).elements() if line.channel == OWN]
        assert len(own) == self.told() - was_told
        self.model.tell_own(own)
        dropped = list((Counter(self.model.queued) - queued).elements())
        assert len(dropped) == self.file.totals.lines.dropped.get("overflow", 0) - was_dropped
        assert not dropped or self.how[1] == "drop_oldest"
        self.model.drop(dropped)
        if self.how[1] == "drop_oldest":
            self.check_that_the_limit_is_kept(after)
        if dropped:
            self.check_that_the_oldest_went(before, {row.id for row in after})
        return outcomes

    def check_that_the_limit_is_kept(self, after: Sequence[Row]) -> None:
        own_bytes = sum(len(row.packed) + 128 for row in after if row.channel == OWN)
        assert self.file.totals.queued_bytes <= self.how[0] + own_bytes

    def check_that_the_oldest_went(self, before: Sequence[Row], after: set[int]) -> None:
        stayed = [row.id in after for row in before if row.channel != OWN]
        assert stayed == sorted(stayed)

    def rows(self) -> list[Row]:
        return take(self.file)

    def told(self) -> int:
        return self.file.totals.intake[OWN].converted if OWN in self.file.totals.intake else 0

    def look(self) -> None:
        limit_bytes, when_full = self.how
        self.model.begin(
            used_bytes=self.file.totals.queued_bytes, limit_bytes=limit_bytes, refuses=when_full == "refuse"
        )

    @rule(group=groups)
    def put(self, group: Sequence[Asked]) -> None:
        self.clock.now_us += 10
        self.look()
        requests: list[Intake] = []
        expected: list[Outcome] = []
        for one in group:
            requests.append(self.request(*one))
            expected.append(self.model.put(requests[-1], self.clock.now_us))
        outcomes = self.commit(*(Put(request, "influx") for request in requests))
        assert list(map(answer, outcomes)) == list(map(answer, expected))

    @rule(one=asked)
    def fill(self, one: Asked) -> None:
        """The same again until it is refused, or has pushed out what was there."""
        for _ in range(12):
            self.put([(*one[:3], 1, 9)])

    def request(self, channel: str, source: str, stream: str, step: int, count: int) -> Intake:
        self.made += 1
        stream = f"{channel}-{stream}"
        seq = max(1, self.model.seqs[source, stream] + step)
        last_us = self.clock.now_us - 2
        body = b"\n".join(f"m{self.made} v={n}.0 {last_us - n % 3}".encode() for n in range(count))
        position = Position(source=source, stream=stream, seq=seq, started_us=self.clock.now_us - 5)
        return Intake(
            channel=channel,
            tally=tally(converted=count, skipped={"no_value": 1}),
            lines=Lines(body, count),
            position=None if channel == "line_protocol" else position,
            last_us=last_us,
        )

    @precondition(lambda self: self.model.queued)
    @rule(data=st.data(), max_lines=st.integers(1, 20))
    def drain(self, data: st.DataObject, max_lines: int) -> None:
        rows = self.file.take(after=0, max_lines=max_lines, max_bytes=10**6)
        assert len(rows) == 1 or 0 < sum(row.count for row in rows) <= max_lines
        self.settle([row for row in rows if data.draw(st.booleans())], data)

    @precondition(lambda self: self.model.queued)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Take rows without knowing yet what becomes of them; those that were on their way before have failed."""
        rows = self.rows()
        after, up_to = sorted(data.draw(st.tuples(*[st.sampled_from([0, *(row.id for row in rows)])] * 2)))
        self.in_flight = take(self.file, after=after, up_to=up_to)
        assert self.in_flight == [row for row in rows if after < row.id <= up_to]

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Some of the rows may have been settled or dropped meanwhile."""
        self.settle(self.in_flight, data)
        self.in_flight = []

    def settle(self, rows: Sequence[Row], data: st.DataObject) -> None:
        present = {row.id for row in self.rows()}
        results = [fates(row, data) for row in rows]
        for row, result in zip(rows, results, strict=True):
            if row.id in present:
                self.model.settle(row, result)
        assert self.commit(Settle(tuple(results))) == [None]

    @precondition(lambda self: self.model.dead)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        self.look()
        found = self.file.read(lambda tables: tables.dead.search(DeadQuery(limit=500)))
        chosen = [letter for letter in reversed(found) if data.draw(st.booleans())]
        fit = chosen[
            : sum(sizes <= self.model.room_bytes for sizes in accumulate(letter.size for letter in chosen)) or 1
        ]
        is_full = self.model.room_bytes <= 0
        for letter in [] if is_full else fit:
            self.model.replay(letter.line.split(b"\n"))
        (outcome,) = self.commit(ReplayDead([letter.id for letter in chosen]))
        assert answer(outcome) == (RetryLater if is_full else sum(letter.count for letter in fit))

    @precondition(lambda self: self.model.dead)
    @rule(source=st.sampled_from(["home", "cabin", None]))
    def discard(self, source: str | None) -> None:
        query = DeadQuery(source=source)
        chosen = [dead.line for dead in self.model.dead if source in {None, dead.source}]
        self.model.discard(chosen)
        assert self.commit(DiscardDead(query)) == [len(chosen)]

    @precondition(lambda self: self.model.sources)
    @rule(data=st.data())
    def complete_gap(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.model.sources)))
        start_us, end_us = EVER
        if not data.draw(st.booleans()):
            gaps = self.file.read(lambda tables: tables.gaps.open_of(source))
            around = sorted({self.clock.now_us, *(gap.start_us for gap in gaps), *(gap.end_us for gap in gaps)})
            start_us = data.draw(st.sampled_from(around)) + data.draw(st.integers(-3, 3))
            end_us = max(start_us + 1, data.draw(st.sampled_from(around)) + data.draw(st.integers(-3, 3)))
        self.model.complete(source, start_us, end_us)
        (completed,) = self.commit(CompleteGap(source, start_us, end_us))
        assert completed.open <= len(self.file.read(lambda tables: tables.gaps.open_of(source)))

    @rule(hours=st.sampled_from([-400 * 24, -30, 30, 400 * 24]))
    def jump(self, hours: int) -> None:
        self.clock.now_us += hours * HOUR_US
        self.was_set_back |= hours < 0

    @rule(how=bounds)
    def restart(self, how: tuple[int, WhenFull]) -> None:
        self.file.close()
        self.open(how)

    @rule(group=groups)
    def kill(self, group: Sequence[Asked]) -> None:
        """End in the middle of a transaction: what is on disk then is all that the next process knows."""
        requests = [self.request(*one) for one in group]
        folder = Path(self.folders.name) / str(int(self.folder.name) + 1)

        def end(tables: Tables) -> None:
            with tables.transaction(self.clock.now_us) as begun:
                for request in requests:
                    Put(request, "influx").make(tables, begun)
                shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*-shm"))
                raise Killed

        try:
            self.file.read(end)
        except Killed:
            self.file.close()
        self.folder = folder
        self.open(self.how)

    @invariant()
    def both_laws_hold(self) -> None:
        assert self.file.audit() == []

    @invariant()
    def the_numbers_are_the_models(self) -> None:
        totals, model = self.file.totals, self.model
        channels = [channel for name, channel in totals.intake.items() if name != OWN]
        assert totals.lines.queued == len(model.queued)
        assert totals.lines.dead == len(model.dead)
        assert totals.lines.spooled == model.lines["spooled"]
        assert totals.lines.written == model.lines["written"]
        assert sum(totals.lines.dropped.values()) == model.lines["dropped"]
        assert totals.missed == model.lines["missed"]
        assert sum(channel.received for channel in channels) == model.items["received"]
        assert sum(channel.duplicate for channel in channels) == model.items["duplicate"]
        assert {source.source: source.last_event_us for source in totals.sources} == {
            name: source.whole_us for name, source in model.sources.items()
        }

    @invariant()
    def what_is_queued_is_what_was_accepted_and_not_settled(self) -> None:
        assert sorted(lines_of(self.rows())) == sorted(self.model.queued)

    @invariant()
    def what_is_missing_is_kept_as_a_gap_until_it_is_filled(self) -> None:
        for name, source in self.model.sources.items():
            gaps = self.file.read(lambda tables, name=name: tables.gaps.open_of(name))  # type: ignore[misc]
            noted = Stretches((gap.start_us, gap.end_us) for gap in gaps if gap.reason != "dropped")
            assert list(noted) == list(source.noted)
            asked = self.file.read(lambda tables, name=name: uncovered(tables, name, *EVER))  # type: ignore[misc]
            missing = Stretches((part.start_us, part.end_us) for part in asked)
            assert all(missing.holds(*stretch) for stretch in source.lost)
            before_us = EVER[1] if source.covered_us is None else source.covered_us
            assert before_us == EVER[0] or missing.holds(EVER[0], before_us)

    @override
    def teardown(self) -> None:
        self.file.close()
        self.folders.cleanup()


def lines_of(rows: Sequence[Row]) -> list[Waiting]:
    return [line for row in rows for line in waiting(row.channel, row.source, row.body())]


def answer(outcome: object) -> object:
    match outcome:
        case SequenceHole():
            return SequenceHole, outcome.expected
        case Exception():
            return type(outcome)
    return outcome


def fates(row: Row, data: st.DataObject) -> Settled:
    """Every line written, but for as many dead and dropped ones as are drawn."""
    dead = data.draw(st.integers(0, row.count))
    dropped = data.draw(st.integers(0, row.count - dead))
    body = b"\n".join(row.body().split(b"\n")[:dead])
    letter = DeadLetter(line=body, count=dead, code=400, reason="type conflict", target="influx")
    return Settled(
        row_id=row.id,
        written=row.count - dead - dropped,
        dead=(letter,) if dead else (),
        dropped={"outside retention": dropped} if dropped else {},
    )


SpoolMachine.TestCase.settings = settings(derandomize=True, deadline=None, max_examples=40, stateful_step_count=25)
TestSpool = SpoolMachine.TestCase
