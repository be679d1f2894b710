"""Whose turn it is: shares, order and patience, without a queue or a database."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from homeiq_server.history.writer.cursors import MAX_SPANS, Cursor, Cursors

LIMIT = 10


class Model:
    """A queue of rows in memory, and the lines that each kind of row was given."""

    def __init__(self) -> None:
        self.cursors = Cursors()
        self.lines: dict[int, int] = {}
        self.sent: list[int] = []
        self.newest = 0
        self.marked = 0

    def put(self, *lines: int) -> None:
        for count in lines:
            self.newest += 1
            self.lines[self.newest] = count

    def returned(self) -> None:
        self.marked = self.newest
        self.cursors.returned(self.newest)

    def take(self, cursor: Cursor) -> list[int]:
        """Return the ids of the next rows at a place, within the limit but one if there is one."""
        taken: list[int] = []
        for row_id in range(cursor.after + 1, (cursor.up_to or self.newest) + 1):
            if taken and sum(map(self.lines.__getitem__, [*taken, row_id])) > LIMIT:
                break
            taken.append(row_id)
        return taken

    def step(self) -> tuple[bool, int] | None:
        """Send one request as the writer does; return whether it was fresh, and its lines."""
        while True:
            for cursor in self.cursors.by_turn():
                if taken := self.take(cursor):
                    lines = sum(self.lines[row_id] for row_id in taken)
                    is_fresh = cursor is self.cursors.fresh
                    self.cursors.passed(cursor, taken[-1], lines)
                    self.sent += taken
                    return is_fresh, lines
                self.cursors.exhausted(cursor)
            if not self.cursors.has_backlog:
                return None

    def all_steps(self) -> Iterator[tuple[bool, int]]:
        while step := self.step():
            yield step


COUNTS = st.lists(st.integers(1, LIMIT), max_size=60)


@settings(derandomize=True, deadline=None)
@given(COUNTS, COUNTS)
def test_each_has_half_while_both_wait_and_all_of_it_alone(backlog: list[int], fresh: list[int]) -> None:
    model = Model()
    model.put(*backlog)
    model.returned()
    model.put(*fresh)
    given_to = {True: 0, False: 0}
    for is_fresh, lines in model.all_steps():
        both_wait = model.cursors.has_backlog and bool(model.take(model.cursors.fresh))
        given_to[is_fresh] += lines
        if both_wait:
            assert abs(given_to[True] - given_to[False]) <= 2 * LIMIT
    assert sorted(model.sent) == list(range(1, len(backlog) + len(fresh) + 1))


@settings(derandomize=True, deadline=None)
@given(COUNTS, COUNTS)
def test_within_each_the_oldest_go_first(backlog: list[int], fresh: list[int]) -> None:
    model = Model()
    model.put(*backlog)
    model.returned()
    model.put(*fresh)
    list(model.all_steps())
    old = [row_id for row_id in model.sent if row_id <= model.marked]
    new = [row_id for row_id in model.sent if row_id > model.marked]
    assert (old, new) == (sorted(old), sorted(new))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 3 * LIMIT), min_size=30, max_size=30))
def test_the_backlog_is_not_starved_by_fresh_rows_that_never_end(bursts: list[int]) -> None:
    model = Model()
    model.put(*[LIMIT] * 10)
    model.returned()
    served = []
    for burst in bursts:
        model.put(*[1] * burst)
        served.append(model.step())
    backlog = sum(lines for is_fresh, lines in filter(None, served) if not is_fresh)
    assert not model.cursors.has_backlog or backlog >= sum(lines for _, lines in filter(None, served)) / 2 - 2 * LIMIT


def test_fresh_rows_wait_for_one_request_of_the_backlog_at_most() -> None:
    model = Model()
    model.put(*[LIMIT] * 50)
    model.returned()
    for _ in range(20):
        assert model.step() == (False, LIMIT)
        model.put(1)
        assert model.step() == (True, 1)


def test_time_without_fresh_rows_gives_them_a_credit_of_one_request_at_most() -> None:
    model = Model()
    model.put(*[LIMIT] * 50)
    model.returned()
    for _ in range(20):
        model.step()
    model.put(*[LIMIT] * 50)
    assert [model.step() for _ in range(7)] == [(True, LIMIT), *[(True, LIMIT), (False, LIMIT)] * 3]


def test_what_was_not_sent_when_the_database_went_away_again_is_backlog_too() -> None:
    model = Model()
    model.put(*[LIMIT] * 3)
    model.returned()
    model.put(LIMIT)
    assert model.step() == (True, LIMIT)
    model.put(LIMIT, LIMIT)
    model.returned()
    model.put(LIMIT)
    assert list(model.all_steps())[:2] in ([(False, LIMIT), (True, LIMIT)], [(True, LIMIT), (False, LIMIT)])
    assert sorted(model.sent) == list(range(1, 8))
    assert [row_id for row_id in model.sent if row_id != 4 and row_id < 7] == [1, 2, 3, 5, 6]


def test_a_database_that_comes_and_goes_for_ever_does_not_fill_the_memory() -> None:
    model = Model()
    model.put(LIMIT)
    for _ in range(3 * MAX_SPANS):
        model.returned()
        model.put(LIMIT, LIMIT)
        model.cursors.passed(model.cursors.fresh, model.newest - 1, LIMIT)
    assert len(model.cursors._backlog) == MAX_SPANS
    list(model.all_steps())
    assert set(model.sent) >= set(range(1, model.newest + 1, 2))  # the others have been passed


def test_a_new_beginning_sends_all_that_is_there_again() -> None:
    model = Model()
    model.put(LIMIT, LIMIT)
    list(model.all_steps())
    model.cursors.begin_anew(model.newest)
    list(model.all_steps())
    assert model.sent == [1, 2, 1, 2]


class Scheduling(RuleBasedStateMachine):
    """Rows come, the database comes and goes, requests are sent: no row is forgotten, none is sent twice."""

    @initialize()
    def begin(self) -> None:
        self.model = Model()

    @rule(lines=st.lists(st.integers(1, LIMIT), max_size=5))
    def rows_come(self, lines: list[int]) -> None:
        self.model.put(*lines)

    @rule()
    def the_database_returns(self) -> None:
        self.model.returned()

    @precondition(lambda self: self.model.newest)
    @rule()
    def a_request_is_sent(self) -> None:
        self.model.step()

    @invariant()
    def no_row_is_sent_twice(self) -> None:
        sent = self.model.sent
        assert len(sent) == len(set(sent))

    def teardown(self) -> None:
        list(self.model.all_steps())
        assert sorted(self.model.sent) == list(range(1, self.model.newest + 1))


TestScheduling = Scheduling.TestCase
TestScheduling.settings = settings(derandomize=True, deadline=None, max_examples=100)
