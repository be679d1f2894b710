"""A database on loopback that answers as InfluxDB 1, 2 and 3 and VictoriaMetrics do, over real HTTP."""

import asyncio
import base64
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web

from tests.unit.homeiq_server.history.fake_store import FakeStore, fault
from tests.unit.homeiq_server.history.spoken_answers import error_1, error_2

_PRODUCT_HEADERS: Mapping[str, Mapping[str, str]] = {
    "influx1.6": {"X-Influxdb-Version": "1.6.7~rc0", "X-Influxdb-Build": "OSS"},
    "influx1": {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"},
    "influx2": {"X-Influxdb-Version": "v2.7.11", "X-Influxdb-Build": "OSS"},
    "influx3": {"X-Influxdb-Version": "3.2.1", "X-Influxdb-Build": "Core"},
    "cloud": {"X-Influxdb-Build": "Cloud"},
    "victoria": {"X-Server-Hostname": "fake"},
    "plain": {},
}


@dataclass
class Scripted:
    """An answer that is given without a look at the lines."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeDatabase(FakeStore):
    """Stores lines; can be away, hang, be slow, be killed, or answer what it is told to.

    Attributes:
        requests: Method and path of everything that it was asked.
        write_sizes: Lines of each write that was looked at.
        queries, authorizations, encodings: Of those writes.
        connections: The other ends of the connections that it saw.
        scripted: Answers to the next writes.
        login: The user and password that it asks for, instead of the token.
        databases: Those, or the buckets, that it has; None: whichever it is asked for.
        tells_kept: Whether it lets itself be asked how old a line may be.
        metrics: Answers every request for metrics.
        limit_bytes: Larger requests, unpacked, are answered 413.
        go_on: While clear it hangs, and ``hanging`` tells that a request does.
        metrics_open: While clear it hangs when asked for metrics, so that nothing can settle.
    """

    def __init__(self, dialect: str = "influx2", *, token: str | None = None, version: str = "v1.145.0") -> None:
        super().__init__(dialect)
        self.token = token
        self.version = version
        self.requests: list[tuple[str, str]] = []
        self.write_sizes: list[int] = []
        self.queries: list[dict[str, str]] = []
        self.authorizations: set[str | None] = set()
        self.encodings: set[str | None] = set()
        self.metrics: Scripted | None = None
        self.connections: set[tuple[str, int]] = set()
        self.scripted: deque[Scripted] = deque()
        self.login: tuple[str, str] | None = None
        self.databases: set[str] | None = None
        self.tells_kept = True
        self.limit_bytes = 25_000_000
        self.hanging = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.metrics_open = asyncio.Event()
        self.metrics_open.set()
        self.starts = 0
        self.url = ""
        self._flushed = 0
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._tls: ssl.SSLContext | None = None

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen, after the first time where it listened before; each start is a new process."""
        self._tls = tls or self._tls
        app = web.Application(middlewares=[self._record], client_max_size=64 * 1024 * 1024)
        app.router.add_get("/ping", self._ping)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/v2/buckets", self._buckets)
        app.router.add_get("/query", self._query)
        if self.dialect != "influx1.6":
            app.router.add_post("/api/v2/write", self._write)
        if self.dialect.startswith("influx1"):
            app.router.add_post("/write", self._write)
        self._runner = web.AppRunner(app, shutdown_timeout=0)
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"
        await web.SockSite(self._runner, listener, ssl_context=self._tls).start()
        self.starts += 1

    async def stop(self) -> None:
        """End in order: everything is on disk."""
        self._flushed = len(self.stored)
        await self._end()

    async def kill(self) -> None:
        """End at once: what was not flushed is lost."""
        del self.stored[self._flushed :]
        await self._end()

    def flush(self) -> None:
        """Put everything on disk."""
        self._flushed = len(self.stored)

    async def _end(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _record(self, request: web.Request, handler: Callable[[web.Request], object]) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if request.transport:
            self.connections.add(request.transport.get_extra_info("peername"))
        if not self.go_on.is_set():
            self.hanging.set()
            await self.go_on.wait()
        response = await handler(request)  # type: ignore[misc]  # aiohttp's handlers are awaitable
        assert isinstance(response, web.StreamResponse)
        response.headers.extend(_PRODUCT_HEADERS[self.dialect])
        return response

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _metrics(self, _: web.Request) -> web.Response:
        await self.metrics_open.wait()
        if self.metrics:
            return web.Response(status=self.metrics.status, text=self.metrics.body)
        if self.dialect != "victoria":
            return web.Response(status=404)
        version = f'vm_app_version{{version="victoria-metrics-{self.version}", short_version="{self.version}"}} 1'
        days = self.keeps.days if self.keeps else 36_500
        flags = f'flag{{name="retentionPeriod", value="{days}d", is_set="true"}} 1\n' if self.tells_kept else ""
        return web.Response(text=f"{flags}process_start_time_seconds {1_000 + self.starts}\n{version}\n")

    async def _query(self, request: web.Request) -> web.Response:
        """InfluxDB 1's ``SHOW RETENTION POLICIES``, the only question that it knows."""
        if refusal := self._refusal_of_stranger(request):
            return refusal
        if not self.tells_kept:
            why = "error authorizing query: w not authorized to execute statement 'SHOW RETENTION POLICIES'"
            return web.json_response({"error": f"{why}, requires READ on home"}, status=403)
        assert request.query["q"] == "SHOW RETENTION POLICIES"
        if self.databases is not None and request.query["db"] not in self.databases:
            fault = {"statement_id": 0, "error": f"database not found: {request.query['db']}"}
            return web.json_response({"results": [fault]})
        columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"]
        hours = self.keeps // timedelta(hours=1) if self.keeps else 0
        values = [
            ["autogen", f"{hours}h0m0s" if hours else "0s", "168h0m0s", 1, True],
            ["raw", "48h0m0s", "1h", 1, False],
        ]
        series = [{"columns": columns, "values": values}]
        return web.json_response({"results": [{"statement_id": 0, "series": series}]})

    async def _buckets(self, request: web.Request) -> web.Response:
        if refusal := self._refusal_of_stranger(request):
            return refusal
        if not self.tells_kept:
            return web.json_response({"links": {"self": "/api/v2/buckets"}, "buckets": []})
        rules = [{"type": "expire", "everySeconds": self.keeps // timedelta(seconds=1)}] if self.keeps else []
        return web.json_response({"buckets": [{"id": "1", "name": request.query["name"], "retentionRules": rules}]})

    def _refusal_of_stranger(self, request: web.Request) -> web.Response | None:
        expected = f"Token {self.token}" if self.token else None
        if self.login:
            expected = f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"
        if expected is None or request.headers.get("Authorization") == expected:
            return None
        if self.dialect.startswith("influx1"):
            return fault(401, error_1("authorization failed"))
        return fault(401, error_2("unauthorized", "unauthorized access"))

    def _refusal_of_missing(self, request: web.Request) -> web.Response | None:
        name = request.query["db"] if request.path == "/write" else request.query.get("bucket", "")
        if self.databases is None or name in self.databases or self.dialect == "victoria":
            return None
        if self.dialect.startswith("influx1"):
            return fault(404, error_1(f'database not found: "{name}"'))
        return fault(404, error_2("not found", f'bucket "{name}" not found'))

    async def _write(self, request: web.Request) -> web.Response:
        self.encodings.add(request.headers.get("Content-Encoding"))
        body = await request.read()  # unpacked by aiohttp
        if self.scripted:
            answer = self.scripted.popleft()
            return web.Response(status=answer.status, text=answer.body, headers=answer.headers)
        if refusal := self._refusal_of_stranger(request) or self._refusal_of_missing(request):
            return refusal
        if len(body) > self.limit_bytes:
            return fault(413, error_2("request too large", "body too large"))
        lines = body.split(b"\n")
        self.write_sizes.append(len(lines))
        self.queries.append(dict(request.query))
        self.authorizations.add(request.headers.get("Authorization"))
        return self.take(lines, request.query["precision"])


@asynccontextmanager
async def running(database: FakeDatabase, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeDatabase]:
    await database.start(tls)
    try:
        yield database
    finally:
        database.go_on.set()
        database.metrics_open.set()
        await database.stop()
