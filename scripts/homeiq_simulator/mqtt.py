"""A publisher by MQTT 5 with QoS 1, nothing more: a client library costs more than what it is to load.

Format: MQTT Version 5.0, sections 2.1 (fixed header), 3.1 (CONNECT), 3.3 (PUBLISH) and 3.4 (PUBACK).
"""

import asyncio
import struct
from dataclasses import dataclass, field
from typing import Final, Self

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _PINGREQ, _DISCONNECT = 0x10, 0x20, 0x32, 0x40, 0xC0, 0xE0
_USER_PROPERTY: Final = 0x26
_LAST_ID: Final = 65_535
_TIMEOUT_S: Final = 30
_PING_S: Final = 20
_REFUSED: Final = 0x80
_REFUSALS: Final = {
    0x84: "the broker does not speak MQTT 5",
    0x86: "the broker refuses user and password",
    0x87: "the broker wants a user and a password",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where a broker is, and who we are to it."""

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class Publisher:
    """A connection that publishes.

    Attributes:
        acknowledged: Messages that the broker has.
        is_open: Whether it can publish; one that has ended stays so.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: int) -> None:
        self.acknowledged = 0
        self.is_open = True
        self._reader = reader
        self._writer = writer
        self._window = asyncio.Semaphore(window)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._next = 0
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def connect(cls, broker: Broker, *, client_id: str, window: int = 1_000) -> Self:
        """Connect; at most ``window`` messages travel at once.

        Raises:
            OSError: The broker is away or refuses us.
            TimeoutError: It does not answer.
        """
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(broker.host, broker.port)
            flags = 0x02 | (0x80 if broker.username else 0) | (0x40 if broker.password else 0)
            body = _text("MQTT") + bytes((5, flags)) + struct.pack("!H", 3 * _PING_S) + b"\x00" + _text(client_id)
            body += b"".join(_text(one) for one in (broker.username, broker.password) if one)
            writer.write(_packet(_CONNECT, body))
            try:
                kind, answer = await _read(reader)
            except asyncio.IncompleteReadError as err:
                writer.close()
                raise ConnectionResetError("the connection ended before an answer: is this a broker?") from err
        if kind != _CONNACK or answer[1] >= _REFUSED:
            writer.close()
            raise ConnectionRefusedError(_REFUSALS.get(answer[1], f"the broker refuses us, reason 0x{answer[1]:02x}"))
        publisher = cls(reader, writer, window)
        publisher._tasks = [
            asyncio.create_task(publisher._listen(), name="mqtt acknowledgements"),
            asyncio.create_task(publisher._ping(), name="mqtt pings"),
        ]
        return publisher

    async def publish(self, topic: str, payload: bytes, *, token: str | None = None) -> None:
        """Return when the broker has the message.

        Raises:
            OSError: The connection ended before it did.
            TimeoutError: It does not answer.
        """
        async with self._window:
            if not self.is_open:
                raise ConnectionResetError("the connection has ended")
            number = self._free_id()
            known = asyncio.get_running_loop().create_future()
            self._waiting[number] = known
            try:
                properties = bytes((_USER_PROPERTY,)) + _text("token") + _text(token) if token else b""
                body = _text(topic) + struct.pack("!H", number) + _length(len(properties)) + properties + payload
                self._writer.write(_packet(_PUBLISH, body))
                async with asyncio.timeout(_TIMEOUT_S):
                    await self._writer.drain()
                    await known
            finally:
                self._waiting.pop(number, None)

    async def close(self) -> None:
        """Say goodbye."""
        self.is_open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.write(_packet(_DISCONNECT, b""))
        self._writer.close()

    def _free_id(self) -> int:
        while True:
            self._next = self._next % _LAST_ID + 1
            if self._next not in self._waiting:
                return self._next

    async def _listen(self) -> None:
        try:
            while True:
                kind, body = await _read(self._reader)
                if (
                    kind == _PUBACK
                    and (known := self._waiting.get(struct.unpack("!H", body[:2])[0]))
                    and not known.done()
                ):
                    self.acknowledged += 1
                    known.set_result(None)
        except (OSError, asyncio.IncompleteReadError) as err:
            self.is_open = False
            for known in self._waiting.values():
                if not known.done():
                    known.set_exception(ConnectionResetError(f"the connection ended: {err}"))

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            self._writer.write(_packet(_PINGREQ, b""))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded


def _length(length: int) -> bytes:
    """Return a variable byte integer: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while True:
        length, low = divmod(length, 128)
        encoded.append(low | (0x80 if length else 0))
        if not length:
            return bytes(encoded)


def _packet(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + _length(len(body)) + body


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return the kind and the rest of the next packet."""
    kind = (await reader.readexactly(1))[0] & 0xF0
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return kind, await reader.readexactly(length)
