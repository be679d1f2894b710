"""A database on loopback that answers as InfluxDB 1, 2 and 3 and VictoriaMetrics do, over real HTTP."""

import asyncio
import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from homeiq_server.errors import Rejected
from homeiq_server.history.line_protocol import INFLUX

_PRODUCT_HEADERS: Mapping[str, Mapping[str, str]] = {
    "influx1": {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"},
    "influx2": {"X-Influxdb-Version": "v2.7.11", "X-Influxdb-Build": "OSS"},
    "influx3": {"X-Influxdb-Version": "3.2.1", "X-Influxdb-Build": "Core"},
    "victoria": {"X-Server-Hostname": "fake"},
    "plain": {},
}
_TYPES: Mapping[type, str] = {bool: "boolean", float: "float", int: "integer", str: "string"}


@dataclass
class Scripted:
    """An answer that is given without a look at the lines."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class FakeDatabase:
    """Stores lines; can be away, hang, be slow, be killed, or answer what it is told to.

    Attributes:
        stored: Every line that it took, in order; what it takes twice stands twice.
        requests: Method and path of everything that it was asked.
        write_sizes: Lines of each write that was looked at.
        queries, authorizations, encodings: Of those writes.
        connections: The other ends of the connections that it saw.
        scripted: Answers to the next writes.
        metrics: Answers every request for metrics.
        limit_bytes: Larger requests, unpacked, are answered 413.
        hides_bad_lines: As VictoriaMetrics did before 1.105.
        go_on: While clear it hangs, and ``hanging`` tells that a request does.
        metrics_open: While clear it hangs when asked for metrics, so that nothing can settle.
    """

    def __init__(self, dialect: str = "influx2", *, token: str | None = None, version: str = "v1.145.0") -> None:
        self.dialect = dialect
        self.token = token
        self.version = version
        self.stored: list[bytes] = []
        self.requests: list[tuple[str, str]] = []
        self.write_sizes: list[int] = []
        self.queries: list[dict[str, str]] = []
        self.authorizations: set[str | None] = set()
        self.encodings: set[str | None] = set()
        self.metrics: Scripted | None = None
        self.connections: set[tuple[str, int]] = set()
        self.scripted: deque[Scripted] = deque()
        self.limit_bytes = 25_000_000
        self.hides_bad_lines = False
        self.hanging = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.metrics_open = asyncio.Event()
        self.metrics_open.set()
        self.starts = 0
        self.url = ""
        self._flushed = 0
        self._types: dict[tuple[str, str], str] = {}
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
        app.router.add_post("/api/v2/write", self._write)
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

    def pin(self, measurement: str, name: str, type_name: str) -> None:
        """Give a field its type, as the first point of it does."""
        self._types[measurement, name] = type_name

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
        return web.Response(text=f"process_start_time_seconds {1_000 + self.starts}\n{version}\n")

    async def _write(self, request: web.Request) -> web.Response:
        self.encodings.add(request.headers.get("Content-Encoding"))
        body = await request.read()  # unpacked by aiohttp
        if self.scripted:
            answer = self.scripted.popleft()
            return web.Response(status=answer.status, text=answer.body, headers=answer.headers)
        if self.token and request.headers.get("Authorization") != f"Token {self.token}":
            return _fault(401, "unauthorized", "unauthorized access")
        if len(body) > self.limit_bytes:
            return _fault(413, "request too large", "body too large")
        lines = body.split(b"\n")
        self.write_sizes.append(len(lines))
        self.queries.append(dict(request.query))
        self.authorizations.add(request.headers.get("Authorization"))
        return getattr(self, f"_write_{self.dialect}")(lines)  # type: ignore[no-any-return]  # one method a dialect

    def _write_influx1(self, lines: list[bytes]) -> web.Response:
        """What can be read is stored, in spite of the rest."""
        bad = [line for line in lines if _fields(line) is None]
        good = [line for line in lines if _fields(line) is not None]
        conflicts = self._conflicts(good)
        self.stored += [line for line in good if line not in conflicts]
        if bad:
            why = "\n".join(f"unable to parse '{line.decode(errors='replace')}': missing fields" for line in bad)
            return web.json_response({"error": f"partial write: {why} dropped=0"}, status=400)
        if conflicts:
            first = next(iter(conflicts.values()))
            return web.json_response({"error": f"partial write: {first} dropped={len(conflicts)}"}, status=400)
        return web.Response(status=204)

    def _write_influx2(self, lines: list[bytes]) -> web.Response:
        """One line that cannot be read costs all; a type conflict costs itself."""
        if bad := [line for line in lines if _fields(line) is None]:
            why = "\n".join(f"unable to parse '{line.decode(errors='replace')}': missing fields" for line in bad)
            return _fault(400, "invalid", why)
        conflicts = self._conflicts(lines)
        self.stored += [line for line in lines if line not in conflicts]
        if conflicts:
            why = f"partial write: {next(iter(conflicts.values()))} dropped={len(conflicts)}"
            return _fault(422, "unprocessable entity", f"failure writing points to database: {why}")
        return web.Response(status=204)

    def _write_influx3(self, lines: list[bytes]) -> web.Response:
        """The v2 endpoint stops at the first bad line and stores nothing."""
        conflicts = self._conflicts(lines)
        for number, line in enumerate(lines, start=1):
            if _fields(line) is None or line in conflicts:
                shown = line.decode(errors="replace")[:20] + "..."
                fault = {"original_line": shown, "line_number": number, "error_message": "no fields"}
                return web.json_response({"error": "parsing failed", "data": fault}, status=400)
        self.stored += lines
        return web.Response(status=204)

    def _write_victoria(self, lines: list[bytes]) -> web.Response:
        """Stops at the first bad line and stores nothing; before 1.105 it skipped bad lines silently."""
        for index, line in enumerate(lines):
            if _fields(line) is None and not self.hides_bad_lines:
                rest = json.dumps(b"\n".join(lines[index:]).decode(errors="replace"), ensure_ascii=False)
                text = f'incorrect influx line {rest}: missing field value for "f"; see https://docs'
                return web.Response(status=400, text=f"cannot process influx line protocol data: {text}\n")
        self.stored += [line for line in lines if _fields(line) is not None]
        return web.Response(status=204)

    def _conflicts(self, lines: list[bytes]) -> dict[bytes, str]:
        conflicts: dict[bytes, str] = {}
        for line in lines:
            for (measurement, name), type_name in (_fields(line) or {}).items():
                known = self._types.setdefault((measurement, name), type_name)
                if known != type_name:
                    conflicts[line] = (
                        f'field type conflict: input field "{name}" on measurement "{measurement}"'
                        f" is type {type_name}, already exists as type {known}"
                    )
        return conflicts


@asynccontextmanager
async def running(database: FakeDatabase, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeDatabase]:
    await database.start(tls)
    try:
        yield database
    finally:
        database.go_on.set()
        database.metrics_open.set()
        await database.stop()


def _fields(line: bytes) -> dict[tuple[str, str], str] | None:
    """Return the type of each field by measurement and name; None when this is not a line."""
    try:
        parsed = INFLUX.parse(line.decode())
    except Rejected, UnicodeDecodeError:
        return None
    return {(parsed.measurement, name): _TYPES[type(value)] for name, value in parsed.fields.items()}


def _fault(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
