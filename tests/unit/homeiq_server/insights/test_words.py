"""Figures as people say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.words import counted, day, figure, number, rounded, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 minute"),
        (90, "2 minutes"),
        (3_600, "60 minutes"),
        (7_200, "2 hours"),
        (86_400, "24 hours"),
        (3 * 86_400, "3 days"),
    ],
)
def test_spans_are_in_the_largest_unit_that_fits_twice(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.8, "%", "0.8 %"), (1_200.0, "W", "1,200 W"), (21.456, "°C", "21.46 °C"), (-0.001, None, "0")],
)
def test_figures_have_as_many_places_as_they_need(value: float, unit: str | None, words: str) -> None:
    assert figure(value, unit) == words


def test_days_and_counts_are_words() -> None:
    assert day(20_000 * 86_400) == "4 October"
    assert (counted(1, "day"), counted(1_500, "report")) == ("1 day", "1,500 reports")
    assert number({"a": 3, "b": "x"}, "a") == 3
    assert number({"a": 3, "b": "x"}, "b") == 0


@given(st.floats())
def test_any_number_can_be_said(value: float) -> None:
    assert figure(value, "W")
    assert abs(rounded(value) - value) <= 0.06 * abs(value) or rounded(value) == 0
