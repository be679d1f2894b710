from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.clock import GAP_US, GRACE_US, Clock

START_US = 1_790_000_000_000_000
MINUTE_US = 60_000_000


def running() -> Clock:
    clock = Clock()
    clock.advance(START_US)
    return clock


def test_it_runs_with_the_source() -> None:
    clock = running()
    before_s = clock.now_s
    assert clock.advance(START_US + MINUTE_US) - before_s == 60


def test_it_stands_still_over_a_gap() -> None:
    clock = running()
    before_s = clock.now_s
    assert clock.advance(START_US + GAP_US + 1) == before_s
    assert clock.advance(START_US + GAP_US + 1 + MINUTE_US) - before_s == 60


def test_it_stands_still_from_when_the_source_was_last_heard_until_the_grace_is_over() -> None:
    clock = running()
    before_s = clock.now_s
    clock.begin(START_US + 5 * MINUTE_US)
    assert clock.advance(START_US + 5 * MINUTE_US + GRACE_US) == before_s
    assert clock.advance(START_US + 6 * MINUTE_US + GRACE_US) - before_s == 60


def test_a_second_start_within_the_grace_begins_another_grace() -> None:
    clock = running()
    before_s = clock.now_s
    clock.begin(START_US + MINUTE_US)
    clock.begin(START_US + 5 * MINUTE_US)
    assert clock.advance(START_US + 5 * MINUTE_US + GRACE_US) == before_s


def test_it_is_unsettled_after_a_start_and_after_a_gap() -> None:
    clock = running()
    assert not clock.settled
    for minute in range(11):
        clock.advance(START_US + minute * MINUTE_US)
    assert clock.settled
    clock.advance(START_US + 10 * MINUTE_US + 2 * GAP_US)
    assert not clock.settled


def test_a_straggler_is_read_at_its_own_time() -> None:
    clock = running()
    now_s = clock.advance(START_US + 10 * MINUTE_US)
    assert now_s - clock.advance(START_US + 5 * MINUTE_US) == 300
    assert clock.now_s == now_s


def test_a_time_within_a_gap_is_when_the_clock_stood() -> None:
    clock = running()
    before_s = clock.now_s
    clock.advance(START_US + 2 * GAP_US)
    assert clock.read(START_US + GAP_US) == before_s


def test_a_source_set_back_by_days_goes_on_being_observed() -> None:
    clock = running()
    before_s = clock.now_s
    back_us = START_US - 10 * 86_400_000_000
    assert clock.advance(back_us) == before_s
    assert clock.advance(back_us + MINUTE_US) - before_s == 60


def test_silence_is_judged_up_to_the_last_report() -> None:
    clock = running()
    assert clock.judged_s == clock.now_s
    clock.reported_us = START_US
    clock.advance(START_US + MINUTE_US)
    assert clock.now_s - clock.judged_s == 60
    clock.begin(START_US + 2 * MINUTE_US)
    assert clock.judged_s == clock.now_s


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3 * GAP_US)), max_size=30))
def test_it_never_runs_backwards_nor_faster_than_the_source(steps: list[tuple[bool, int]]) -> None:
    clock, at_us = running(), START_US
    for begins, step_us in steps:
        before_s, before_us, at_us = clock.now_s, at_us, at_us + step_us
        if begins:
            clock.begin(at_us)
        else:
            clock.advance(at_us)
        assert before_s <= clock.now_s <= before_s + (at_us - before_us) / 1e6 + 1e-6


@given(st.integers(0, 9_000_000), st.booleans())
def test_it_need_not_be_asked_while_it_is_steady(later_us: int, begun: bool) -> None:  # noqa: FBT001
    clock = running()
    if begun:
        clock.begin(START_US)
    begin_us, end_us, lost_us = clock.steady()
    time_us = START_US + later_us
    if begin_us <= time_us <= end_us:
        assert (time_us - lost_us) * 1e-6 == clock.advance(time_us)
