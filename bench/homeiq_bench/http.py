"""One HTTP/1.1 connection, spoken by hand: it takes little of the cores that a load shares with the server."""

import asyncio
from typing import NamedTuple

_LARGEST_HEAD = 64 * 1024


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


class Connection:
    """Sends one request at a time to a port of loopback; opened by the first one, and again after it broke."""

    def __init__(self, port: int, *, authorization: str) -> None:
        self._port = port
        self._authorization = authorization
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, *body: bytes, headers: str = "Content-Type: application/json\r\n") -> Answer:
        """Send a body, given in parts, and return the answer.

        Raises:
            OSError: Nobody listens, or the connection broke.
            EOFError: The other side ended in the middle.
        """
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: {self._authorization}\r\n"
            f"{headers}Content-Length: {sum(map(len, body))}\r\n\r\n"
        )
        try:
            reader, writer = await self._open()
            writer.writelines((head.encode(), *body))
            await writer.drain()
            return await _read(reader)
        except BaseException:  # also a cancellation: the answer to this request must not be taken for the next one's
            self.abort()
            raise

    def abort(self) -> None:
        """Close the connection at once."""
        if self._streams:
            self._streams[1].transport.abort()
        self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=_LARGEST_HEAD)
        return self._streams


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0]
    return Answer(int(head[9:12]), await reader.readexactly(int(length or 0)))
