"""Devices that send, and what became of their messages."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Final

from .devices import Device, encode
from .faults import FAULTS, Message
from .senders import TAKEN, Sender

_GRACE_S: Final = 5.0


class Fleet:
    """Devices of a tenant.

    Attributes:
        devices: All of them.
        counts: ``sent``, and what became of these in a word each, as far as the sender is told.
        failed: What became of those of good devices that nobody has taken: something is wrong around them.
    """

    def __init__(self, tenant_id: str, count: int, *, bad: float = 0.0, token: str | None = None) -> None:
        """Make devices.

        Args:
            tenant_id: Whose they are.
            count: How many.
            bad: The part of them that is bad, from 0 to 1; with all kinds of faults in turn.
            token: What each of them shows.
        """
        faults = tuple(FAULTS)
        bad_before = [int(number * bad + 1e-9) for number in range(count + 1)]
        self.devices: Sequence[Device] = [
            Device(number, faults[before % len(faults)] if after > before else None)
            for number, (before, after) in enumerate(pairwise(bad_before), start=1)
        ]
        self.counts: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._tenant_id = tenant_id
        self._token = token

    async def play(
        self, senders: Sequence[Sender], *, every_s: float, stop: asyncio.Event, heartbeat_s: float | None = None
    ) -> None:
        """Let every device send until ``stop``; what is under way then has some seconds to arrive.

        Args:
            senders: Over which they send, in turn.
            every_s: Between two measurements of a device; the devices are spread over the time.
            stop: Ends it.
            heartbeat_s: Between two heartbeats of a device; None: it sends none.
        """
        kinds = {"telemetry": every_s} | ({} if heartbeat_s is None else {"heartbeat": heartbeat_s})
        async with asyncio.TaskGroup() as tasks:
            lives = []
            for place, device in enumerate(self.devices):
                phase, sender = place / len(self.devices), senders[place % len(senders)]
                for kind, pause_s in kinds.items():
                    beats = _beats(phase * pause_s, pause_s, stop)
                    name = f"{kind} of {device.device_id}"
                    lives.append(tasks.create_task(self._live(device, kind, sender, beats), name=name))
            await stop.wait()
            _, late = await asyncio.wait(lives, timeout=_GRACE_S)
            for life in late:
                life.cancel()

    async def _live(self, device: Device, kind: str, sender: Sender, beats: AsyncIterator[None]) -> None:
        async for _ in beats:
            if (message := self._message(device, kind)) is not None:
                self.counts["sent"] += 1
                outcome = await sender.send(message)
                self.counts[outcome] += 1
                if device.fault is None and outcome not in TAKEN:
                    self.failed[outcome] += 1

    def _message(self, device: Device, kind: str) -> Message | None:
        now = time.time()
        said = device.heartbeat(now) if kind == "heartbeat" else device.telemetry(now)
        message = Message(
            tenant_id=self._tenant_id,
            device_id=device.device_id,
            msg_type=kind,
            payload=encode(said),
            token=self._token,
        )
        fault = FAULTS[device.fault] if device.fault else None
        return message if fault is None or device.seq <= fault.after else fault.apply(message)


async def _beats(delay_s: float, pause_s: float, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield whenever it is time, until ``stop``; what could not be done in time is not made up for."""
    due = time.monotonic() + delay_s
    while not await stopped(stop, due):
        yield
        due = max(due + pause_s, time.monotonic())


async def stopped(stop: asyncio.Event, due: float) -> bool:
    """Wait until it is time, of the monotonic clock, or over; tell which."""
    try:
        async with asyncio.timeout(max(0.0, due - time.monotonic())):
            await stop.wait()
    except TimeoutError:
        return False
    return True
