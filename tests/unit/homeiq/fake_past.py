"""The part of the fake app that is about the past: it keeps gaps, and takes what fills them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.unit.homeiq.problems import problem

type Answer = Callable[[dict[str, Any]], web.Response | None]


@dataclass
class FakePast:
    """Knows since when it has a source's events, and where some are missing.

    Attributes:
        covered_since: None before the first live stream.
        whole: Up to when live events have come.
        gaps: Open ones, ``[start_us, end_us, events]``.
        completed: What was told of filled stretches.
        events: Backfilled ones, exactly once.
        statistics: Rows, exactly once.
        labels: As the backfill told them.
        streams: The last batch of each.
        duplicates: Batches that came again.
        in_flight: The most requests that were ever handled at once.
        lose_answers: So many batches are stored without an answer.
        refuse: Decides before anything is stored; a response is the answer.
        reject: Which events are refused by themselves.
        hold: While it is not set, batches wait.
        asked: How often somebody asked for the gaps.
    """

    covered_since: int | None = None
    whole: int | None = None
    gaps: list[tuple[int, int, int | None]] = field(default_factory=list)
    completed: list[dict[str, Any]] = field(default_factory=list)
    events: list[list[Any]] = field(default_factory=list)
    statistics: list[list[Any]] = field(default_factory=list)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    streams: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    in_flight: int = 0
    lose_answers: int = 0
    refuse: Answer = lambda _: None
    reject: Callable[[list[Any]], bool] = lambda _: False
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    _handling: int = 0

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def routes(self) -> list[tuple[str, str, Callable[[web.Request], Any]]]:
        return [
            ("GET", "/api/v1/gaps", self._get_gaps),
            ("POST", "/api/v1/gaps/complete", self._complete),
            ("POST", "/api/v1/backfill", self._backfill),
            ("POST", "/api/v1/statistics", self._statistics),
        ]

    def announce(self, started: int) -> None:
        """A live stream begins: what came since the last one is missing."""
        if self.covered_since is None:
            self.covered_since = started
        if self.whole is not None and self.whole < started:
            self.gaps.append((self.whole, started, None))
        self.whole = max(self.whole or 0, started)

    def live(self, events: list[list[Any]], gaps: list[list[int]]) -> None:
        self.whole = max([self.whole or 0, *(event[5] for event in events)])
        self.gaps += [(start, end, count) for start, end, count in gaps]

    async def _get_gaps(self, request: web.Request) -> web.Response:
        self.asked += 1
        start, end = int(request.query["start_us"]), int(request.query["end_us"])
        missing = [*self.gaps, (start, end if self.covered_since is None else self.covered_since, None)]
        within = [(max(a, start), min(b, end), n) for a, b, n in missing]
        return web.json_response(
            {
                "uncovered": [
                    {"start_us": a, "end_us": b, "events": n, "reason": "made up"} for a, b, n in within if a < b
                ],
                "covered_since_us": self.covered_since,
            }
        )

    async def _complete(self, request: web.Request) -> web.Response:
        told = await request.json()
        start, end = told["start_us"], told["end_us"]
        if start >= end:
            return problem(400, "no length")
        self.completed.append(told)
        before = len(self.gaps)
        self.gaps = [gap for gap in self.gaps if not (start <= gap[0] and gap[1] <= end)]
        if self.covered_since is not None and start < self.covered_since <= end:
            self.covered_since = start
        return web.json_response({"closed": before - len(self.gaps), "open": len(self.gaps)})

    async def _backfill(self, request: web.Request) -> web.StreamResponse:
        return await self._take(request, "events", self.events)

    async def _statistics(self, request: web.Request) -> web.StreamResponse:
        return await self._take(request, "rows", self.statistics)

    async def _take(self, request: web.Request, key: str, kept: list[list[Any]]) -> web.StreamResponse:
        self._handling += 1
        self.in_flight = max(self.in_flight, self._handling)
        try:
            body = json.loads(await request.read())
            await self.hold.wait()
            answer = self.refuse(body) or self._store(body, key, kept)
            if answer.status == 200 and self.lose_answers:
                self.lose_answers -= 1
                assert request.transport is not None
                request.transport.abort()
            return answer
        finally:
            self._handling -= 1

    def _store(self, body: dict[str, Any], key: str, kept: list[list[Any]]) -> web.Response:
        items, expected = body[key], self.streams.get(body["stream"], 0) + 1
        if body["seq"] > expected:
            return problem(409, "a hole in seq", expected=expected)
        if body["seq"] < expected:
            self.duplicates += 1
            return web.json_response({"accepted": 0, "duplicates": len(items), "rejected": []})
        self.streams[body["stream"]] = body["seq"]
        self.labels |= body.get("entities", {})
        bad = [index for index, item in enumerate(items) if self.reject(item)]
        kept += [item for index, item in enumerate(items) if index not in bad]
        rejected = [{"index": i, "entity_id": items[i][0], "reason": "made up"} for i in bad]
        return web.json_response({"accepted": len(items) - len(bad), "duplicates": 0, "rejected": rejected})
