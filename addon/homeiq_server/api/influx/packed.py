"""Bodies as InfluxDB's clients send them: plain or as gzip, with a promised length or in chunks.

However much a body grows when it is unpacked, what is in memory was held in the budget before.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientError, web

from homeiq_server.api.body import BUDGET, WORK
from homeiq_server.api.budget import ByteBudget
from homeiq_server.errors import Rejected, TooLarge

MAX_BYTES: Final = 4 * 1024 * 1024  # unpacked; InfluxDB 1 takes 25 MB, its clients send some hundred kilobytes
_READ_TIMEOUT_S: Final = 20
_STEP: Final = 256 * 1024
_SLOW_TO_UNPACK: Final = 8 * 1024
_GZIP: Final = 31


@dataclass(frozen=True, slots=True)
class Body:
    """A body, unpacked.

    Attributes:
        content: Its bytes.
        grow: Holds so many bytes beside it; raises as ``body_of`` does.
    """

    content: bytearray
    grow: Callable[[int], None]


@asynccontextmanager
async def body_of(request: web.Request) -> AsyncIterator[Body]:
    """Yield the body; its bytes are held in the budget until the block ends.

    Raises:
        Rejected: It is not gzip, though it says so.
        TooLarge: It is larger than ``MAX_BYTES``.
        RetryLater: There is no room for it at the moment.
    """
    encoding, length = _promise(request)
    budget = request.app[BUDGET]
    async with budget.hold(length):
        with ExitStack() as held:
            room = _Room(budget, held, length)
            try:
                async with asyncio.timeout(_READ_TIMEOUT_S):
                    content = await _read(request, room, encoding)
            except TimeoutError as err:
                raise web.HTTPRequestTimeout(text=f"the body did not come within {_READ_TIMEOUT_S} s") from err
            except (ClientError, OSError) as err:
                raise web.HTTPBadRequest(text="the connection ended before the body did") from err
            async with request.app[WORK].hold(len(content)):
                yield Body(content, lambda more: room.make(len(content) + more))


class _Room:
    """What a body may grow to."""

    def __init__(self, budget: ByteBudget, held: ExitStack, size: int) -> None:
        self._budget = budget
        self._held = held
        self._size = size

    def make(self, size: int) -> None:
        """Hold so many bytes in all.

        Raises:
            TooLarge: There are not so many.
            RetryLater: They are not left.
        """
        if size > self._budget.limit:
            raise TooLarge("Request Entity Too Large: it takes too much memory to read: send it in parts")
        if size > self._size:
            self._held.enter_context(self._budget.hold_now(size - self._size))
            self._size = size


def _promise(request: web.Request) -> tuple[str, int]:
    """Return how it is packed, and its length as far as the sender tells it."""
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise web.HTTPUnsupportedMediaType(
            text=f"Content-Encoding {encoding[:50]!r} is not taken: send gzip, or the body as it is"
        )
    length = request.content_length or 0
    _check_size(length)
    return encoding, length


async def _read(request: web.Request, room: _Room, encoding: str) -> bytearray:
    body = bytearray()
    gzip = _Gzip()
    while chunk := await request.content.readany():
        if encoding == "identity":
            room.make(len(body) + len(chunk))
            body += chunk
            _check_size(len(body))
            continue
        room.make(len(body) + _STEP)
        async for part in gzip.unpack(chunk):
            body += part
            _check_size(len(body))
            room.make(len(body) + _STEP)
    gzip.check_end()
    return body


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise TooLarge(f"Request Entity Too Large: at most {MAX_BYTES} bytes are taken, unpacked: send them in parts")


class _Gzip:
    """Unpacks in steps of ``_STEP`` bytes, off the event loop where that takes long."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self._has_begun = False

    async def unpack(self, packed: bytes) -> AsyncIterator[bytes]:
        """Yield what was packed."""
        self._has_begun = True
        while True:
            part = await self._step(packed)
            yield part
            if self._stream.eof and self._stream.unused_data:
                packed = self._stream.unused_data
                self._stream = zlib.decompressobj(_GZIP)  # there may be several streams, one behind the other
                continue
            packed = self._stream.unconsumed_tail
            if not packed and len(part) < _STEP:
                return

    async def _step(self, packed: bytes) -> bytes:
        try:
            if len(packed) > _SLOW_TO_UNPACK:
                return await asyncio.to_thread(self._stream.decompress, packed, _STEP)
            return self._stream.decompress(packed, _STEP)
        except zlib.error as err:
            raise Rejected(f"the body is not gzip: {err}") from err

    def check_end(self) -> None:
        """Find out whether all came that was begun.

        Raises:
            Rejected: The end is missing.
        """
        if self._has_begun and not self._stream.eof:
            raise Rejected("the body is not gzip: it has no end")
