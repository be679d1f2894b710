"""What is not happening now goes behind what is."""

import asyncio

import pytest

from custom_components.homeiq import slow_lane
from custom_components.homeiq.errors import Busy, CannotConnect, Refused
from custom_components.homeiq.slow_lane import SlowLane


class Requests:
    """Counts how many are under way at once, and fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.under_way = self.most = self.done = 0

    async def __call__(self) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.failures:
            raise self.failures.pop(0)
        self.done += 1
        return "done"


async def test_two_requests_are_never_in_flight() -> None:
    lane, requests = SlowLane(lambda: False), Requests()
    await asyncio.gather(*(lane.send(requests) for _ in range(5)))

    assert (requests.done, requests.most) == (5, 1)


async def test_a_request_waits_until_live_events_do_not() -> None:
    asked = 0

    def is_behind() -> bool:
        nonlocal asked
        asked += 1
        return asked < 4

    requests = Requests()
    assert await SlowLane(is_behind).send(requests) == "done"
    assert asked == 4


async def test_an_app_that_is_busy_or_away_is_waited_for() -> None:
    requests = Requests(Busy("full"), CannotConnect("away"), Busy("full", after=0.01))

    assert await SlowLane(lambda: False).send(requests) == "done"


async def test_an_app_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_lane, "PATIENCE_S", 0.05)
    requests = Requests(*(Busy("full") for _ in range(10_000)))

    with pytest.raises(Busy):
        await SlowLane(lambda: False).send(requests)
    assert requests.failures


async def test_live_events_that_never_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_lane, "PATIENCE_S", 0)
    requests = Requests()

    with pytest.raises(Busy):
        await SlowLane(lambda: True).send(requests)
    assert requests.done == 0


async def test_a_refusal_is_not_tried_again() -> None:
    requests = Requests(Refused("never"))

    with pytest.raises(Refused):
        await SlowLane(lambda: False).send(requests)
    assert requests.failures == []
