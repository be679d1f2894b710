"""A database that only counts: it speaks enough of InfluxDB 2 to be written to, as a process of its own."""

import asyncio
import gzip
import multiprocessing
from multiprocessing.connection import Connection
from typing import Self

from aiohttp import web

_LARGEST_BODY = 64 * 2**20


class CountingSink:
    """Runs the sink in another process while the ``with`` block lasts.

    Attributes:
        url: Where it listens, on loopback.
        port: The same, its port alone.
    """

    def __init__(self) -> None:
        self._ours, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
        self.url, self.port = "", 0

    def __enter__(self) -> Self:
        self._process.start()
        self.port = int(self._ours.recv())
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def lines(self) -> int:
        """Return how many lines have been acknowledged so far."""
        self._ours.send("lines")
        return int(self._ours.recv())


def _serve(control: Connection) -> None:
    count = 0

    async def write(request: web.Request) -> web.Response:
        nonlocal count
        body = await request.read()
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        count += body.count(b"\n") + (not body.endswith(b"\n"))
        return web.Response(status=204)

    async def pass_over(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"name": "influxdb", "status": "pass", "version": "v2.7.12"})

    async def query(_: web.Request) -> web.Response:
        return web.Response(text="\r\n", content_type="text/csv")

    async def ping(_: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": "v2.7.12", "X-Influxdb-Build": "OSS"})

    async def start() -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/api/v2/write", write)
        app.router.add_post("/api/v2/query", query)
        app.router.add_post("/api/v1/write", pass_over)  # what vmagent sends, which is not lines
        app.router.add_get("/health", health)
        app.router.add_get("/ping", ping)
        return app

    def answer() -> None:
        control.recv()
        control.send(count)

    async def main() -> None:
        runner = web.AppRunner(await start(), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        control.send(runner.addresses[0][1])
        asyncio.get_running_loop().add_reader(control.fileno(), answer)
        await asyncio.Event().wait()

    asyncio.run(main())
