"""Small, lasting shifts of a daily number."""

import random

from homeiq_server.insights.cusum import LEARNED, Cusum
from homeiq_server.insights.words import DAY_S


def followed(*days: float, least: float = 0.2) -> Cusum:
    found = Cusum()
    for day, value in enumerate(days):
        found.take(day * DAY_S, value, least)
    return found


def noise(count: int, mean: float = 0.0) -> list[float]:
    chance = random.Random(5)  # noqa: S311  # no secret
    return [chance.gauss(mean, 0.2) for _ in range(count)]


def test_a_lasting_shift_is_raised_either_way_with_its_size_and_its_beginning() -> None:
    for direction in (1, -1):
        found = followed(*noise(30), *noise(15, 1.5 * direction))
        assert found.raised
        assert 1.2 < direction * found.shift < 1.8
        assert 26 <= found.since_s / DAY_S <= 31
        assert found.days == 45 - found.since_s / DAY_S


def test_one_odd_day_is_no_shift() -> None:
    assert not followed(*noise(30), 100.0, *noise(5)).raised


def test_the_baseline_stands_still_while_the_sum_is_high() -> None:
    before = followed(*noise(30)).mean
    assert abs(followed(*noise(30), *[2.0] * 60).mean - before) < 0.2


def test_it_is_over_some_days_after_the_cause() -> None:
    assert not followed(*noise(30), *[2.0] * 60, *noise(12)).raised


def test_nothing_is_raised_while_it_learns() -> None:
    assert not followed(*[float(10 * day) for day in range(LEARNED)]).raised


def test_what_is_no_number_is_passed_over() -> None:
    assert followed(*noise(20), float("nan"), float("inf")) == followed(*noise(20))
