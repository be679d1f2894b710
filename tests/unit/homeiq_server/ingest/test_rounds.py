"""Work that is asked for one by one and done together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.ingest.rounds import Rounds


class Work:
    """Doubles numbers, a round at a time, when it is let."""

    def __init__(self) -> None:
        self.rounds: list[tuple[str, list[int]]] = []
        self.may = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def do(self, key: str, items: list[int]) -> Sequence[int]:
        self.rounds.append((key, items))
        await self.may.acquire()
        if self.error:
            raise self.error
        return [2 * item for item in items]


@asynccontextmanager
async def running(
    work: Work, *, most: int = 100, waiting: int = 1_000, at_once: int = 1
) -> AsyncIterator[Rounds[str, int, int]]:
    rounds: Rounds[str, int, int] = Rounds(
        "tests", work.do, most=most, most_waiting=waiting, at_once=at_once, within_s=30
    )
    task = asyncio.create_task(rounds.run())
    try:
        yield rounds
    finally:
        task.cancel()
        await asyncio.wait([task])


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_while_a_round_is_under_way_is_the_next_one() -> None:
    work = Work()
    async with running(work) as rounds:
        first = asyncio.create_task(rounds.join("a", 1))
        await settle()
        others = [asyncio.create_task(rounds.join("a", number)) for number in range(2, 50)]
        await settle()
        assert work.rounds == [("a", [1])]
        work.may.release()
        work.may.release()
        assert [await first, *[await other for other in others]] == [2 * number for number in range(1, 50)]
        assert work.rounds == [("a", [1]), ("a", list(range(2, 50)))]


async def test_a_round_is_no_heavier_than_it_may_be_and_keeps_the_order() -> None:
    work = Work()
    async with running(work, most=10) as rounds:
        answers = [asyncio.create_task(rounds.join("a", number, weight=4)) for number in range(5)]
        heavy = asyncio.create_task(rounds.join("a", 99, weight=50))
        await settle()
        for _ in range(4):
            work.may.release()
        await asyncio.gather(*answers, heavy)
    assert [items for _, items in work.rounds] == [[0, 1], [2, 3], [4], [99]]


async def test_one_key_does_not_wait_for_another_while_there_is_room() -> None:
    work = Work()
    async with running(work, at_once=2) as rounds:
        asked = [asyncio.create_task(rounds.join(key, number)) for number, key in enumerate("aabbcc")]
        await settle()
        assert work.rounds == [("a", [0, 1]), ("b", [2, 3])]
        work.may.release()
        await settle()
        assert work.rounds[2:] == [("c", [4, 5])]
        work.may.release()
        work.may.release()
        await asyncio.gather(*asked)


@pytest.mark.parametrize("error", [RetryLater("down"), Misconfigured("refused"), ValueError("ours")])
async def test_a_round_that_fails_is_to_be_asked_for_again_and_the_next_one_goes_on(error: Exception) -> None:
    work = Work()
    work.error = error
    async with running(work) as rounds:
        asked = [asyncio.create_task(rounds.join("a", number)) for number in range(3)]
        work.may.release()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(result) for result in results] == [RetryLater] * 3
        assert rounds.faults == isinstance(error, ValueError)
        work.error = None
        work.may.release()
        assert await rounds.join("a", 5) == 10


async def test_more_than_may_wait_is_refused_at_once() -> None:
    work = Work()
    async with running(work, waiting=3) as rounds:
        asked = [asyncio.create_task(rounds.join("a", number)) for number in range(4)]
        await settle()  # the first has gone on its way
        asked += [asyncio.create_task(rounds.join("a", number)) for number in range(3)]
        await settle()
        with pytest.raises(RetryLater, match="more messages"):
            await rounds.join("a", 7)
        for _ in range(3):
            work.may.release()
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(each, RetryLater) for each in done) == len(asked) - 6


async def test_who_gives_up_waiting_changes_nothing_for_the_others() -> None:
    work = Work()
    async with running(work) as rounds:
        asked = [asyncio.create_task(rounds.join("a", number)) for number in range(2)]
        await settle()
        asked[0].cancel()
        await settle()
        work.may.release()
        assert await asked[1] == 2


async def test_a_stop_ends_what_was_begun_and_takes_no_more() -> None:
    work = Work()
    rounds: Rounds[str, int, int] = Rounds("tests", work.do, most=1, most_waiting=10, within_s=30)
    task = asyncio.create_task(rounds.run())
    asked = [asyncio.create_task(rounds.join("a", number)) for number in range(2)]
    await settle()
    rounds.stop()
    work.may.release()
    work.may.release()
    await task
    assert await asyncio.gather(*asked) == [0, 2]
    with pytest.raises(RetryLater, match="stopping"):
        await rounds.join("a", 1)


async def test_who_waits_when_all_is_cancelled_is_told_to_come_again() -> None:
    work = Work()
    async with running(work, most=1) as rounds:
        asked = [asyncio.create_task(rounds.join("a", number)) for number in range(2)]
        await settle()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(result) for result in results] == ["the server is stopping: send it again when it is back"] * 2


async def test_a_round_that_hangs_is_given_up() -> None:
    work = Work()
    rounds: Rounds[str, int, int] = Rounds("tests", work.do, most=1, most_waiting=10, within_s=0.01)
    task = asyncio.create_task(rounds.run())
    with pytest.raises(RetryLater, match="too long"):
        await rounds.join("a", 1)
    rounds.stop()
    await task
