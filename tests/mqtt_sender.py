"""A client of MQTT for tests, made of bytes: it shares nothing with the one that the server uses."""

import asyncio
import struct
from collections import deque
from contextlib import suppress
from typing import Final, Self

_CONNACK: Final = 0x20
_PUBLISH: Final = 0x30
_PUBACK: Final = 0x40
_SUBACK: Final = 0x90


class Sender:
    """Sends like a device, and may listen; speaks MQTT 5 or, without ``token``, 3.1.1.

    Attributes:
        acknowledged: Messages of QoS 1 that the broker has, by the order they were sent in: true at that index.
        received: Topics and payloads that came, acknowledged at once.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int) -> None:
        self._reader, self._writer, self._version = reader, writer, version
        self._numbers = deque(range(1, 65_535))
        self._waiting: dict[int, int] = {}
        self._changed = asyncio.Event()
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._window = 20
        self._task = asyncio.create_task(self._read(), name="mqtt sender")
        self.acknowledged: list[bool] = []
        self.received: list[tuple[str, bytes]] = []

    @classmethod
    async def connect(
        cls, port: int, *, version: int = 5, client_id: str = "", username: str | None = None, password: str = ""
    ) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sender = cls(reader, writer, version)
        flags = 0x02 if username is None else 0xC2
        body = _text("MQTT") + bytes((version, flags)) + struct.pack("!H", 0)
        body += (b"\0" if version == 5 else b"") + _text(client_id)
        if username is not None:
            body += _text(username) + _text(password)
        writer.write(_packet(0x10, body))
        answer = await sender._answer()
        if answer[1] != 0:
            await sender.close()
            raise ConnectionRefusedError(f"code {answer[1]}")
        if version == 5:
            sender._window = _receive_maximum(answer[3:])
        return sender

    async def subscribe(self, topic_filter: str) -> None:
        properties = b"\0" if self._version == 5 else b""
        self._writer.write(_packet(0x82, b"\xff\xff" + properties + _text(topic_filter) + b"\x01"))
        await self._answer()

    async def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, token: str | None = None
    ) -> None:
        """Send as soon as the broker's window lets; `sent` tells when the broker has it."""
        if qos:
            await self.sent(most_waiting=self._window - 1)
        head = _text(topic)
        if qos:
            number = self._numbers.popleft()
            self._waiting[number] = len(self.acknowledged)
            self.acknowledged.append(False)
            head += struct.pack("!H", number)
        if self._version == 5:
            properties = b"" if token is None else b"\x26" + _text("token") + _text(token)
            head += bytes((len(properties),)) + properties
        self._writer.write(_packet(_PUBLISH | qos << 1 | retain, head + payload))

    async def sent(self, *, most_waiting: int = 0) -> None:
        """Return when the broker has acknowledged all but ``most_waiting``; ``ConnectionError`` when it is gone."""
        if not most_waiting:
            await self._writer.drain()
        while len(self._waiting) > most_waiting:
            self._changed.clear()
            if self._task.done():
                raise ConnectionError("the broker is gone")
            await self._changed.wait()

    async def close(self) -> None:
        self._task.cancel()
        self._writer.close()
        await asyncio.wait((self._task,))
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _answer(self) -> bytes:
        async with asyncio.timeout(20):
            return await self._answers.get()

    async def _read(self) -> None:
        try:
            while True:
                kind, body = await self._packet()
                if kind & 0xF0 == _PUBACK:
                    number = int.from_bytes(body[:2])
                    self.acknowledged[self._waiting.pop(number)] = True
                    self._numbers.append(number)
                    self._changed.set()
                elif kind & 0xF0 == _PUBLISH:
                    self._receive(kind, body)
                else:
                    self._answers.put_nowait(body)
        except asyncio.IncompleteReadError, ConnectionError:
            self._answers.put_nowait(b"\0\xff")
        finally:
            self._changed.set()

    def _receive(self, kind: int, body: bytes) -> None:
        length = int.from_bytes(body[:2])
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if kind & 0x06:
            self._writer.write(_packet(_PUBACK, rest[:2]))
            rest = rest[2:]
        if self._version == 5:
            rest = rest[1 + rest[0] :]
        self.received.append((topic, rest))

    async def _packet(self) -> tuple[int, bytes]:
        kind = (await self._reader.readexactly(1))[0]
        length = shift = 0
        while True:
            part = (await self._reader.readexactly(1))[0]
            length |= (part & 0x7F) << shift
            shift += 7
            if part < 0x80:
                return kind, await self._reader.readexactly(length)


def _receive_maximum(properties: bytes) -> int:
    sizes = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
    while properties:
        kind, properties = properties[0], properties[1:]
        size = sizes[kind] if kind in sizes else 2 + int.from_bytes(properties[:2])
        if kind == 0x21:
            return int.from_bytes(properties[:2])
        properties = properties[size:]
    return 65_535


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded


def _packet(kind: int, body: bytes) -> bytes:
    length = len(body)
    size = bytearray()
    while True:
        length, part = length >> 7, length & 0x7F
        size.append(part | (0x80 if length else 0))
        if not length:
            return bytes((kind,)) + size + body
