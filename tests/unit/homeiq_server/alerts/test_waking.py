"""Those who wait are woken, and only those; nobody is remembered who does not wait."""

import asyncio
from contextlib import ExitStack

import pytest

from homeiq_server.alerts.waking import MOST_WAITING, Waking
from homeiq_server.errors import TooMany


async def test_what_is_told_while_one_looks_ends_the_wait_at_once() -> None:
    waking = Waking()
    with waking.watch("home") as watch:
        waking.tell("home")
        async with asyncio.timeout(5):
            await watch.wait(60)


async def test_other_tenants_do_not_wake() -> None:
    waking = Waking()
    with waking.watch("home") as watch:
        waking.tell("other")
        waiting = asyncio.create_task(watch.wait(60))
        await asyncio.sleep(0)
        assert not waiting.done()
        waking.tell("home")
        async with asyncio.timeout(5):
            await waiting


async def test_all_of_a_tenant_wake() -> None:
    waking = Waking()
    with waking.watch("home") as one, waking.watch("home") as other:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(one.wait(60))
            tasks.create_task(other.wait(60))
            await asyncio.sleep(0)
            waking.tell("home")


async def test_closing_wakes_everybody() -> None:
    waking = Waking()
    with waking.watch("home") as watch:
        waking.close()
        async with asyncio.timeout(5):
            await watch.wait(60)
    assert waking.is_closed


def test_too_many_of_one_tenant_are_refused_and_others_are_not() -> None:
    waking = Waking()
    with ExitStack() as stack:
        for _ in range(MOST_WAITING):
            stack.enter_context(waking.watch("home"))
        with pytest.raises(TooMany):
            stack.enter_context(waking.watch("home"))
        stack.enter_context(waking.watch("other"))
    assert not waking._watches
