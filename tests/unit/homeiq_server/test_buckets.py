"""Token buckets."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_three_lets_exactly_three_pass_at_once() -> None:
    buckets = Buckets(clock=Clock())
    waits = [buckets.take("device", 1, 3) for _ in range(5)]
    assert waits == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_who_waits_as_long_as_he_was_told_passes_and_not_a_moment_sooner() -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)
    buckets.take("device", 4, 1)
    wait_s = buckets.take("device", 4, 1)
    clock.now += wait_s * 0.9
    assert buckets.take("device", 4, 1) == pytest.approx(wait_s * 0.1)
    clock.now += wait_s * 0.1
    assert buckets.take("device", 4, 1) == 0.0


def test_an_idle_sender_gets_no_more_than_a_burst() -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)
    buckets.take("device", 5, 2)
    clock.now += 3_600
    assert [buckets.take("device", 5, 2) for _ in range(3)] == [0.0, 0.0, pytest.approx(0.2)]


def test_the_same_device_of_two_tenants_has_two_buckets() -> None:
    buckets = Buckets(clock=Clock())
    assert buckets.take(("a", "device"), 1, 1) == buckets.take(("b", "device"), 1, 1) == 0.0


def test_what_is_given_back_can_be_taken_again_once() -> None:
    buckets = Buckets(clock=Clock())
    assert buckets.take("device", 1, 1) == 0.0
    buckets.refund("device")
    buckets.refund("device")
    buckets.refund("somebody who has none")
    assert buckets.take("device", 1, 1) == 0.0
    assert buckets.take("device", 1, 1) == 1.0
    assert len(buckets) == 1


def test_buckets_at_rest_go_as_others_come_and_nobody_gets_more_for_it() -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)
    for number in range(20_000):
        buckets.take(number, 5, 20)
    clock.now += 0.2  # one token came: all are full again
    for number in range(10_000):
        buckets.take(-1 - number, 5, 20)
    assert (len(buckets), buckets.evicted) == (10_000, 0)


def test_a_flood_of_unknown_senders_takes_bounded_memory_and_says_so() -> None:
    buckets = Buckets(limit=1_000, clock=Clock())
    for number in range(2_000):
        buckets.take(number, 5, 20)
    tracemalloc.start()
    try:
        for number in range(100_000):
            buckets.take(("flood", number), 5, 20)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(buckets) == 1_000
    assert buckets.evicted == 101_000
    assert grown < 1_000_000


def test_a_new_sender_finds_at_most_two_others_to_forget() -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)
    for number in range(10):
        buckets.take(number, 1, 1)
    clock.now += 1
    buckets.take("new", 1, 1)
    assert len(buckets) == 9


@given(
    rate=st.floats(0.1, 1_000),
    burst=st.integers(1, 100),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_in_any_stretch_of_time_no_more_passes_than_burst_and_rate_allow(
    rate: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    buckets = Buckets(clock=clock)
    passed: list[float] = []
    for pause in pauses:
        clock.now += pause
        if buckets.take("device", rate, burst) == 0.0:
            passed.append(clock.now)
    for first, begin in enumerate(passed):
        for last, end in enumerate(passed[first:], first):
            assert last - first + 1 <= burst + (end - begin) * rate + 1e-3


@given(
    takes=st.lists(st.tuples(st.floats(0, 30), st.sampled_from("abcdefgh")), max_size=200),
    rate=st.floats(0.1, 10),
    burst=st.integers(1, 5),
)
def test_forgetting_those_at_rest_changes_no_answer(takes: list[tuple[float, str]], rate: float, burst: int) -> None:
    clock = Clock()
    shared, alone = Buckets(clock=clock), {name: Buckets(clock=clock) for name in "abcdefgh"}
    for pause, name in takes:
        clock.now += pause
        assert shared.take(name, rate, burst) == pytest.approx(alone[name].take(name, rate, burst), abs=1e-6)
