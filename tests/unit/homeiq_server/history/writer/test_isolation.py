"""Which lines are found to be bad, and how many requests that takes; the fake database speaks each dialect."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.writer.conflicts import Conflicts
from homeiq_server.history.writer.draft import Draft
from homeiq_server.history.writer.isolation import MAX_REQUESTS, Condemned, isolate
from homeiq_server.history.writer.suspects import named_lines

DATA = Refusal(action=Action.ISOLATE, category=Category.DATA, reason="400: bad", status=400)
TOO_LARGE = Refusal(action=Action.HALVE, category=Category.DATA, reason="413: too large", status=413)


class Mute:
    """Takes everything or nothing, and never says which line is bad."""

    def __init__(self, *, limit: int = 1_000_000) -> None:
        self.taken: set[bytes] = set()
        self.requests = 0
        self._limit = limit

    async def __call__(self, body: bytes) -> Refusal | None:
        self.requests += 1
        if len(body) > self._limit:
            return TOO_LARGE
        lines = body.split(b"\n")
        if any(line.startswith(b"bad") for line in lines):
            return DATA
        self.taken |= set(lines)
        return None


def lines_with(bad: Sequence[int], count: int) -> list[bytes]:
    return [b"bad%d" % n if n in bad else b"good%d" % n for n in range(count)]


def dead(condemned: Sequence[Condemned]) -> list[int]:
    return sorted(index for verdict in condemned for index in verdict.lines)


async def isolated(lines: list[bytes], database: Mute) -> list[Condemned]:
    refusal = await database(b"\n".join(lines))
    draft = Draft(lines, precision="us", conflicts=Conflicts())
    return await isolate(draft, refusal, database) if refusal else []


@pytest.mark.parametrize(("bad", "requests"), [([2_500], 30), ([0, 2_500, 4_999], MAX_REQUESTS)])
async def test_bad_lines_that_nobody_names_are_found_by_halving(bad: list[int], requests: int) -> None:
    database = Mute()
    condemned = await isolated(lines := lines_with(bad, 5_000), database)
    assert set(bad) <= set(dead(condemned))
    assert database.requests <= requests
    assert len(database.taken) + len(dead(condemned)) == len(lines)


async def test_a_single_bad_line_is_the_only_one_to_go() -> None:
    database = Mute()
    condemned = await isolated(lines_with([1_234], 5_000), database)
    assert condemned == [Condemned(range(1_234, 1_235), "400: bad", 400)]


async def test_what_is_left_when_the_requests_are_used_up_goes_whole() -> None:
    database = Mute()
    condemned = await isolated(lines_with(range(0, 5_000, 50), 5_000), database)
    assert database.requests == MAX_REQUESTS
    assert all(verdict.reason.startswith("unisolated") for verdict in condemned if len(verdict.lines) > 1)
    assert len(database.taken) + len(dead(condemned)) == 5_000


async def test_halving_what_is_too_large_costs_no_good_line_however_many_requests_it_takes() -> None:
    database = Mute(limit=200)
    lines = lines_with([], 5_000)
    assert await isolated(lines, database) == []
    assert len(database.taken) == 5_000
    assert database.requests > MAX_REQUESTS


async def test_a_single_line_that_is_too_large_goes_alone() -> None:
    database = Mute(limit=100)
    lines = [b"good1", b"x" * 101, b"good2"]
    assert await isolated(lines, database) == [Condemned(range(1, 2), "413: too large", 413)]
    assert database.taken == {b"good1", b"good2"}


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.sets(st.integers(0, 299)), st.integers(1, 300), st.sampled_from([2_000, 1_000_000]))
async def test_every_line_is_taken_or_condemned_and_every_bad_one_is_condemned(
    bad: set[int], count: int, limit: int
) -> None:
    database = Mute(limit=limit)
    condemned = await isolated(lines := lines_with(sorted(bad), count), database)
    went = dead(condemned)
    assert len(went) == len(set(went))
    assert {lines[index] for index in range(count) if index not in went} <= database.taken
    assert {index for index in bad if index < count} <= set(went)


LINES = [b"m,t=a f=1.0 1", b"m,t=b f=2i 2", b"n f=3i 3", b'it\'s: broken "x"', b"m,t=b f=2i 2"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"code":"invalid","message":"unable to parse \'it\'s: broken \\"x\\"\': missing fields"}', [3]),
        ('{"error":"partial write: unable to parse \'it\'s: broken \\"x\\"\': missing fields dropped=0"}', [3]),
        ("unable to parse 'n f=3i 3': bad timestamp\nunable to parse 'm,t=a f=1.0 1': bad", [0, 2]),
        ('{"error":"p","data":[{"original_line":"m,t=b...","line_number":2,"error_message":"conflict"}]}', [1]),
        ('{"error":"p","data":{"original_line":"m,t=b f=2i 2","line_number":5,"error_message":"conflict"}}', [4]),
        (
            (
                '{"error":"partial write: field type conflict: input field \\"f\\" on measurement \\"m\\" is'
                ' type integer, already exists as type float dropped=2"}'
            ),
            [1, 4],
        ),
        (
            'incorrect influx line "it\'s: broken \\"x\\"\\nm,t=b f=2i 2": missing field value for "x"; see https://',
            [3],
        ),
        ('incorrect influx line "n f=3i 3": cannot parse timestamp "3": tail; see https://x', [2]),
    ],
)
def test_lines_are_found_by_what_each_database_says(text: str, named: list[int]) -> None:
    assert sorted(named_lines(text, LINES)) == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "bad",
        "unable to parse 'somebody else's line': why",
        '{"error":"p","data":[{"original_line":"other...","line_number":2,"error_message":"x"}]}',
        '{"error":"p","data":[{"original_line":"m","line_number":99,"error_message":"x"}]}',
        '{"error":"p","data":null}',
        'incorrect influx line "nobody\'s": why',
        'incorrect influx line "\\x00": why',
        'field type conflict: input field "f" on measurement "m" is type nonsense, already exists as type float',
        'field type conflict: input field "other" on measurement "m" is type float, already exists as type string',
    ],
)
def test_a_name_that_fits_no_line_condemns_none(text: str) -> None:
    assert named_lines(text, LINES) == {}


@settings(derandomize=True, deadline=None)
@given(st.text(), st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_no_answer_confuses_the_reader(text: str, lines: list[bytes]) -> None:
    assert all(0 <= index < len(lines) for index in named_lines(text, lines))
