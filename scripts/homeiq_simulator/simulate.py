"""Plays devices until it is told to stop, and says every few seconds what became of their messages."""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from .faults import FAULTS
from .fleet import Fleet, stopped
from .senders import BY_THE_BROKER, LOST, open_sender

_SAY_EVERY_S: Final = 5.0
_TOKENS: Final = ("hik_", "hid_")

_HALF: Final = len(FAULTS) // 2

_HELP: Final = f"""\
The token of the devices is read from the environment, HOMEIQ_DEVICE_TOKEN. Take the provisioning key of the tenant:
devices that nobody knows register themselves with it, once they may. Both is done on the app's page, "Ingest", or so:

  curl -X POST -H "Authorization: Bearer TOKEN" http://localhost:8098/tenant/v1/tenant/provisioning-key
  curl -X PATCH -H "Authorization: Bearer TOKEN" -H "Content-Type: application/json" \\
       -d '{{"auto_provision": true}}' http://localhost:8098/tenant/v1/tenant

Bad devices have one fault each, in this order:

  {", ".join(list(FAULTS)[:_HALF])},
  {", ".join(list(FAULTS)[_HALF:])}

By MQTT the sender learns only that the broker has a message. What the server makes of it is shown on its page, by
GET /tenant/v1/quarantine and GET /api/v1/status; by HTTP each answer tells, and the counts have the reasons.
"""
_REMEDIES: Final = {
    "TOKEN_INVALID": "HOMEIQ_DEVICE_TOKEN is not the tenant's provisioning key, or devices may not register themselves",
    "TOKEN_MISSING": "HOMEIQ_DEVICE_TOKEN is not set",
    "UNREGISTERED_DEVICE": "the tenant's devices may not register themselves, or HOMEIQ_DEVICE_TOKEN is not its key",
    "UNKNOWN_TENANT": "there is no such tenant: see --tenant",
    "RATE_LIMITED_DEVICE": "the devices send more than the server takes of one: raise --every",
    "RATE_LIMITED_TENANT": "the devices send more than the server takes of a tenant: raise --every",
    LOST: "nobody answers, or not in time",
    "HTTP 404": "nobody takes messages of devices at this address: is the option ingest on?",
}


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate",
        description="Plays devices that send by MQTT or HTTP, bad ones among them, until Ctrl-C.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "address",
        help="mqtt://host:1883 (user and password from HOMEIQ_MQTT_USERNAME and _PASSWORD) or http://host:8098",
    )
    parser.add_argument("--tenant", default="home", help="whose devices they are (%(default)s)")
    parser.add_argument("--devices", type=_count, default=25, help="how many (%(default)s)")
    parser.add_argument(
        "--every", type=_seconds, default=10, help="seconds between measurements of a device (%(default)s)"
    )
    parser.add_argument("--heartbeats", type=_seconds, help="seconds between heartbeats of a device; none by default")
    parser.add_argument("--bad", type=_part, default=0.0, help="the part of them that is bad, from 0 to 1 (0)")
    parser.add_argument(
        "--connections", type=_count, default=1, help="over how many connections they send (%(default)s)"
    )
    parser.add_argument("--seconds", type=_seconds, help="stop after so many")
    return parser.parse_args(given)


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _seconds(text: str) -> float:
    if not (number := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"{text} is not more than 0")
    return number


def _part(text: str) -> float:
    if not 0 <= (number := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return number


def _check_token(token: str | None) -> None:
    if token is None:
        _warn("HOMEIQ_DEVICE_TOKEN is not set: the devices show no token, and will be refused by most servers")
    elif not token.startswith(_TOKENS):
        _warn(
            f"HOMEIQ_DEVICE_TOKEN is no token of a device and no provisioning key: these begin with {_words(_TOKENS)}"
        )


async def _say(fleet: Fleet, stop: asyncio.Event) -> None:
    before, told = 0, set[str]()
    while not await stopped(stop, time.monotonic() + _SAY_EVERY_S):
        sent = fleet.counts["sent"]
        print(f"{(sent - before) / _SAY_EVERY_S:7.1f} a second; {_counts(fleet.counts)}", flush=True)
        before = sent
        _tell_failures(fleet, told)
    _tell_failures(fleet, told)


def _tell_failures(fleet: Fleet, told: set[str]) -> None:
    """Say once of each reason why messages of good devices are not taken, and what to do about it."""
    for reason in fleet.failed.keys() - told:
        told.add(reason)
        remedy = _REMEDIES.get(reason, "the log of the server may tell more")
        _warn(f"messages of good devices are not taken, {reason}: {remedy}")


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "nothing sent yet"


def _words(names: Sequence[str]) -> str:
    return " or ".join(names)


async def _run(chosen: argparse.Namespace) -> int:
    token = os.environ.get("HOMEIQ_DEVICE_TOKEN")
    fleet = Fleet(chosen.tenant, chosen.devices, bad=chosen.bad, token=token)
    async with AsyncExitStack() as stack:
        try:
            senders = [
                await stack.enter_async_context(open_sender(chosen.address, n)) for n in range(chosen.connections)
            ]
        except (OSError, TimeoutError, ValueError) as err:
            print(f"error: {chosen.address} cannot be reached: {str(err) or 'no answer'}", file=sys.stderr)
            return 1
        _check_token(token)
        print(f"{_what(chosen)} send to {chosen.address} every {chosen.every:g} s; Ctrl-C stops them", flush=True)
        stop = _stopping(chosen.seconds)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_say(fleet, stop), name="say")
            await fleet.play(senders, every_s=chosen.every, heartbeat_s=chosen.heartbeats, stop=stop)
    if fleet.counts[BY_THE_BROKER]:
        print("The broker has them; which of them the server has refused is shown on its page.")
    print(json.dumps(dict(fleet.counts)))
    return 0


def _what(chosen: argparse.Namespace) -> str:
    return f"{chosen.devices} device{'' if chosen.devices == 1 else 's'} of {chosen.tenant}"


def _stopping(seconds: float | None) -> asyncio.Event:
    """Return what is set when it is time to stop, by a signal or by the clock."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds:
        loop.call_later(seconds, stop.set)
    return stop


def main() -> None:
    """Play."""
    try:
        sys.exit(asyncio.run(_run(arguments())))
    except KeyboardInterrupt:  # before there was anything to stop
        sys.exit(130)


if __name__ == "__main__":
    main()
