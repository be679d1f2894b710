"""The two ways to a server: MQTT, where a message is kept when the broker says so, and HTTP, where the answer tells."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from .faults import Message
from .mqtt import Broker, Publisher

ACCEPTED: Final = "accepted"
BY_THE_BROKER: Final = "accepted by the broker"
LOST: Final = "lost"
TAKEN: Final = frozenset({ACCEPTED, BY_THE_BROKER})
"""What becomes of good messages; all else but ``LOST`` is a refusal by the server, with its reason."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)
_RECONNECT_EVERY_S: Final = 1.0


class Sender(Protocol):
    """Sends."""

    async def send(self, message: Message) -> str:
        """Send a message; return what became of it, in a word."""
        ...


def open_sender(address: str, number: int) -> AbstractAsyncContextManager[Sender]:
    """Open a way to the address: ``mqtt://`` or ``http(s)://``.

    Raises:
        ValueError: It is something else.
        OSError: On entering: a broker is away or refuses us.
        TimeoutError: On entering: it does not answer.
    """
    match urlsplit(address).scheme:
        case "mqtt":
            return _by_mqtt(address, number)
        case "http" | "https":
            return _by_http(address)
        case _:
            raise ValueError("give an address such as mqtt://localhost:1883 or http://localhost:8098")


@asynccontextmanager
async def _by_mqtt(address: str, number: int) -> AsyncIterator[Sender]:
    parts = urlsplit(address)
    broker = Broker(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 1883,
        username=os.environ.get("HOMEIQ_MQTT_USERNAME"),
        password=os.environ.get("HOMEIQ_MQTT_PASSWORD"),
    )
    sender = _ByMqtt(broker, f"simulator-{os.getpid()}-{number}")
    await sender.connect()
    try:
        yield sender
    finally:
        await sender.close()


class _ByMqtt:
    """Connects again when the connection has ended."""

    def __init__(self, broker: Broker, client_id: str) -> None:
        self._broker = broker
        self._client_id = client_id
        self._publisher: Publisher | None = None
        self._connecting = asyncio.Lock()
        self._not_before = 0.0

    async def connect(self) -> None:
        self._publisher = await Publisher.connect(self._broker, client_id=self._client_id)

    async def close(self) -> None:
        if self._publisher:
            await self._publisher.close()

    async def send(self, message: Message) -> str:
        topic = f"tenant/{message.tenant_id}/device/{message.device_id}/{message.msg_type}"
        try:
            publisher = await self._connected()
            await publisher.publish(topic, message.payload, token=message.token)
        except OSError, TimeoutError:
            return LOST
        return BY_THE_BROKER

    async def _connected(self) -> Publisher:
        async with self._connecting:
            if self._publisher is None or not self._publisher.is_open:
                if time.monotonic() < self._not_before:
                    raise ConnectionResetError("the broker was away a moment ago")
                self._not_before = time.monotonic() + _RECONNECT_EVERY_S
                await self.close()
                await self.connect()
            assert self._publisher is not None  # noqa: S101 - connect has set it
            return self._publisher


@asynccontextmanager
async def _by_http(address: str) -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession(address, timeout=_TIMEOUT) as session:
        yield _ByHttp(session)


class _ByHttp:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, message: Message) -> str:
        path = f"/ingest/v1/tenant/{message.tenant_id}/device/{message.device_id}/{message.msg_type}"
        headers = {"Content-Type": "application/json"}
        if message.token:
            headers["X-Provision-Token"] = message.token
        try:
            async with self._session.post(path, data=message.payload, headers=headers) as answer:
                return ACCEPTED if answer.ok else await _reason(answer)
        except aiohttp.ClientError, TimeoutError:
            return LOST


async def _reason(answer: aiohttp.ClientResponse) -> str:
    """Return the code of a problem, else the status: what answers may be another server."""
    try:
        problem = await answer.json(content_type=None)
    except ValueError:
        problem = None
    code = problem.get("code") if isinstance(problem, dict) else None
    return str(code or f"HTTP {answer.status}")
