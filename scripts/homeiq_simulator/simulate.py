"""Plays devices until it is told to stop, and says every few seconds what became of their messages."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack

from .devices import Device, encode
from .faults import FAULTS, Message
from .senders import Sender, open_sender

_SAY_EVERY_S = 5


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Plays devices that send by MQTT or HTTP, bad ones among them. The token, of a device or the"
        " provisioning key of the tenant, is read from the environment: HOMEIQ_DEVICE_TOKEN.",
    )
    parser.add_argument(
        "address",
        help="mqtt://host:1883 (user and password from HOMEIQ_MQTT_USERNAME and _PASSWORD) or http://host:8098",
    )
    parser.add_argument("--tenant", default="home", help="whose devices they are (home)")
    parser.add_argument("--devices", type=int, default=25, help="how many (25)")
    parser.add_argument("--every", type=float, default=10, help="seconds between messages of a device (10)")
    parser.add_argument("--bad", type=float, default=0.0, help="the part of them that is bad, from 0 to 1 (0)")
    parser.add_argument("--connections", type=int, default=1, help="over how many connections they send (1)")
    parser.add_argument("--seconds", type=float, help="stop after so many")
    return parser.parse_args()


class Fleet:
    """Devices and what became of their messages.

    Attributes:
        counts: ``sent``, ``accepted`` and each reason of a refusal as far as the sender is told.
    """

    def __init__(self, tenant_id: str, count: int, *, bad: float, token: str | None) -> None:
        names = tuple(FAULTS)
        every = round(1 / bad) if bad else 0
        self._devices = [
            Device(n, names[n // every % len(names)] if every and n % every == 0 else None) for n in range(1, count + 1)
        ]
        self._tenant_id = tenant_id
        self._token = token
        self.counts: Counter[str] = Counter()

    async def play(self, senders: list[Sender], *, every_s: float, stop: asyncio.Event) -> None:
        """Let every device send every so many seconds, spread over the time, until ``stop``."""
        async with asyncio.TaskGroup() as tasks:
            for place, device in enumerate(self._devices):
                delay = every_s * place / len(self._devices)
                sender = senders[place % len(senders)]
                tasks.create_task(self._live(device, sender, delay, every_s, stop), name=device.device_id)

    async def _live(self, device: Device, sender: Sender, delay: float, every_s: float, stop: asyncio.Event) -> None:
        due = time.monotonic() + delay
        while not await _stopped(stop, due):
            due = max(due + every_s, time.monotonic())
            if (message := self._message(device)) is not None:
                self.counts["sent"] += 1
                self.counts[await sender.send(message)] += 1

    def _message(self, device: Device) -> Message | None:
        message = Message(
            tenant_id=self._tenant_id,
            device_id=device.device_id,
            msg_type="telemetry",
            payload=encode(device.telemetry(time.time())),
            token=self._token,
        )
        return FAULTS[device.fault].apply(message) if device.fault else message


async def _stopped(stop: asyncio.Event, due: float) -> bool:
    """Wait until it is time, or over; tell which."""
    try:
        async with asyncio.timeout(max(0.0, due - time.monotonic())):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _say(fleet: Fleet, stop: asyncio.Event) -> None:
    before = 0
    while not await _stopped(stop, time.monotonic() + _SAY_EVERY_S):
        sent = fleet.counts["sent"]
        print(f"{(sent - before) / _SAY_EVERY_S:7.1f} a second; {_words(fleet.counts)}", flush=True)
        before = sent


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


async def _run(chosen: argparse.Namespace) -> int:
    fleet = Fleet(chosen.tenant, chosen.devices, bad=chosen.bad, token=os.environ.get("HOMEIQ_DEVICE_TOKEN"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if chosen.seconds:
        loop.call_later(chosen.seconds, stop.set)
    async with AsyncExitStack() as stack:
        try:
            senders = [
                await stack.enter_async_context(open_sender(chosen.address, n)) for n in range(chosen.connections)
            ]
        except (OSError, TimeoutError, ValueError) as err:
            print(f"{chosen.address} cannot be reached: {str(err) or type(err).__name__}", file=sys.stderr)
            return 1
        print(
            f"{chosen.devices} devices of {chosen.tenant} send to {chosen.address} every {chosen.every:g} s", flush=True
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_say(fleet, stop), name="say")
            await fleet.play(senders, every_s=chosen.every, stop=stop)
    print(json.dumps(dict(fleet.counts)))
    return 0


def main() -> None:
    """Play."""
    sys.exit(asyncio.run(_run(_arguments())))


if __name__ == "__main__":
    main()
