"""The two ways to a server: MQTT, where a message is kept when the broker says so, and HTTP, where the answer tells."""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

from .faults import Message
from .mqtt import Broker, Publisher

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class Sender(Protocol):
    """Sends."""

    async def send(self, message: Message) -> str:
        """Send a message; return what became of it, in a word."""
        ...


def open_sender(address: str, number: int) -> AbstractAsyncContextManager[Sender]:
    """Open a way to the address: ``mqtt://`` or ``http(s)://``.

    Raises:
        ValueError: It is something else.
    """
    match urlsplit(address).scheme:
        case "mqtt":
            return _by_mqtt(address, number)
        case "http" | "https":
            return _by_http(address)
        case _:
            raise ValueError("give an mqtt:// or http:// address")


@asynccontextmanager
async def _by_mqtt(address: str, number: int) -> AsyncIterator[Sender]:
    parts = urlsplit(address)
    broker = Broker(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 1883,
        username=os.environ.get("HOMEIQ_MQTT_USERNAME"),
        password=os.environ.get("HOMEIQ_MQTT_PASSWORD"),
    )
    publisher = await Publisher.connect(broker, client_id=f"simulator-{os.getpid()}-{number}")
    try:
        yield _ByMqtt(publisher)
    finally:
        await publisher.close()


class _ByMqtt:
    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def send(self, message: Message) -> str:
        topic = f"tenant/{message.tenant_id}/device/{message.device_id}/{message.msg_type}"
        try:
            await self._publisher.publish(topic, message.payload, token=message.token)
        except OSError, TimeoutError:
            return "lost"
        return "accepted by the broker"


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
                if answer.ok:
                    return "accepted"
                problem = await answer.json(content_type=None)
                return str(problem.get("code") or answer.status)
        except aiohttp.ClientError, TimeoutError:
            return "lost"
