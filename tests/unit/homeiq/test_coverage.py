"""What the app says that it does not have."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custom_components.homeiq.coverage import Coverage, Stretch, joined

_STRETCHES = st.lists(
    st.builds(
        lambda start, length, events: Stretch(start, start + length, events),
        st.integers(0, 60),
        st.integers(0, 20),
        st.none() | st.integers(0, 9),
    ),
    max_size=8,
)


def instants(stretches: list[Stretch]) -> set[int]:
    return {instant for one in stretches for instant in range(one.start_us, one.end_us + 1)}


@settings(max_examples=500, derandomize=True, deadline=None)
@given(_STRETCHES)
def test_joined_stretches_hold_the_same_instants_and_each_but_once(stretches: list[Stretch]) -> None:
    found = joined(stretches)

    assert instants(found) == instants(stretches)
    assert sum(one.end_us - one.start_us + 1 for one in found) == len(instants(found))
    assert found == sorted(found, key=lambda one: one.start_us)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(_STRETCHES, st.integers(0, 80))
def test_what_was_before_the_beginning_and_the_gaps_since_are_all_that_is_missing(
    stretches: list[Stretch], since: int
) -> None:
    missing = [one for one in stretches if one.start_us < one.end_us]
    coverage = Coverage(since, tuple(missing))
    before, gaps = coverage.before(), coverage.gaps()

    assert instants(before) | instants(gaps) == instants(missing)
    assert all(one.end_us <= since for one in before)
    assert all(one.start_us >= since for one in gaps)


def test_counts_of_joined_stretches_add_up_and_one_unknown_makes_all_unknown() -> None:
    assert joined([Stretch(0, 5, 2), Stretch(4, 9, 3)]) == [Stretch(0, 9, 5)]
    assert joined([Stretch(0, 5, 2), Stretch(5, 9, None)]) == [Stretch(0, 9, None)]


def test_an_app_that_has_nothing_has_no_gaps() -> None:
    coverage = Coverage(None, (Stretch(0, 9),))

    assert coverage.gaps() == []
    assert coverage.before() == [Stretch(0, 9)]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"uncovered": [], "since": 0},
        {"uncovered": [{"start_us": 5, "end_us": 3, "events": None}], "covered_since_us": 0},
        {"uncovered": [{"start_us": 5}], "covered_since_us": 0},
        {"uncovered": None, "covered_since_us": None},
    ],
)
def test_half_an_answer_is_none(answer: object) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Coverage.from_json(answer)
