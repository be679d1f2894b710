"""The part of the fake app that is about devices: registries with their revisions, findings, health."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.unit.homeiq.problems import problem

type Json = dict[str, Any]

KINDS = ("floors", "areas", "labels", "config_entries", "devices", "entities")


def finding(finding_id: str, kind: str = "battery", **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    """Build a finding as the app tells it; without a source it is of the Home Assistant that asks."""
    return {
        "id": finding_id,
        "kind": kind,
        "source": None,
        "subject_type": "device",
        "subject": "d1",
        "device_id": "d1",
        "device_name": "Door",
        "entity_id": None,
        "severity": 3,
        "title": f"{kind} of {finding_id}",
        "explanation": "What is normal, what is seen, what to do.",
        "evidence": {"level_percent": 7.5},
        "affected": [],
        "acknowledged_at": None,
        "resolved_at": None,
        "state": "open",
        "muted_until": None,
        "muted": False,
    } | changes


def device(device_id: str, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    """Build a device as the app tells it."""
    return {
        "id": device_id,
        "source": None,
        "name": "Door",
        "entry_type": None,
        "disabled_by": None,
        "parent_id": None,
        "facts": {"battery_level": None, "last_reported_at": "2026-11-22T09:00:00+00:00"},
        "health": {"state": "learning", "score": None, "confidence": 0.1, "deductions": [], "battery_end": None},
    } | changes


@dataclass
class FakeStore:
    """Keeps what it is told, and tells what a test has put into it.

    Attributes:
        state: As its status says.
        source: The Home Assistant that was heard of last.
        revision: Of the registries, None before any.
        rows: By kind and id, as they are after all that was told.
        snapshots: The revisions of those that were applied; ``diffs`` their bodies; ``refused`` stale requests.
        asked: How often somebody asked for the revision.
        refuse: Decides before anything is stored; a response is the answer.
        on_part: Called with each part before it is stored.
        hold: While it is not set, parts wait.
        reported: Bodies of reports.
        findings: By id; ``changes`` of them in order; ``told`` what was done with them.
        devices: By id.
        pages: How many devices a page has at most.
    """

    state: str = "ok"
    source: str | None = None
    revision: int | None = None
    rows: dict[str, dict[str, Json]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    snapshots: list[int] = field(default_factory=list)
    diffs: list[Json] = field(default_factory=list)
    refused: int = 0
    asked: int = 0
    refuse: Callable[[Json], web.Response | None] = lambda _: None
    on_part: Callable[[Json], object] = lambda _: None
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    reported: list[Json] = field(default_factory=list)
    insights: Json = field(default_factory=lambda: {"devices_total": 5, "devices_unhealthy": 2, "batteries": []})
    findings: dict[str, Json] = field(default_factory=dict)
    changes: list[tuple[str, Json]] = field(default_factory=list)
    told: list[tuple[str, str, Json]] = field(default_factory=list)
    devices: dict[str, Json] = field(default_factory=dict)
    pages: int = 500
    requests: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _parts: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def routes(self) -> list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]]:
        routes = (
            ("GET", "/registry", self._get_revision),
            ("POST", "/registry", self._registry),
            ("POST", "/reported", self._reported),
            ("GET", "/insights", self._insights),
            ("GET", "/findings", self._findings),
            ("POST", "/findings/{id}/{what}", self._tell),
            ("GET", "/finding-changes", self._changes),
            ("GET", "/devices", self._devices),
            ("GET", "/devices/{id}", self._device),
        )
        return [(method, f"/api/v1{path}", self._unless_off(path, serve)) for method, path, serve in routes]

    def put(self, one: Json) -> Json:
        """Have a finding."""
        self.findings[one["id"]] = one
        return one

    def happen(self, change: str, one: Json) -> None:
        """Open or resolve a finding."""
        if change == "resolved":
            one["state"] = "resolved"
        self.put(one)
        self.changes.append((change, one))

    def forget(self) -> None:
        """Be restored from a backup that has no registries."""
        self.revision = None
        self.rows = {kind: {} for kind in KINDS}

    def _unless_off(
        self, path: str, serve: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests[path] += 1
            if self.state == "off":
                return problem(404, "the store is switched off: set the option store to on")
            if self.state != "ok":
                return problem(503, f"the store is {self.state}", retry_after="0")
            self.source = request.query.get("source", self.source)
            return await serve(request)

        return answer

    def _own(self, one: Json) -> Json:
        return one | {"source": one["source"] or self.source}

    async def _get_revision(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"revision": self.revision})

    async def _registry(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.on_part(body)
        await self.hold.wait()
        return self.refuse(body) or self._store(body)

    def _store(self, body: Json) -> web.Response:
        assert set(body["rows"]) <= set(KINDS)
        if "base" in body:
            if body["base"] != self.revision or body["revision"] <= (self.revision or 0):
                return self._stale()
            self.diffs.append(body)
            for kind, ids in body["removed"].items():
                for one in ids:
                    self.rows[kind].pop(one, None)
        else:
            if body["revision"] <= (self.revision or 0) or body["part"] != len(self._parts):
                self._parts.clear()
                if body["part"] != 0 or body["revision"] <= (self.revision or 0):
                    return self._stale()
            self._parts.append(body)
            if not body["last"]:
                return web.json_response({"revision": self.revision, "applied": False, "changed": {}})
            self.rows = {kind: {} for kind in KINDS}
            self.snapshots.append(body["revision"])
        for part in self._parts or [body]:
            for kind, rows in part["rows"].items():
                self.rows[kind] |= {row["id"]: row for row in rows}
        self._parts.clear()
        self.revision = body["revision"]
        return web.json_response({"revision": self.revision, "applied": True, "changed": {}})

    def _stale(self) -> web.Response:
        self.refused += 1
        return problem(409, "stale revision", revision=self.revision)

    async def _reported(self, request: web.Request) -> web.Response:
        self.reported.append(await request.json())
        return web.json_response({})

    async def _insights(self, _: web.Request) -> web.Response:
        return web.json_response(self.insights | {"cursor": len(self.changes)})

    async def _findings(self, request: web.Request) -> web.Response:
        query, start = request.query, int(request.query.get("cursor", "0"))
        found = [
            self._own(one)
            for one in reversed(self.findings.values())
            if one["severity"] >= int(query.get("min_severity", "1"))
            and query.get("kind", one["kind"]) == one["kind"]
            and query.get("device", one["device_id"]) == one["device_id"]
            and (query["state"] == "all" or one["state"] != "resolved")
        ]
        end = start + int(query["limit"])
        following = str(end) if end < len(found) else None
        return web.json_response({"findings": found[start:end], "next_cursor": following})

    async def _tell(self, request: web.Request) -> web.Response:
        if (one := self.findings.get(request.match_info["id"])) is None:
            return problem(404, "no such finding")
        body, what = json.loads(await request.read()), request.match_info["what"]
        self.told.append((one["id"], what, body))
        if what == "acknowledge":
            one["state"] = "acknowledged"
        else:
            one["muted"] = what == "mute"
        return web.json_response(self._own(one))

    async def _changes(self, request: web.Request) -> web.Response:
        after, limit = int(request.query["after"]), int(request.query["limit"])
        some = self.changes[after : after + limit]
        changes = [
            {"cursor": after + number, "change": change, "at": "2026-11-22T09:00:00+00:00", "finding": self._own(one)}
            for number, (change, one) in enumerate(some, 1)
        ]
        return web.json_response({"changes": changes, "cursor": after + len(some)})

    async def _devices(self, request: web.Request) -> web.Response:
        start = int(request.query.get("cursor", "0"))
        end = start + min(self.pages, int(request.query["limit"]))
        found = [self._own(one) for one in self.devices.values()]
        return web.json_response({"devices": found[start:end], "next_cursor": str(end) if end < len(found) else None})

    async def _device(self, request: web.Request) -> web.Response:
        if (one := self.devices.get(request.match_info["id"])) is None:
            return problem(404, "no such device")
        return web.json_response(self._own(one) | {"entities": []})
