"""Integrations, routes, deliveries and what Home Assistant fetches, over real HTTP, before a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from homeiq_server.alerts.waking import Waking
from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.tenant import alert_routes, deliveries, home_assistant_events, integrations
from homeiq_server.api.tenant.caller import EVERY_SCOPE, Caller, Scope
from homeiq_server.api.tenant.serving import serve
from homeiq_server.delivery.dispatch import Sender
from homeiq_server.delivery.ways import Ways
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Pool
from tests.integration.delivery.outbox_rows import HOME

type Json = dict[str, Any]


class _Named:
    """Whoever asks is of the tenant that a header names, and may do what another one lists."""

    async def caller(self, request: web.Request) -> Caller:
        given = request.headers.get("X-Scopes")
        scopes = EVERY_SCOPE if given is None else frozenset(Scope(each) for each in given.split())
        return Caller(tenant_id=request.headers["X-Tenant"], name="test", scopes=scopes)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Any


class Asking:
    """A client, of the home unless told otherwise.

    Attributes:
        changes: What the routes hear of changes by.
    """

    def __init__(self, http: TestClient[web.Request, web.Application], changes: Changes) -> None:
        self._http = http
        self.changes = changes

    async def ask(self, method: str, path: str, body: object = None, *, tenant: str = HOME, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"X-Tenant": tenant}
        more: Json = {} if body is None else {"json": body}
        async with self._http.request(method, f"/tenant/v1{path}", headers=sent, **more) as response:
            raw = await response.read()
            return Answer(response.status, await response.json(content_type=None) if raw else None, response.headers)

    async def get(self, path: str, *, tenant: str = HOME) -> Json:
        answer = await self.ask("GET", path, tenant=tenant)
        assert answer.status == 200, answer.body
        body: Json = answer.body
        return body

    async def post(self, path: str, body: object = None, *, tenant: str = HOME) -> Json:
        answer = await self.ask("POST", path, body, tenant=tenant)
        assert answer.status in (200, 201), answer.body
        content: Json = answer.body
        return content

    async def webhook(self, url: str = "https://example.com/hook", *, tenant: str = HOME) -> Json:
        """Make an integration."""
        body = {"name": "Hook", "kind": "webhook", "config": {"url": url}}
        return await self.post("/integrations", body, tenant=tenant)

    async def route(self, integration: Json, *, tenant: str = HOME, **fields: object) -> Json:
        """Make a route."""
        body = {"integration_id": integration["id"], "name": "All"} | fields
        return await self.post("/routes", body, tenant=tenant)


@asynccontextmanager
async def served(pool: Pool, sender: Sender | None = None) -> AsyncIterator[Asking]:
    """Serve until the block ends."""
    changes = Changes(pool)
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    offered = (
        *integrations.operations(sender or Ways()),
        *alert_routes.operations(),
        *deliveries.operations(),
        *home_assistant_events.operations(changes, Waking()),
    )
    serve(app.router, offered, pool, _Named())
    async with TestClient(TestServer(app)) as http:
        yield Asking(http, changes)
