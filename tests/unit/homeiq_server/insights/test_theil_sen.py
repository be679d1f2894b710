"""The line that daily numbers last followed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.theil_sen import Line


def test_a_straight_fall_is_a_line() -> None:
    line = Line.of([50 - 0.8 * day for day in range(30)], day=100)
    assert line.slope == pytest.approx(-0.8)
    assert line.crossing(10) == pytest.approx(100 + (50 - 0.8 * 29 - 10) / 0.8)
    assert line.noise == pytest.approx(0)


def test_a_few_wrong_days_do_not_turn_it() -> None:
    levels = [50 - 0.8 * day for day in range(30)]
    levels[5] = levels[17] = 0
    levels[25] = 100
    assert Line.of(levels, day=100).slope == pytest.approx(-0.8, abs=0.05)


def test_after_a_bend_only_what_follows_it_counts() -> None:
    line = Line.of([90.0] * 18 + [90 - 3.0 * day for day in range(1, 13)], day=100)
    assert line.slope == pytest.approx(-3, abs=0.1)
    assert len(line.levels) < 16


def test_the_further_a_crossing_the_less_sure_it_is() -> None:
    line = Line.of([50 - 0.8 * day for day in range(30)], day=100)
    assert line.leverage(110) < line.leverage(120) < line.leverage(145)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=30))
def test_any_levels_have_a_line_within_their_range(levels: list[float]) -> None:
    line = Line.of(levels, day=100)
    now = line.intercept + line.slope * 100
    assert abs(line.slope) <= 100
    assert -3_000 <= now <= 3_000
    assert line.noise >= 0
