"""The tenant API's devices and the devices' own way to a token, over real HTTP, before a real database."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from homeiq_server.api import provision
from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.store import STORE
from homeiq_server.api.tenant import devices
from homeiq_server.api.tenant.caller import EVERY_SCOPE, Caller, Scope
from homeiq_server.api.tenant.serving import serve
from homeiq_server.store.pool import Pool
from tests.integration.store.tenant_rows import ACME

type Json = dict[str, Any]


@dataclass
class Fixed:
    """Whoever asks is of the tenant that a header names."""

    scopes: frozenset[Scope] = field(default=EVERY_SCOPE)

    async def caller(self, request: web.Request) -> Caller:
        return Caller(tenant_id=request.headers["X-Tenant"], name="test", scopes=self.scopes)


@dataclass
class Answer:
    status: int
    body: Any
    headers: Any


class Asking:
    """A client; of ``acme`` unless told otherwise."""

    def __init__(self, http: TestClient[web.Request, web.Application]) -> None:
        self._http = http

    async def ask(self, method: str, path: str, body: object = None, *, tenant: str = ACME, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"X-Tenant": tenant}
        more: Json = {} if body is None else {"json": body}
        async with self._http.request(method, path, headers=sent, **more) as response:
            return Answer(response.status, await response.json(content_type=None), response.headers)

    async def get(self, path: str = "", **more: str) -> Answer:
        return await self.ask("GET", f"/tenant/v1/devices{path}", **more)

    async def post(self, path: str = "", body: object = None, **more: str) -> Answer:
        return await self.ask("POST", f"/tenant/v1/devices{path}", body, **more)

    async def patch(self, device_id: str, body: object, **more: str) -> Answer:
        return await self.ask("PATCH", f"/tenant/v1/devices/{device_id}", body, **more)

    async def delete(self, device_id: str, **more: str) -> Answer:
        return await self.ask("DELETE", f"/tenant/v1/devices/{device_id}", **more)

    async def activate(self, device_id: str, code: str, *, tenant: str = ACME) -> Answer:
        body = {"tenant_id": tenant, "device_id": device_id, "activation_code": code}
        return await self.ask("POST", "/ingest/v1/activate", body)

    async def provision(self, device_id: str, key: str, *, tenant: str = ACME, **more: object) -> Answer:
        body = {"tenant_id": tenant, "device_id": device_id, "provisioning_key": key} | more
        return await self.ask("POST", "/ingest/v1/provision", body)


def served(pool: Pool, scopes: frozenset[Scope] = EVERY_SCOPE) -> web.Application:
    """Return an app with these routes alone, whose clock stands still."""
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    app[STORE] = pool
    serve(app.router, devices.operations(), pool, Fixed(scopes))
    provision.add_routes(app, clock=lambda: 0.0)
    return app
