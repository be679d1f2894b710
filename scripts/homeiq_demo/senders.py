"""The demo's devices, good and bad ones: they send by MQTT, and come to Home Assistant by themselves."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial

from homeiq_simulator.fleet import Fleet, stopped
from homeiq_simulator.senders import BY_THE_BROKER, open_sender

from .broker import Broker
from .home import Home
from .process import DemoError, wait_for

DEVICES = 12
BAD = 0.25
EVERY_S = 2.0
PATIENCE_S = 30


class Senders:
    """Devices of a home, that send as soon as the server can take it."""

    def __init__(self, home: Home, broker: Broker) -> None:
        """Send to ``broker`` once ``run`` is called."""
        self._home = home
        self._broker = broker
        self._fleet: Fleet | None = None
        self._trouble = "the server was not ready for them"

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop``; whatever stands against it is for the summary to say."""
        try:
            if not await self._becomes_ready(stop):
                return
            made = await self._home.server.ask("POST", "/tenant/v1/tenant/provisioning-key", {})
            await self._home.server.ask("PATCH", "/tenant/v1/tenant", {"auto_provision": True})
            async with open_sender(self._broker.url, 1) as sender:
                self._fleet = Fleet("home", DEVICES, bad=BAD, token=made["provisioning_key"])
                await self._fleet.play([sender], every_s=EVERY_S, stop=stop)
        except (DemoError, OSError, TimeoutError) as err:
            self._trouble = str(err) or type(err).__name__

    async def _becomes_ready(self, stop: asyncio.Event) -> bool:
        """Wait until the server can take messages; tell whether it could before ``stop``."""
        while not await self._is_ready():
            if await stopped(stop, time.monotonic() + 0.1):
                return False
        return True

    async def summary(self) -> str:
        """Return in a line what became of their messages, once that has come about."""
        if (fleet := self._fleet) is None:
            return f"No device has sent: {self._trouble}"
        with contextlib.suppress(DemoError):  # then the line tells how far it came
            await wait_for("the server to decide", partial(self._all_decided, fleet), deadline_s=PATIENCE_S)
            await wait_for("Home Assistant to show them", partial(self._all_shown, fleet), deadline_s=PATIENCE_S)
        ingest = (await self._home.server.status())["ingest"]
        refused = ", ".join(f"{reason} {count}" for reason, count in sorted(ingest["refused"].items())) or "none"
        return (
            f"{len(fleet.devices)} devices have sent {fleet.counts['sent']} messages by MQTT:"
            f" {ingest['accepted']} accepted; refused: {refused};"
            f" {len(await self._shown(fleet))} of the devices are in Home Assistant"
        )

    async def _is_ready(self) -> bool:
        status = await self._home.server.status()
        store, mqtt = status["store"], status["ingest"]["mqtt"]
        self._trouble = store["error"] or mqtt["error"] or self._trouble
        return bool(store["state"] == "ok" and mqtt["state"] == "connected")

    async def _all_decided(self, fleet: Fleet) -> bool:
        ingest = (await self._home.server.status())["ingest"]
        return bool(ingest["accepted"] + sum(ingest["refused"].values()) >= fleet.counts[BY_THE_BROKER])

    async def _all_shown(self, fleet: Fleet) -> bool:
        listed = await self._home.server.ask("GET", "/tenant/v1/devices?limit=500")
        return len(await self._shown(fleet)) >= len(listed["devices"])

    async def _shown(self, fleet: Fleet) -> set[str]:
        """Return the ids of devices whose alerts Home Assistant can tell: it has that entity of every device."""
        there = {state["entity_id"] for state in await self._home.home_assistant.states()}
        ids = [device.device_id for device in fleet.devices]
        return {one for one in ids if f"event.{one.replace('-', '_')}_alert" in there}


@contextlib.asynccontextmanager
async def sending(home: Home, broker: Broker) -> AsyncIterator[Senders]:
    """Let devices send while the context lasts; what is under way at its end arrives."""
    senders, stop = Senders(home, broker), asyncio.Event()
    running = asyncio.create_task(senders.run(stop), name="devices")
    try:
        yield senders
    finally:
        stop.set()
        await running
