"""Which lines lie outside the time that a database keeps."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.target import Kept
from homeiq_server.history.writer.outside import NEW, OLD, outside, time_of

NOW_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000
WEEK = Kept(past=timedelta(days=7), future=timedelta(days=2))


def line(time: int | str) -> bytes:
    return f'm,t=a text="1 2",f=1.0 {time}'.encode()


def at(day: float) -> bytes:
    return line(NOW_US + int(day * DAY_US))


def test_lines_outside_are_found_with_the_reason() -> None:
    lines = [at(0), at(-7), at(-7.01), at(2), at(2.01), at(-400)]
    assert outside(lines, precision="us", kept=WEEK, now_us=NOW_US) == {2: OLD, 4: NEW, 5: OLD}


@pytest.mark.parametrize(("precision", "per_us"), [("ns", 1_000), ("us", 1), ("ms", 1 / 1_000), ("s", 1 / 1_000_000)])
def test_the_time_counts_in_the_precision_of_the_row(precision: str, per_us: float) -> None:
    lines = [line(int((NOW_US + day * DAY_US) * per_us)) for day in (-8, 0, 3)]
    assert outside(lines, precision=precision, kept=WEEK, now_us=NOW_US) == {0: OLD, 2: NEW}


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        (Kept(), {}),
        (Kept(past=timedelta(days=7)), {0: OLD}),
        (Kept(future=timedelta(days=2)), {2: NEW}),
        (Kept(past=timedelta(days=36_500)), {}),  # before 1970
    ],
)
def test_a_bound_that_is_not_known_is_none(kept: Kept, found: dict[int, str]) -> None:
    assert outside([at(-8), at(0), at(3)], precision="us", kept=kept, now_us=NOW_US) == found


@pytest.mark.parametrize("text", ["m f=1.0", 'm f="a 12"', "m f=9e99999999999999", "", "m f=1.0 ", "m f=1.0 1e3"])
def test_a_line_without_a_time_is_left_to_the_database(text: str) -> None:
    assert outside([text.encode(), at(0)], precision="us", kept=WEEK, now_us=NOW_US) == {}
    assert time_of(text.encode()) == float("inf")


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.one_of(st.integers(-(2**62), 2**62), st.integers(NOW_US - 9 * DAY_US, NOW_US + 3 * DAY_US)), min_size=1)
)
def test_every_time_is_judged_as_a_number(times: list[int]) -> None:
    found = outside([line(time) for time in times], precision="us", kept=WEEK, now_us=NOW_US)
    expected = {
        index: OLD if time < NOW_US else NEW
        for index, time in enumerate(times)
        if not NOW_US - 7 * DAY_US <= time <= NOW_US + 2 * DAY_US
    }
    assert found == expected
