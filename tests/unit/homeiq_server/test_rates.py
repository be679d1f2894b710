"""Rates over a sliding minute."""

import random
from collections import deque

import pytest

from homeiq_server.rates import Rate


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("seed", range(20))
def test_a_rate_is_the_count_of_the_last_minute(seed: int) -> None:
    chance, clock = random.Random(seed), Clock()  # noqa: S311  # no secret
    rate, seen = Rate(clock), deque[tuple[int, int]]()
    for _ in range(300):
        clock.now += chance.choice([0, 0.3, 1, 7, 59, 61, 500])
        count = chance.randrange(100)
        rate.add(count)
        seen.append((int(clock.now), count))
        expected = sum(count for second, count in seen if second > int(clock.now) - 60)
        assert rate.per_minute() == expected


def test_a_rate_falls_to_nothing_when_nothing_comes() -> None:
    clock = Clock()
    rate = Rate(clock)
    rate.add(5)
    clock.now += 60
    assert rate.per_minute() == 0
