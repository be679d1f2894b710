"""A HomeIQ app on loopback that behaves: it counts, knows streams, and can be away, slow, full or picky."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.unit.homeiq.fake_ingest import FakeIngest
from tests.unit.homeiq.fake_past import FakePast
from tests.unit.homeiq.fake_store import FakeStore
from tests.unit.homeiq.problems import problem

__all__ = ["SERVER_ID", "TOKEN", "FakeApp", "problem"]

TOKEN = "Qx7~Zv9!Kw3^Jm5*"  # its parts look like nothing that a log could hold by chance
SERVER_ID = "5e7e0f3c0a5e4d4c8a3c1d2e3f405162"

type Answer = Callable[[dict[str, Any]], web.Response | None]


@dataclass
class FakeApp:
    """One app. What it has acknowledged is in ``events``, exactly once.

    Attributes:
        events: The event arrays that were stored, in order.
        bodies: Every body that came, stored or not.
        labels: What was told of each entity, newest last.
        gaps: As reported.
        started: ``started_us`` of each stream's first batch.
        reasons: Why not all is well with it, by code.
        dropped: Lines that it says it has dropped; ``missed``: events that nobody could supply.
        duplicates: Batches that came again.
        in_flight: The most event requests that were ever handled at once.
        lose_answers: So many batches are stored without an answer.
        refuse: Decides before anything is stored; a response is the answer.
        before_info: Called when somebody asks who this is.
        hold: While it is not set, batches wait.
        hold_info: While it is not set, whoever asks who this is waits.
        server_id: None to be somebody else altogether.
        past: Its gaps, and what fills them.
        store: Its devices, and their findings.
        ingest: The devices that send to it.
    """

    token: str = TOKEN
    api_version: int = 1
    min_api_version: int = 1
    version: str = "0.1.0"
    server_id: str | None = SERVER_ID
    port: int = 0
    events: list[list[Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    labels: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    gaps: list[list[int]] = field(default_factory=list)
    started: dict[str, int] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)
    database: dict[str, Any] = field(default_factory=lambda: {"state": "ok", "error": None})
    reasons: dict[str, str] = field(default_factory=dict)
    dropped: int = 0
    missed: int = 0
    duplicates: int = 0
    asked_info: int = 0
    in_flight: int = 0
    lose_answers: int = 0
    refuse: Answer | None = None
    reject: Callable[[list[Any]], bool] = lambda _: False
    before_info: Callable[[], object] = lambda: None
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    status_code: int = 200
    hold_info: asyncio.Event = field(default_factory=asyncio.Event)
    past: FakePast = field(default_factory=FakePast)
    store: FakeStore = field(default_factory=FakeStore)
    ingest: FakeIngest = field(default_factory=FakeIngest)
    _handling: int = 0
    _runner: web.AppRunner | None = None

    def __post_init__(self) -> None:
        self.hold.set()
        self.hold_info.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def states(self) -> list[tuple[str, str | None]]:
        return [(event[0], event[1]) for event in self.events]

    async def start(self) -> None:
        """Listen, unless it does; after a stop on the same port as before."""
        if self._runner is not None:
            return
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.add_routes(
            [
                web.get("/api/v1/info", self._info),
                web.get("/api/v1/status", self._with_token(self._status)),
                web.post("/api/v1/events", self._with_token(self._counted)),
                *(web.route(method, path, self._with_token(serve)) for method, path, serve in self.past.routes),
                *(web.route(method, path, self._with_token(serve)) for method, path, serve in self.store.routes),
                *(web.route(method, path, self._with_token(serve)) for method, path, serve in self.ingest.routes),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be away: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def forget(self) -> None:
        """Be restored from a backup that knows no stream."""
        self.streams.clear()

    def _with_token(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def check(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                return problem(401, "the bearer token is missing or wrong")
            return await handler(request)

        return check

    async def _info(self, _: web.Request) -> web.Response:
        self.asked_info += 1
        self.before_info()
        await self.hold_info.wait()
        return web.json_response(
            {
                **({} if self.server_id is None else {"server_id": self.server_id}),
                "name": "HomeIQ",
                "version": self.version,
                "api_version": self.api_version,
                "min_api_version": self.min_api_version,
            }
        )

    async def _status(self, _: web.Request) -> web.Response:
        if self.status_code != 200:
            return problem(self.status_code, "as the test wants it")
        return web.json_response(
            {
                "status": "degraded" if self.reasons else "ok",
                "reasons": [{"code": code, "message": message} for code, message in self.reasons.items()],
                "version": self.version,
                "lines": {"spooled": 10, "written": 7, "queued": 1, "dead": 2, "dropped": self.dropped},
                "missed": self.missed,
                "gaps": {"open": 3, "newest": []},
                "spool": {"fill": 0.125},
                "rates": {"events_per_minute": 12.5, "lines_written_per_minute": 11.0},
                "latency": {"write_p50_s": 0.01, "write_p99_s": 0.25},
                "database": self.database,
                "store": {"state": self.store.state},
                **({"ingest": {} if self.ingest.is_on else None} if self.ingest.is_known else {}),
            }
        )

    async def _counted(self, request: web.Request) -> web.StreamResponse:
        self._handling += 1
        self.in_flight = max(self.in_flight, self._handling)
        try:
            return await self._events(request)
        finally:
            self._handling -= 1

    async def _events(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.bodies.append(raw)
        await self.hold.wait()
        body = json.loads(raw)
        if self.refuse is not None and (answer := self.refuse(body)) is not None:
            return answer
        answer = self._store(body)
        if answer.status == 200 and self.lose_answers:
            self.lose_answers -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _store(self, body: dict[str, Any]) -> web.Response:
        stream, seq, events = body["stream"], body["seq"], body["events"]
        expected = self.streams.get(stream, 0) + 1
        if seq > expected:
            return problem(409, "a hole in seq", expected=expected)
        if seq < expected:
            self.duplicates += 1
            return web.json_response({"accepted": 0, "duplicates": len(events), "rejected": []})
        self.streams[stream] = seq
        if seq == 1:
            self.started[stream] = body["started_us"]
            self.past.announce(body["started_us"])
        self.gaps += body.get("gaps", [])
        self.past.live(events, body.get("gaps", []))
        for entity_id, labels in body.get("entities", {}).items():
            self.labels[entity_id].append(labels)
        rejected = [index for index, event in enumerate(events) if self.reject(event)]
        self.events += [event for index, event in enumerate(events) if index not in rejected]
        return web.json_response(
            {
                "accepted": len(events) - len(rejected),
                "duplicates": 0,
                "rejected": [{"index": i, "entity_id": events[i][0], "reason": "made up"} for i in rejected],
            }
        )
