"""The one time function against Home Assistant's own."""

from datetime import UTC, datetime, timedelta

import pytest
from homeassistant.util import dt as dt_util
from hypothesis import example, given, settings
from hypothesis import strategies as st

from custom_components.homeiq.time_us import time_us

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def as_home_assistant_says(timestamp: float) -> int:
    return (dt_util.utc_from_timestamp(timestamp) - _EPOCH) // timedelta(microseconds=1)


@settings(max_examples=5_000, derandomize=True, deadline=None)
@given(st.floats(min_value=0, max_value=_END, allow_nan=False))
@example(0.0)
@example(0.9999996)
@example(1763777777.9999998)
def test_any_time_is_the_one_of_home_assistant(timestamp: float) -> None:
    assert time_us(timestamp) == as_home_assistant_says(timestamp)


@settings(max_examples=5_000, derandomize=True, deadline=None)
@given(st.integers(min_value=0, max_value=2**22), st.integers(min_value=0, max_value=2**20))
def test_a_time_half_way_between_two_microseconds_is_rounded_to_even_as_home_assistant_does(
    seconds: int, eighths: int
) -> None:
    # Multiples of 2**-20 s are exact in a float; many lie exactly between two microseconds.
    timestamp = seconds + eighths / 2**20

    assert time_us(timestamp) == as_home_assistant_says(timestamp)


@settings(max_examples=2_000, derandomize=True, deadline=None)
@given(st.integers(min_value=0, max_value=int(_END) * 1_000_000))
def test_a_time_that_went_through_a_float_keeps_its_microseconds(microseconds: int) -> None:
    moment = _EPOCH + timedelta(microseconds=microseconds)

    assert time_us(moment.timestamp()) == microseconds


@pytest.mark.parametrize("timestamp", [1763777777.0000005, 1763777777.123457, 0.5e-6, 1.5e-6, 2.5e-6])
def test_known_hard_times(timestamp: float) -> None:
    assert time_us(timestamp) == as_home_assistant_says(timestamp)
