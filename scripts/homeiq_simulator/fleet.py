"""Devices that send, and what became of their messages."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
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
        refused: Of good devices, by the reason that the server gave: something is wrong with what they were told.
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
            for number, (before, after) in enumerate(zip(bad_before, bad_before[1:], strict=False), start=1)
        ]
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
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
            lives = [
                tasks.create_task(
                    self._live(device, kind, senders[place % len(senders)], place / len(self.devices), pause_s, stop),
                    name=f"{kind} of {device.device_id}",
                )
                for place, device in enumerate(self.devices)
                for kind, pause_s in kinds.items()
            ]
            await stop.wait()
            _, late = await asyncio.wait(lives, timeout=_GRACE_S)
            for life in late:
                life.cancel()

    async def _live(  # noqa: PLR0913 - what a life is made of
        self, device: Device, kind: str, sender: Sender, phase: float, pause_s: float, stop: asyncio.Event
    ) -> None:
        due = time.monotonic() + phase * pause_s
        while not await stopped(stop, due):
            due = max(due + pause_s, time.monotonic())
            if (message := self._message(device, kind)) is not None:
                self.counts["sent"] += 1
                outcome = await sender.send(message)
                self.counts[outcome] += 1
                if device.fault is None and outcome not in TAKEN:
                    self.refused[outcome] += 1

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


async def stopped(stop: asyncio.Event, due: float) -> bool:
    """Wait until it is time, of the monotonic clock, or over; tell which."""
    try:
        async with asyncio.timeout(max(0.0, due - time.monotonic())):
            await stop.wait()
    except TimeoutError:
        return False
    return True
