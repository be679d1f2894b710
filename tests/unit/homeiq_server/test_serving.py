"""A listener before anybody has asked for a body."""

import asyncio

from aiohttp import web

from homeiq_server.serving import Listener
from tests.unit.homeiq_server.server_builders import eventually


async def test_little_of_a_body_is_in_memory_before_it_is_asked_for() -> None:
    came: list[int] = []

    async def look(request: web.Request) -> web.Response:
        for _ in range(500):
            await asyncio.sleep(0)
        came.append(request.content.total_bytes)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", look)
    listener = Listener(app, host="127.0.0.1", port=0)
    await listener.start()
    _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 4_000_000)
    await eventually(lambda: came)
    writer.transport.abort()
    await listener.stop()

    assert came[0] <= 64 * 1024
