"""A real VictoriaMetrics, and a watcher that stands before it and notes when it acknowledges what."""

import asyncio
import gzip
import json
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Self

import aiohttp
from aiohttp import web

from homeiq_bench.server import free_port
from homeiq_server.embedded.victoria_metrics import FLAGS

PROGRAM = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "victoria-metrics"
_READY_WITHIN_S = 20.0
_HOP = {"host", "transfer-encoding", "connection", "content-encoding", "content-length"}


class VictoriaMetrics:
    """Runs the database with the app's own settings while the ``with`` block lasts; may be away meanwhile.

    Attributes:
        url: Where it listens, on loopback; the same after every start.
        port: The same, its port alone.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [
            str(PROGRAM),
            f"-storageDataPath={folder}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            *FLAGS,
            *flags,
            "-loggerLevel=ERROR",
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._process = subprocess.Popen(self._command)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._ready():
            if time.monotonic() > deadline:
                raise RuntimeError("VictoriaMetrics did not start; its own words stand above")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order: what it took is on disk."""
        self._process.terminate()
        self._process.wait(_READY_WITHIN_S)

    def values(self, metric: str) -> set[int]:
        """Return the values of a metric that the export endpoint shows at this moment."""
        query = urllib.parse.urlencode({"match[]": metric})
        with urllib.request.urlopen(f"{self.url}/api/v1/export?{query}", timeout=10) as answer:  # noqa: S310
            series = [json.loads(line) for line in answer]
        return {round(value) for each in series for value in each["values"]}

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:  # noqa: S310  # a constant scheme
                return bool(answer.read() == b"OK")
        except OSError:
            return False


class Watcher:
    """Passes requests on to a database, in a thread of its own, and notes when each marker was acknowledged.

    Attributes:
        url: Where to write instead of to the database.
        acknowledged: By the marker's value, the wall clock when the database's 2xx came.
        writes: The status of each answer to a write.
    """

    def __init__(self, database: str, marker: str = r"(?!)") -> None:
        self._database, self._marker = database, re.compile(marker)
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self.url = ""
        self.acknowledged: dict[int, float] = {}
        self.writes: list[int] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        self._ready.wait(_READY_WITHIN_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_READY_WITHIN_S)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._pass_on)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as self._session:
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._ready.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()  # aiohttp has inflated it already
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _HOP}
        async with self._session.request(
            request.method, self._database + request.path_qs, data=body, headers=headers
        ) as answer:
            content = await answer.read()
            if request.path.endswith("/write"):
                self.writes.append(answer.status)
            if answer.ok:
                self._note(body)
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in _HOP}
            return web.Response(status=answer.status, body=content, headers=kept)

    def _note(self, body: bytes) -> None:
        plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        for found in self._marker.finditer(plain.decode()):
            self.acknowledged.setdefault(round(float(found[1])), time.time())
