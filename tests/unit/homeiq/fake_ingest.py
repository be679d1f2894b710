"""The part of the fake app that is about devices which send to it: their states, their alerts, events for the bus."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.unit.homeiq.problems import problem

type Json = dict[str, Any]

AT = "2026-11-22T09:00:00+00:00"


def sender(device_id: str, metrics: dict[str, Any] | None = None, *, at: str = AT, **changes: Any) -> Json:  # noqa: ANN401
    """Build a device as the app tells it; all its metrics are of one time."""
    return {
        "device_id": device_id,
        "name": None,
        "site_id": "home",
        "status": "ACTIVE",
        "manufacturer": None,
        "model": None,
        "sw_version": None,
        "heartbeat_s": None,
        "last_seen_at": at,
        "last_heartbeat_at": None,
        "last_telemetry_at": at,
        "available": None,
        "metrics": {name: {"value": value, "at": at} for name, value in (metrics or {}).items()},
        "latitude": None,
        "longitude": None,
    } | changes


def alert(alert_id: int, device_id: str | None = None, **changes: Any) -> Json:  # noqa: ANN401 - any JSON
    """Build an alert as the app tells it."""
    return {
        "id": alert_id,
        "kind": "THRESHOLD",
        "severity": 4,
        "summary": f"Alert {alert_id}",
        "device_id": device_id,
        "site_id": "home",
        "details": {"value": 31.5},
    } | changes


@dataclass
class FakeIngest:
    """Tells what a test has put into it, and waits for it when it is asked to.

    Attributes:
        is_on: Whether it is switched on; the status says so.
        is_known: False for an app that is too old to have such routes.
        devices: By id, as they are now; ``order`` says which has changed when.
        hidden: Ids that are left out of the states of all devices, though they are there.
        changes: Of alerts, in order.
        events: For the bus, by id; ``delivered``: those of which somebody said that they have arrived.
        requests: By path; ``cursors``: what was asked for after what.
        refuse: Decides before anything is answered, by path; a response is the answer.
    """

    is_on: bool = False
    is_known: bool = True
    page: int = 500
    devices: dict[str, Json] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    changes: list[Json] = field(default_factory=list)
    events: dict[int, Json] = field(default_factory=dict)
    delivered: list[int] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    cursors: list[tuple[str, str | None]] = field(default_factory=list)
    refuse: Callable[[str], web.Response | None] = lambda _: None
    longest_wait_s: float = 0.3
    _is_ending: bool = False
    _number: int = 0
    _waiting: set[asyncio.Event] = field(default_factory=set)

    @property
    def routes(self) -> list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]]:
        routes = (
            ("GET", "/device-states", self._states),
            ("GET", "/devices", self._devices),
            ("GET", "/alert-changes", self._alert_changes),
            ("GET", "/home-assistant-events", self._events),
            ("POST", "/home-assistant-events/delivered", self._delivered),
        )
        return [(method, f"/tenant/v1{path}", self._unless_off(path, serve)) for method, path, serve in routes]

    def say(self, *devices: Json) -> None:
        """Let devices say something, or be changed."""
        for one in devices:
            self._number += 1
            self.devices[one["device_id"]] = one
            self.order[one["device_id"]] = self._number
        self._tell()

    def forget(self, device_id: str) -> None:
        """Know nothing of a device, as after a restore."""
        del self.devices[device_id], self.order[device_id]

    def happen(self, change: str, one: Json) -> None:
        """Let something happen to an alert."""
        self.changes.append({"change": change, "at": AT, "actor": "rule", "alert": one})
        self._tell()

    def send(self, event_id: int, **payload: Any) -> None:  # noqa: ANN401 - any JSON
        """Have a delivery for the bus."""
        self.events[event_id] = payload
        self._tell()

    def end(self) -> None:
        """Let nobody wait any more: a server goes on answering those who have hung up."""
        self._is_ending = True
        self._tell()

    def _tell(self) -> None:
        for waiting in self._waiting:
            waiting.set()

    def _unless_off(
        self, path: str, serve: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests[path] += 1
            if not self.is_known:
                return web.Response(status=404, text="404: Not Found")
            if not self.is_on:
                return problem(404, "device ingest is switched off")
            return self.refuse(path) or await serve(request)

        return answer

    async def _wait(self, request: web.Request, find: Callable[[], list[Any]]) -> list[Any]:
        """Return what there is, as soon as there is something."""
        wait_s = min(float(request.query.get("wait_s", "0")), self.longest_wait_s)
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            async with asyncio.timeout(wait_s):
                while not find() and not self._is_ending:
                    news.clear()
                    await news.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(news)
        return find()

    async def _states(self, request: web.Request) -> web.Response:
        after = request.query.get("after")
        self.cursors.append(("device-states", after))
        limit = min(int(request.query["limit"]), self.page)
        if after is None:
            found = [one for one in self._ordered(0) if one["status"] != "DELETED"]
            found = [one for one in found if one["device_id"] not in self.hidden]
        else:
            found = await self._wait(request, lambda: self._ordered(int(after)))
        some = found[:limit]
        cursor = self.order[some[-1]["device_id"]] if some else max(int(after or "0"), 0)
        return web.json_response({"devices": some, "cursor": str(cursor)})

    def _ordered(self, after: int) -> list[Json]:
        return [self.devices[name] for name, at in sorted(self.order.items(), key=lambda pair: pair[1]) if at > after]

    async def _devices(self, request: web.Request) -> web.Response:
        names = sorted(name for name, one in self.devices.items() if one["status"] != "DELETED")
        start = int(request.query.get("cursor", "0"))
        end = start + min(self.page, int(request.query["limit"]))
        some = [{"device_id": name, "status": self.devices[name]["status"]} for name in names[start:end]]
        return web.json_response({"devices": some, "next_cursor": str(end) if end < len(names) else None})

    async def _alert_changes(self, request: web.Request) -> web.Response:
        after = request.query.get("after")
        self.cursors.append(("alert-changes", after))
        if after is None:
            return web.json_response({"changes": [], "cursor": str(len(self.changes))})
        if (start := int(after)) > len(self.changes):  # it was restored from a backup
            return web.json_response({"changes": [], "cursor": str(len(self.changes))})
        found = await self._wait(request, lambda: self.changes[start:])
        some = found[: min(int(request.query["limit"]), self.page)]
        return web.json_response({"changes": some, "cursor": str(start + len(some))})

    async def _events(self, request: web.Request) -> web.Response:
        found = await self._wait(request, lambda: list(self.events.items()))
        return web.json_response({"events": [{"id": number, "payload": payload} for number, payload in found]})

    async def _delivered(self, request: web.Request) -> web.Response:
        ids = (await request.json())["ids"]
        self.delivered += ids
        for each in ids:
            self.events.pop(each, None)
        return web.json_response({"delivered": len(ids)})
