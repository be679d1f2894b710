"""Changes of the store: passed on as they come, and begun anew whenever some may have been missed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.store import changes as changes_module
from homeiq_server.store.changes import Change, Changes


class Connections:
    """What tells of changes, whose connections end when the test says so.

    Attributes:
        opened: How many there have been.
        tell: Tells whoever listens; None while nobody does.
        is_away: Whether there can be none.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.tell: Callable[[str], None] | None = None
        self.is_away = False
        self._end = asyncio.Event()

    async def listen(self, heard: Callable[[str], None], *, ready: Callable[[], None]) -> NoReturn:
        self.opened += 1
        if self.is_away:
            raise RetryLater("nobody is there")
        self._end.clear()
        self.tell = heard
        ready()
        try:
            await self._end.wait()
        finally:
            self.tell = None
        raise RetryLater("the connection ended")

    def cut(self) -> None:
        self._end.set()


class Follower:
    """Remembers what it was told."""

    def __init__(self, changes: Changes) -> None:
        self.heard: list[Change] = []
        self.missed = 0
        changes.follow(self.heard.append, self._forget)

    def _forget(self) -> None:
        self.missed += 1


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
def changes(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> Changes:
    monkeypatch.setattr(changes_module, "_AGAIN_S", 0)
    return Changes(connections)


@asynccontextmanager
async def running(changes: Changes) -> AsyncIterator[None]:
    task = asyncio.create_task(changes.run(), name="changes")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is another task
            await asyncio.sleep(0)


async def test_each_follower_is_told_of_each_change_in_order(connections: Connections, changes: Changes) -> None:
    one, other = Follower(changes), Follower(changes)
    async with running(changes):
        await until(lambda: connections.tell)
        assert connections.tell
        for words in ("tenants acme", "ingest_devices acme d:1", "ingest_devices acme d:1"):
            connections.tell(words)
    device = Change("ingest_devices", "acme", "d:1")
    assert one.heard == other.heard == [Change("tenants", "acme"), device, device]


async def test_who_begins_to_listen_may_have_missed_something(connections: Connections, changes: Changes) -> None:
    follower = Follower(changes)
    assert not changes.is_listening
    async with running(changes):
        await until(lambda: connections.tell)
        assert (follower.missed, changes.is_listening) == (1, True)
    assert not changes.is_listening


async def test_after_the_connection_went_it_listens_again_and_says_that_some_were_missed(
    connections: Connections, changes: Changes
) -> None:
    follower = Follower(changes)
    async with running(changes):
        await until(lambda: connections.tell)
        connections.is_away = True
        connections.cut()
        await until(lambda: connections.opened > 5)
        assert (follower.missed, changes.is_listening) == (1, False)
        connections.is_away = False
        await until(lambda: changes.is_listening)
        assert connections.tell
        connections.tell("alert_rules acme")
    assert (follower.missed, follower.heard) == (2, [Change("alert_rules", "acme")])


async def test_an_outage_is_no_reason_to_warn_anybody(
    connections: Connections, changes: Changes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connections.is_away = True
    async with running(changes):
        await until(lambda: connections.opened > 5)
    assert caplog.records == []


class LostWhenLetGo(Connections):
    """A connection that fails in the moment in which it is given back."""

    async def listen(self, heard: Callable[[str], None], *, ready: Callable[[], None]) -> NoReturn:
        try:
            await super().listen(heard, ready=ready)
        finally:
            raise RetryLater("the connection is gone")


async def test_it_ends_when_it_is_cancelled_though_its_connection_fails_in_that_moment() -> None:
    connections = LostWhenLetGo()
    task = asyncio.create_task(Changes(connections).run(), name="changes")
    await until(lambda: connections.tell)
    task.cancel()
    await until(task.done)
    assert task.cancelled()
    assert connections.opened == 1
