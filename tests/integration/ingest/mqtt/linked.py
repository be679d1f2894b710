"""A link to a broker, and what it takes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Accepted, Inbound, Outcome
from homeiq_server.ingest.mqtt.broker import Broker
from homeiq_server.ingest.mqtt.link import MqttLink
from homeiq_server.options import Options


class Kept:
    """Takes messages as the gate would.

    Attributes:
        payloads: What was kept, in turn.
        messages: The same, as it came.
        refusing: While true, nothing can be kept.
        gate: While it is not set, ``take`` does not return.
    """

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.messages: list[Inbound] = []
        self.groups: list[int] = []
        self.asked = 0
        self.refusing = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def take(
        self, messages: Sequence[Inbound], _kept: Callable[[Sequence[int]], None]
    ) -> list[Outcome | RetryLater]:
        self.asked += 1
        if self.refusing:
            raise RetryLater("the disk is full")
        await self.gate.wait()
        self.groups.append(len(messages))
        self.messages += messages
        self.payloads += (message.payload for message in messages)
        return [
            Accepted(
                tenant_id="home",
                device_id="d",
                site_id="s",
                msg_type="telemetry",
                time_us=0,
                received_us=0,
                metrics={},
                position=None,
                size=0,
            )
            for _ in messages
        ]


class Linked:
    """A link that runs."""

    def __init__(self, link: MqttLink, kept: Kept) -> None:
        self.link = link
        self.kept = kept
        self.task = asyncio.create_task(link.run(), name="link")

    async def has(self, state: str) -> None:
        await until(lambda: self.link.status().state == state)

    async def stop(self) -> None:
        self.link.stop()
        async with asyncio.timeout(20):
            await self.task

    async def kill(self) -> None:
        """Drop the socket as a process does that is killed: nothing more is said to the broker."""
        connection = self.link._connection
        assert connection is not None
        transport = connection._transport()
        assert transport is not None
        transport.abort()
        self.task.cancel()
        await asyncio.wait((self.task,))


@asynccontextmanager
async def linked(  # noqa: PLR0913 - what a link can be like
    options: Options,
    *,
    client_id: str = "homeiq-test",
    kept: Kept | None = None,
    broker: Callable[[], Awaitable[Broker | None]] | None = None,
    other: Mapping[str, Callable[[str, bytes, bool], None]] | None = None,
    connected: bool = True,
) -> AsyncIterator[Linked]:
    """Give a link that runs, by default once it is connected; stop it afterwards."""
    kept = kept or Kept()
    link = MqttLink(options, client_id=client_id, take=kept.take, broker=broker or nowhere, other=other or {})
    running = Linked(link, kept)
    try:
        if connected:
            await running.has("connected")
        yield running
    finally:
        if not running.task.done():
            running.kept.gate.set()
            await running.stop()


async def nowhere() -> Broker | None:
    return None


async def until(what: Callable[[], bool], seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not what():  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.01)


def shared(options: Options, group: str) -> Options:
    return replace(options, mqtt_share=group)
