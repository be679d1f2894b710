"""Bodies of devices: plain or as gzip, with a promised length or in chunks, and never more of one than its limit.

Who sends them has proved nothing yet. Their memory is therefore not that of Home Assistant's own requests, and what is
held of it grows with what came, not with what was promised.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from aiohttp import ClientError, web

from homeiq_server.errors import Rejected, TooLarge

from .budget import ByteBudget

ROOM: Final = web.AppKey("device_room", ByteBudget)
"""For bodies of devices, from before they are read until they are answered."""

_ROOM_BYTES: Final = 8 * 1024 * 1024
_FIRST: Final = 4 * 1024  # 2,000 senders that say nothing must not keep others from sending
_GROWTH: Final = 16 * 1024
_STEP: Final = 64 * 1024
_SLOW_TO_UNPACK: Final = 8 * 1024
_PACKED_OVERHEAD: Final = 1024  # of gzip over what does not shrink; its header can have a file's name in it
_READ_TIMEOUT_S: Final = 20
_GZIP: Final = 31


def open_room(app: web.Application) -> None:
    """Let all routes of devices share the memory."""
    app[ROOM] = ByteBudget(_ROOM_BYTES, patience_s=5)


@asynccontextmanager
async def device_body(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """Yield the body, unpacked; of a larger one the first ``limit + 1`` bytes, and no more of it is read or unpacked.

    Raises:
        Rejected: It is not gzip, though it says so.
        TooLarge: It is gzip that is larger than what may be in it.
        RetryLater: There is no room for it at the moment.
    """
    is_packed = _is_packed(request)
    async with request.app[ROOM].hold(_FIRST):
        with ExitStack() as held:
            reading = _Reading(limit, request.app[ROOM], held)
            try:
                async with asyncio.timeout(_READ_TIMEOUT_S):
                    await (reading.unpack(request) if is_packed else reading.take(request))
            except TimeoutError as err:
                raise web.HTTPRequestTimeout(text=f"the body did not come within {_READ_TIMEOUT_S} s") from err
            except (ClientError, OSError) as err:
                raise web.HTTPBadRequest(text="the connection ended before the body did") from err
            yield bytes(reading.body)


def _is_packed(request: web.Request) -> bool:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise web.HTTPUnsupportedMediaType(
            text=f"Content-Encoding {encoding[:50]!r} is not taken: send gzip, or the body as it is"
        )
    return encoding == "gzip"


class _Reading:
    """A body that is being read; ends at one byte more than its limit."""

    def __init__(self, limit: int, room: ByteBudget, held: ExitStack) -> None:
        self.body = bytearray()
        self._most = limit + 1
        self._room = room
        self._held = held
        self._size = _FIRST
        self._stream = zlib.decompressobj(_GZIP)

    @property
    def _left(self) -> int:
        return self._most - len(self.body)

    async def take(self, request: web.Request) -> None:
        while self._left and (chunk := await request.content.readany()):
            self._add(chunk[: self._left])

    async def unpack(self, request: web.Request) -> None:
        packed = 0
        while self._left and (chunk := await request.content.readany()):
            packed += len(chunk)
            if packed > self._most + _PACKED_OVERHEAD:  # a stream of empty blocks has no content and no end
                raise TooLarge(f"the packed body is larger than {self._most - 1} bytes: send it as it is")
            await self._unpack(chunk)
        if packed and self._left and not self._stream.eof:
            raise Rejected("the body is not gzip: it has no end")

    async def _unpack(self, packed: bytes) -> None:
        while self._left and (packed or not self._stream.eof):
            part = await self._step(packed)
            self._add(part)
            if self._stream.eof and self._stream.unused_data:
                packed = self._stream.unused_data
                self._stream = zlib.decompressobj(_GZIP)  # there may be several streams, one behind the other
                continue
            packed = self._stream.unconsumed_tail
            if not packed and len(part) < _STEP:
                return

    async def _step(self, packed: bytes) -> bytes:
        most = min(self._left, _STEP)
        try:
            if len(packed) > _SLOW_TO_UNPACK:
                return await asyncio.to_thread(self._stream.decompress, packed, most)
            return self._stream.decompress(packed, most)
        except zlib.error as err:
            raise Rejected(f"the body is not gzip: {err}") from err

    def _add(self, part: bytes) -> None:
        if (size := len(self.body) + len(part)) > self._size:
            more = max(size - self._size, _GROWTH)
            self._held.enter_context(self._room.hold_now(more))
            self._size += more
        self.body += part
