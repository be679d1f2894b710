"""Messages from their arrival until they are acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Inbound, Outcome
from homeiq_server.ingest.mqtt import reception as module
from homeiq_server.ingest.mqtt.reception import Reception


class Taking:
    """Takes one group after the other, as it is let."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.failures: list[Exception] = []
        self.paused = 0
        self.resumed = 0

    async def take(self, messages: Sequence[Inbound]) -> list[Outcome]:
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.groups.append([message.payload for message in messages])
        return []

    def pause(self) -> None:
        self.paused += 1

    def resume(self) -> None:
        self.resumed += 1


@asynccontextmanager
async def receiving(taking: Taking, *, messages: int = 10, size: int = 1_000) -> AsyncIterator[Reception]:
    reception = Reception(
        taking.take, pause=taking.pause, resume=taking.resume, most_messages=messages, most_bytes=size
    )
    task = asyncio.create_task(reception.run(), name="reception")
    try:
        yield reception
    finally:
        task.cancel()
        await asyncio.wait((task,))


def message(payload: bytes) -> Inbound:
    return Inbound(transport="mqtt", topic="tenant/t/device/d/telemetry", payload=payload, received_us=0)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_while_a_group_is_taken_is_the_next_group() -> None:
    taking = Taking()
    async with receiving(taking) as reception:
        first = [reception.hold(message(b"%d" % n), again=True) for n in range(3)]
        await turns()
        then = [reception.hold(message(b"%d" % n), again=True) for n in range(3, 6)]
        await turns()
        assert not any(kept.done() for kept in first + then)
        assert reception.held == 6
        taking.open.set()
        async with asyncio.timeout(10):
            assert await asyncio.gather(*first, *then) == [0] * 6
        assert taking.groups == [[b"0", b"1", b"2"], [b"3", b"4", b"5"]]
        assert reception.held == 0
        assert reception.oldest_s() == 0


@pytest.mark.parametrize("payload", [b"", b"x" * 100], ids=["by number", "by size"])
async def test_reading_is_paused_while_too_much_is_held_and_not_otherwise(payload: bytes) -> None:
    taking = Taking()
    async with receiving(taking, messages=10 if not payload else 1_000, size=1_000) as reception:
        kept = [reception.hold(message(payload), again=True) for _ in range(9)]
        assert taking.paused == 0
        kept.append(reception.hold(message(payload), again=True))
        kept.append(reception.hold(message(payload), again=True))
        assert (taking.paused, taking.resumed) == (2, 0)
        taking.open.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*kept)
        await turns()
        assert taking.resumed == 1


async def test_what_cannot_be_kept_now_is_tried_until_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.001)
    taking = Taking()
    taking.open.set()
    taking.failures = [RetryLater("full")] * 4
    async with receiving(taking) as reception:
        kept = reception.hold(message(b"1"), again=True)
        async with asyncio.timeout(10):
            assert await kept == 0
        assert (taking.groups, taking.failures, reception.faults) == ([[b"1"]], [], 0)


async def test_a_message_that_nobody_would_send_again_is_given_up_when_it_breaks_us() -> None:
    taking = Taking()
    taking.open.set()
    taking.failures = [ValueError(), ValueError()]
    async with receiving(taking) as reception:
        kept = [reception.hold(message(b"%d" % n), again=False) for n in range(2)]
        async with asyncio.timeout(10):
            await kept[1]
        assert not kept[0].done()
        assert (reception.held, reception.faults, taking.groups) == (0, 2, [[b"1"]])


async def test_the_deadline_is_for_messages_that_would_be_sent_again() -> None:
    taking = Taking()
    async with receiving(taking) as reception:
        reception.hold(message(b"0"), again=False)
        await asyncio.sleep(0.01)
        assert reception.oldest_s() == 0
        reception.hold(message(b"1"), again=True)
        await asyncio.sleep(0.01)
        assert reception.oldest_s() > 0


async def test_without_a_connection_only_what_nobody_would_send_again_is_still_taken() -> None:
    taking = Taking()
    async with receiving(taking) as reception:
        reception.hold(message(b"under way"), again=True)
        await turns()
        reception.hold(message(b"again"), again=True)
        reception.hold(message(b"once"), again=False)
        asyncio.get_running_loop().call_later(0.02, taking.open.set)
        assert await reception.finish(10, connected=False) == 0
        assert taking.groups == [[b"under way"], [b"once"]]


async def test_groups_keep_their_distance_and_the_first_does_not_wait() -> None:
    taking = Taking()
    taking.open.set()
    reception = Reception(taking.take, pause=taking.pause, resume=taking.resume, gather_s=0.2)
    task = asyncio.create_task(reception.run(), name="reception")
    await reception.hold(message(b"0"), again=True)
    kept = []
    for number in range(1, 6):
        kept.append(reception.hold(message(b"%d" % number), again=True))
        await turns()
    async with asyncio.timeout(10):
        await asyncio.gather(*kept)
    assert taking.groups == [[b"0"], [b"1", b"2", b"3", b"4", b"5"]]
    task.cancel()
    await asyncio.wait((task,))


async def test_nothing_is_taken_when_nothing_is_left_to_be() -> None:
    taking = Taking()
    taking.open.set()
    async with receiving(taking) as reception:
        reception.hold(message(b"again"), again=True)
        assert await reception.finish(10, connected=False) == 0
        await turns()
        assert (taking.groups, reception.held) == ([], 0)


async def test_what_is_not_taken_in_time_at_the_end_and_will_not_come_again_is_counted() -> None:
    taking = Taking()
    async with receiving(taking) as reception:
        reception.hold(message(b"once"), again=False)
        reception.hold(message(b"again"), again=True)
        assert await reception.finish(0.05, connected=True) == 1
