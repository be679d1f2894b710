"""A fake database whose connections break in the middle."""

import asyncio
from collections import deque
from typing import Literal, override

from aiohttp import web

from tests.unit.homeiq_server.history.fake_database import FakeDatabase

type Fault = Literal["in the request", "before the answer", "in the answer"]


class FaultyDatabase(FakeDatabase):
    """Resets the connections of its next writes.

    Attributes:
        resets: Where each of the next writes breaks off. Once the request was read, the lines are stored all the same.
        delay_s: How long each write takes.
    """

    def __init__(self, dialect: str = "influx2") -> None:
        super().__init__(dialect)
        self.resets: deque[Fault] = deque()
        self.delay_s = 0.0

    @override
    async def _write(self, request: web.Request) -> web.Response:
        fault = self.resets.popleft() if self.resets else None
        if fault == "in the request":
            await request.content.read(1)
            return _reset(request)
        answer = await super()._write(request)
        await asyncio.sleep(self.delay_s)
        if fault is None:
            return answer
        if fault == "in the answer":
            assert request.transport
            request.transport.write(b"HTTP/1.1 204 No Content\r\nX-Influx")
        return _reset(request)


def _reset(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response(status=204)
