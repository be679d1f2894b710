"""Thresholds: duration to the microsecond, and no flapping between the limit and the end of the hysteresis."""

from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.alerts.threshold import Sample, State, Threshold, Transition, step
from homeiq_server.store.alert_rules import Operator

OPERATORS: Final[tuple[Operator, ...]] = ("GT", "GTE", "LT", "LTE")
VALUES: Final = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
RULES: Final = st.builds(
    Threshold,
    operator=st.sampled_from(OPERATORS),
    limit=VALUES,
    hysteresis=st.floats(min_value=0, max_value=1e3),
    duration_us=st.integers(0, 10**9),
)
GAPS: Final = st.integers(0, 10**9)


def at(*samples: tuple[int, float]) -> list[Sample]:
    return [Sample(time_us, value) for time_us, value in samples]


def run(
    rule: Threshold, samples: Sequence[Sample], state: State | None = None
) -> tuple[State, list[Transition | None]]:
    state, turns = state or State(), []
    for sample in samples:
        state, turn = step(rule, state, sample)
        turns.append(turn)
    return state, turns


@st.composite
def series(draw: st.DrawFn) -> list[Sample]:
    time_us, samples = 0, []
    for gap, value in draw(st.lists(st.tuples(GAPS, VALUES), max_size=30)):
        time_us += gap
        samples.append(Sample(time_us, value))
    return samples


@pytest.mark.parametrize(
    ("operator", "beyond", "within"),
    [("GT", 10.1, 10.0), ("GTE", 10.0, 9.9), ("LT", 9.9, 10.0), ("LTE", 10.0, 10.1)],
)
def test_without_hysteresis_an_alert_clears_where_it_began(operator: Operator, beyond: float, within: float) -> None:
    rule = Threshold(operator=operator, limit=10.0)
    assert run(rule, at((1, within), (2, beyond), (3, within)))[1] == [None, Transition.OPEN, Transition.CLEAR]


@pytest.mark.parametrize(("operator", "sign"), [("GT", 1), ("GTE", 1), ("LT", -1), ("LTE", -1)])
def test_with_hysteresis_it_clears_that_far_within(operator: Operator, sign: int) -> None:
    rule = Threshold(operator=operator, limit=10.0, hysteresis=2.0)
    steps = at((1, 10 + sign), (2, 10 - sign), (3, 10 - 3 * sign))
    assert run(rule, steps)[1] == [Transition.OPEN, None, Transition.CLEAR]


@given(rule=RULES, values=st.lists(st.floats(0, 1), min_size=1))
def test_between_the_bounds_an_open_alert_never_changes_and_a_closed_one_never_opens(
    rule: Threshold, values: list[float]
) -> None:
    inwards = -1 if rule.operator in ("GT", "GTE") else 1
    between = [rule.limit + inwards * rule.hysteresis * value for value in values]
    samples = [
        Sample(n, value) for n, value in enumerate(between) if not rule.is_beyond(value) and not rule.is_back(value)
    ]
    opened = State(0, is_open=True)
    assert run(rule, samples, opened) == (opened, [None] * len(samples))
    assert run(rule, samples) == (State(), [None] * len(samples))


@given(rule=RULES, value=VALUES)
def test_no_value_is_beyond_and_back_at_once(rule: Threshold, value: float) -> None:
    assert not (rule.is_beyond(value) and rule.is_back(value))


@given(duration_us=st.integers(1, 10**12), start_us=st.integers(0, 10**15))
def test_it_opens_when_the_duration_is_full_and_not_a_microsecond_before(duration_us: int, start_us: int) -> None:
    rule = Threshold(operator="GT", limit=10.0, duration_us=duration_us)
    early = at((start_us, 11.0), (start_us + duration_us - 1, 11.0))
    assert run(rule, early) == (State(start_us), [None, None])
    assert run(rule, [*early, Sample(start_us + duration_us, 11.0)])[1][-1] is Transition.OPEN


def test_a_value_within_the_limit_begins_the_duration_anew() -> None:
    rule = Threshold(operator="GT", limit=10.0, hysteresis=5.0, duration_us=10)
    turns = run(rule, at((0, 11), (9, 8), (10, 11), (19, 11), (20, 11)))[1]
    assert turns == [None, None, None, None, Transition.OPEN]


@given(rule=RULES, samples=series())
def test_alerts_open_and_clear_in_turn(rule: Threshold, samples: list[Sample]) -> None:
    _, turns = run(rule, samples)
    told = [turn for turn in turns if turn in (Transition.OPEN, Transition.CLEAR)]
    assert told == [Transition.OPEN, Transition.CLEAR] * (len(told) // 2) + [Transition.OPEN] * (len(told) % 2)


@given(rule=RULES, samples=series())
def test_an_alert_opens_only_after_values_that_were_all_beyond_for_the_whole_duration(
    rule: Threshold, samples: list[Sample]
) -> None:
    state, began = State(), 0
    for place, sample in enumerate(samples):
        was, (state, turn) = state, step(rule, state, sample)
        if was.since_us is None:
            began = place
        if turn is Transition.OPEN:
            assert all(rule.is_beyond(each.value) for each in samples[began : place + 1])
            assert sample.time_us - samples[began].time_us >= rule.duration_us


@given(rule=RULES, samples=series())
def test_it_does_not_matter_where_a_series_is_cut(rule: Threshold, samples: list[Sample]) -> None:
    whole, turns = run(rule, samples)
    middle, first = run(rule, samples[: len(samples) // 2])
    end, second = run(rule, samples[len(samples) // 2 :], middle)
    assert (end, first + second) == (whole, turns)
