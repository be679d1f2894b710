"""Messages from their arrival until they are acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Inbound, Outcome, Reason, Refused
from homeiq_server.ingest.mqtt import reception as module
from homeiq_server.ingest.mqtt import resting
from homeiq_server.ingest.mqtt.reception import Reception

REFUSED = Refused(reason=Reason.NOT_OBJECT, detail="it is none", tenant_id="t", device_id="d")


class Taking:
    """Takes one group after the other, as it is let."""

    def __init__(self) -> None:
        self.groups: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.failures: list[Exception] = []
        self.paused = 0
        self.resumed = 0

    async def take(
        self, messages: Sequence[Inbound], _kept: Callable[[Sequence[int]], None]
    ) -> list[Outcome | RetryLater]:
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.groups.append([message.payload for message in messages])
        return [REFUSED] * len(messages)

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


class Choosing:
    """Takes each message for itself.

    Attributes:
        later: Devices whose messages cannot be kept now.
        hangs: Devices whose messages keep a group from ending; the others of it are told of at once.
        taken: Payloads by device, in turn.
    """

    def __init__(self) -> None:
        self.later: set[str] = set()
        self.hangs: set[str] = set()
        self.go_on = asyncio.Event()
        self.taken: dict[str, list[bytes]] = {}
        self.messages: list[Inbound] = []
        self.at_once = self.most_at_once = 0

    async def take(
        self, messages: Sequence[Inbound], kept: Callable[[Sequence[int]], None]
    ) -> list[Outcome | RetryLater]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        hanging = [place for place, one in enumerate(messages) if device_of(one) in self.hangs]
        now = [place for place in range(len(messages)) if place not in hanging]
        outcomes = [self._note(messages[place]) for place in now]
        kept([place for place, outcome in zip(now, outcomes, strict=True) if outcome is REFUSED])
        if hanging:
            await self.go_on.wait()
        by_place = dict(zip(now, outcomes, strict=True)) | {place: self._note(messages[place]) for place in hanging}
        self.at_once -= 1
        return [by_place[place] for place in range(len(messages))]

    def _note(self, one: Inbound) -> Outcome | RetryLater:
        if device_of(one) in self.later:
            return RetryLater("the store is down")
        self.taken.setdefault(device_of(one), []).append(one.payload)
        self.messages.append(one)
        return REFUSED


def device_of(one: Inbound) -> str:
    return one.topic.split("/")[3]


@asynccontextmanager
async def choosing(taking: Choosing, *, messages: int = 1_000) -> AsyncIterator[Reception]:
    reception = Reception(taking.take, pause=lambda: None, resume=lambda: None, most_messages=messages)
    task = asyncio.create_task(reception.run(), name="reception")
    try:
        yield reception
    finally:
        task.cancel()
        await asyncio.wait((task,))


def message(payload: bytes, device: str = "d") -> Inbound:
    return Inbound(transport="mqtt", topic=f"tenant/t/device/{device}/telemetry", payload=payload, received_us=0)


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
    monkeypatch.setattr(resting, "_FIRST_PAUSE_S", 0.001)
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


async def all_of(*kept: asyncio.Future[int]) -> None:
    async with asyncio.timeout(10):
        assert await asyncio.gather(*kept) == [0] * len(kept)


async def test_what_cannot_be_kept_waits_by_itself_and_in_front_of_its_own_device_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resting, "_FIRST_PAUSE_S", 0.001)
    taking = Choosing()
    taking.later = {"new"}
    async with choosing(taking) as reception:
        new = [reception.hold(message(b"0", "new"), again=True)]
        for number in range(1, 6):
            new.append(reception.hold(message(b"%d" % number, "new"), again=True))
            await all_of(reception.hold(message(b"%d" % number, "old"), again=True))
        assert reception.held == 6
        assert not any(kept.done() for kept in new)
        taking.later = set()
        await all_of(*new)
    assert taking.taken == {"old": [b"1", b"2", b"3", b"4", b"5"], "new": [b"0", b"1", b"2", b"3", b"4", b"5"]}


async def test_what_is_kept_is_acknowledged_before_its_group_ends_and_the_next_groups_go_on() -> None:
    taking = Choosing()
    taking.hangs = {"slow"}
    async with choosing(taking) as reception:
        slow = [reception.hold(message(b"0", "slow"), again=True)]
        await all_of(reception.hold(message(b"0", "quick"), again=True))
        slow.append(reception.hold(message(b"1", "slow"), again=True))
        slow.append(
            reception.hold(
                message(
                    b"0",
                    "slow too",
                ),
                again=True,
            )
        )
        await all_of(reception.hold(message(b"1", "quick"), again=True))
        assert taking.most_at_once == 2
        assert not any(kept.done() for kept in slow[:2])
        taking.go_on.set()
        await all_of(*slow)
    assert taking.taken["slow"] == [b"0", b"1"]


async def test_no_more_groups_are_under_way_than_messages_may_be_held() -> None:
    taking = Choosing()
    devices = [f"d{number}" for number in range(20)]
    taking.hangs = set(devices)
    paused: list[bool] = []
    reception = Reception(taking.take, pause=lambda: paused.append(True), resume=paused.clear, most_messages=5)
    task = asyncio.create_task(reception.run(), name="reception")
    kept = []
    for device in devices:
        if not paused:
            kept.append(reception.hold(message(b"", device), again=True))
            await asyncio.sleep(0.06)
    assert (taking.most_at_once, len(kept)) == (5, 5)
    taking.go_on.set()
    await all_of(*kept)
    assert not paused
    task.cancel()
    await asyncio.wait((task,))


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["keep", "later", "hang", "turn"])), max_size=30),
)
@settings(deadline=None, max_examples=50)
def test_the_messages_of_a_device_are_kept_in_turn_and_once_whatever_happens(steps: list[tuple[str, str]]) -> None:
    async def law() -> None:
        taking, sent = Choosing(), dict[str, list[bytes]]()
        async with choosing(taking) as reception:
            kept = []
            for number, (device, what) in enumerate(steps):
                {"later": taking.later, "hang": taking.hangs}.get(what, set()).add(device)
                if what == "keep":
                    taking.later.discard(device)
                    taking.hangs.discard(device)
                sent.setdefault(device, []).append(b"%d" % number)
                kept.append(reception.hold(message(b"%d" % number, device), again=True))
                if what == "turn":
                    await asyncio.sleep(0.003)
            taking.later = set()
            taking.go_on.set()
            await all_of(*kept)
            assert (reception.held, reception.faults) == (0, 0)
        assert taking.taken == sent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resting, "_FIRST_PAUSE_S", 0.001)
        patch.setattr(module, "_OVERTAKE_S", 0.002)
        asyncio.run(law())


async def test_what_waited_with_us_for_long_is_late_and_so_is_what_waited_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resting, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "_LATE_S", 0.05)
    taking = Choosing()
    taking.later = {"new"}
    async with choosing(taking) as reception:
        new = [reception.hold(message(b"%d" % number, "new"), again=True) for number in range(2)]
        await turns()
        new.append(reception.hold(message(b"2", "new"), again=True))
        await asyncio.sleep(0.06)
        taking.later = set()
        await all_of(*new, reception.hold(message(b"0", "old"), again=True))
    assert {one.payload: one.late for one in taking.messages if device_of(one) == "new"} == dict.fromkeys(
        (b"0", b"1", b"2"), True
    )
    assert [one.late for one in taking.messages if device_of(one) == "old"] == [False]


async def test_the_broker_has_to_wait_for_us_when_the_window_is_full_of_what_cannot_be_kept() -> None:
    taking = Choosing()
    async with choosing(taking, messages=3) as reception:
        taking.hangs = {"d"}
        kept = [reception.hold(message(b"", "d"), again=True) for _ in range(3)]
        await turns()
        assert not reception.is_stalled  # it is much, and that is all
        taking.go_on.set()
        await all_of(*kept)
        taking.later = {"d"}
        for _ in range(3):
            reception.hold(message(b"", "d"), again=True)
        await asyncio.sleep(0.06)
        assert reception.is_stalled


async def test_without_a_connection_what_rests_and_what_waits_behind_it_is_dropped_unless_it_is_sent_once() -> None:
    taking = Choosing()
    taking.later = {"new"}
    async with choosing(taking) as reception:
        reception.hold(message(b"rests", "new"), again=True)
        await asyncio.sleep(0.01)
        reception.hold(message(b"behind", "new"), again=True)
        once = reception.hold(message(b"once", "new"), again=False)
        await asyncio.sleep(0.06)
        taking.later = set()
        assert await reception.finish(10, connected=False) == 0
        assert once.done()
        assert (taking.taken, reception.held, reception.unacknowledged) == ({"new": [b"once"]}, 0, [])


async def test_a_fault_after_some_were_kept_takes_only_the_others_again() -> None:
    taken: list[list[bytes]] = []

    async def take(messages: Sequence[Inbound], kept: Callable[[Sequence[int]], None]) -> list[Outcome | RetryLater]:
        payloads = [one.payload for one in messages]
        if b"bad" in payloads:
            if b"0" in payloads:
                taken.append([b"0"])
                kept([payloads.index(b"0")])
            raise ValueError
        taken.append(payloads)
        return [REFUSED] * len(messages)

    reception = Reception(take, pause=lambda: None, resume=lambda: None)
    task = asyncio.create_task(reception.run(), name="reception")
    kept = [reception.hold(message(payload, payload.decode()), again=True) for payload in (b"0", b"bad", b"1", b"2")]
    await all_of(kept[0], kept[2], kept[3])
    assert sorted(payload for group in taken for payload in group) == [b"0", b"1", b"2"]
    assert not kept[1].done()
    task.cancel()
    await asyncio.wait((task,))
