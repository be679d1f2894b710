"""How long to wait before the next attempt."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.delivery.backoff import LONGEST_S, MOST_AGE_S, retry_after_s, wait_s

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_longest_wait_doubles_up_to_an_hour() -> None:
    longest = [wait_s(attempt, chance=lambda: 1.0) for attempt in range(1, 16)]
    assert longest == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_every_wait_is_a_part_of_the_longest(attempt: int, chance: float) -> None:
    waited = wait_s(attempt, chance=lambda: chance)
    assert 0 <= waited <= LONGEST_S
    assert waited == pytest.approx(chance * wait_s(attempt, chance=lambda: 1.0))


@given(st.integers(1, 100), st.floats(0, 10 * MOST_AGE_S))
def test_what_the_receiver_asks_for_is_waited_for_up_to_a_day(attempt: int, asked_s: float) -> None:
    assert wait_s(attempt, asked_s, chance=lambda: 0.0) == min(asked_s, MOST_AGE_S)
    assert wait_s(attempt, asked_s) >= min(asked_s, MOST_AGE_S)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", MOST_AGE_S),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


@given(st.text())
def test_whatever_stands_in_retry_after_is_understood_or_left_out(header: str) -> None:
    found = retry_after_s(header, NOW)
    assert found is None or found >= 0
