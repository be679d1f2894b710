"""The memory that requests share."""

import asyncio

import pytest

from homeiq_server.api.budget import ByteBudget
from homeiq_server.errors import RetryLater


async def _hold(budget: ByteBudget, size: int, turns: list[int], until: asyncio.Event) -> None:
    async with budget.hold(size):
        turns.append(size)
        await until.wait()


async def _pass_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_finds_none_left_waits_for_his_turn_and_none_overtakes_him() -> None:
    budget, turns, until = ByteBudget(10, patience_s=60), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        async with budget.hold(6):
            for size in (7, 1, 2):
                tasks.create_task(_hold(budget, size, turns, until))
            await _pass_turns()
            assert (budget.held, turns) == (6, [])
        await _pass_turns()
        assert (budget.held, turns) == (10, [7, 1, 2])
        until.set()
    assert budget.held == 0


async def test_nobody_waits_for_ever() -> None:
    budget = ByteBudget(10, patience_s=0)
    async with budget.hold(10):
        with pytest.raises(RetryLater, match="at once"):
            async with budget.hold(1):
                pytest.fail("there was room")
        assert budget.held == 10
    async with budget.hold(10):
        assert budget.held == 10


async def test_one_who_gives_up_lets_those_behind_him_pass() -> None:
    budget, turns, until = ByteBudget(10, patience_s=60), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks, budget.hold(6):
        large = tasks.create_task(_hold(budget, 7, turns, until))
        tasks.create_task(_hold(budget, 2, turns, until))
        await _pass_turns()
        large.cancel()
        await _pass_turns()
        assert (budget.held, turns) == (8, [2])
        until.set()
    assert budget.held == 0


async def test_one_who_gives_up_as_his_turn_comes_holds_nothing() -> None:
    budget = ByteBudget(10, patience_s=60)
    holding = budget.hold(10)
    await holding.__aenter__()
    waiting = asyncio.create_task(_hold(budget, 10, [], asyncio.Event()))
    await _pass_turns()
    await holding.__aexit__(None, None, None)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert budget.held == 0


async def test_of_too_many_who_wait_the_last_are_refused_at_once() -> None:
    budget, until, refused = ByteBudget(10, patience_s=60), asyncio.Event(), 0
    async with asyncio.TaskGroup() as tasks, budget.hold(10):
        waiting = [
            tasks.create_task(asyncio.wait([asyncio.create_task(_hold(budget, 1, [], until))])) for _ in range(200)
        ]
        await _pass_turns()
        refused = sum(one.done() for one in waiting)
        until.set()
    assert 100 < refused < 200
    assert budget.held == 0


async def test_the_largest_request_needs_all_and_gets_it() -> None:
    budget = ByteBudget(10, patience_s=60)
    async with budget.hold(25):
        assert budget.held == 10
    assert budget.held == 0


async def test_who_holds_some_does_not_wait_for_more() -> None:
    budget = ByteBudget(10, patience_s=60)
    async with budget.hold(6):
        with budget.hold_now(4):
            assert budget.held == 10
        with pytest.raises(RetryLater), budget.hold_now(5):
            pytest.fail("there was room")
    assert budget.held == 0
