"""What the buffer promises while the app is away."""

import random

import pytest

from custom_components.homeiq.buffer import Buffer
from custom_components.homeiq.wire import TIME_US, Batch
from tests.unit.homeiq.changes import NOON, change
from tests.unit.homeiq.entries import is_accounted_for

NOON_US = int(NOON) * 1_000_000


def filled(limit: int, count: int) -> Buffer:
    buffer = Buffer(limit)
    for number in range(count):
        buffer.add(change(number))
    return buffer


def test_a_full_buffer_gives_up_the_oldest_and_says_between_when() -> None:
    buffer = filled(limit=3, count=5)

    batch = buffer.take(10)

    assert [event[TIME_US] for event in batch.events] == [NOON_US + second * 1_000_000 for second in (2, 3, 4)]
    assert list(batch.gaps) == [(NOON_US - 1, NOON_US + 1_000_001, 2)]
    assert buffer.lost == 2


def test_a_gap_is_reported_once() -> None:
    buffer = filled(limit=3, count=5)
    buffer.take(1)

    assert buffer.take(1).gaps == ()


def test_what_is_in_flight_is_never_pushed_out() -> None:
    buffer = filled(limit=3, count=3)
    flying = buffer.take(2)
    for number in range(3, 8):
        buffer.add(change(number))

    assert len(flying.events) == 2
    assert [event[TIME_US] for event in buffer.waiting] == [NOON_US + 7_000_000]
    assert len(buffer) == 3
    assert buffer.lost == 5


def test_a_buffer_that_is_all_in_flight_takes_nothing_in_but_counts_it() -> None:
    buffer = filled(limit=2, count=2)
    buffer.take(2)
    buffer.add(change(2))

    assert not buffer.waiting
    assert buffer.lost == 1
    assert is_accounted_for(buffer)


def test_a_refused_entity_is_warned_of_once_and_counted_every_time(caplog: pytest.LogCaptureFixture) -> None:
    buffer = Buffer(10)
    for _ in range(3):
        buffer.refuse("sensor.odd", "because")

    assert buffer.refused_by_entity == {"sensor.odd": 3}
    assert caplog.text.count("sensor.odd") == 1


def test_entities_without_end_are_counted_but_not_named_without_end() -> None:
    buffer = Buffer(10)
    for number in range(1_500):
        buffer.refuse(f"sensor.n{number}", "because")

    assert buffer.refused == 1_500
    assert len(buffer.refused_by_entity) == 1_000


@pytest.mark.parametrize("seed", range(50))
def test_every_event_has_exactly_one_fate(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same fates in every run
    buffer = Buffer(20)
    for number in range(500):
        buffer.add(change(number))
        if chance.random() < 0.15:
            batch = buffer.in_flight[-1] if buffer.in_flight else buffer.take(chance.randint(0, 12))
            buffer.land()
            if chance.random() < 0.5 and len(batch.events) > 1:
                buffer.fly(Batch(batch.events[1:]))
                buffer.fly(Batch(batch.events[:1], batch.gaps))
            else:
                rejected = chance.randint(0, len(batch.events))
                buffer.delivered += len(batch.events) - rejected
                for _ in range(rejected):
                    buffer.refuse("light.kitchen", "because")
        assert is_accounted_for(buffer)
        assert len(buffer) <= buffer.limit
