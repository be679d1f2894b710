"""The operator's and the tenants' routes over real HTTP, before a real database, with the real token check."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy

from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.tenant import own_tenant, serving, subscriptions, tenant_subscriptions, tenants, tokens
from homeiq_server.api.tenant.access import TokenAccess
from homeiq_server.buckets import Buckets
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Pool
from homeiq_server.token import Token
from tests.postgres import Database, as_owner

type Json = dict[str, Any]

APP: Final = "the-token-of-the-app-0123456789abcdef"
EVERYTHING: Final = ("subscriptions:read", "subscriptions:write", "tokens:read", "tokens:write", "devices:write")
TENANTS: Final = "/operator/v1/tenants"


class Clock:
    """Tells the time that the test wants."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: CIMultiDictProxy[str]


class TenantApi:
    """Asks, as the app unless another token is given.

    Attributes:
        changes: What the routes hear of changes by.
        listener: Its task.
        clock: The routes' time.
    """

    def __init__(
        self,
        http: TestClient[web.Request, web.Application],
        changes: Changes,
        listener: asyncio.Task[NoReturn],
        clock: Clock,
    ) -> None:
        self._http = http
        self.listener = listener
        self.changes = changes
        self.clock = clock

    async def ask(
        self, method: str, path: str, body: object = None, *, token: str | None = APP, **headers: str
    ) -> Answer:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            shown["Authorization"] = f"Bearer {token}"
        async with self._http.request(method, path, json=body, headers=shown) as response:
            raw = await response.read()
            content = await response.json(content_type=None) if raw else None
            return Answer(response.status, content, response.headers)

    async def get(self, path: str, *, token: str | None = APP) -> Any:  # noqa: ANN401 - any JSON value
        answer = await self.ask("GET", path, token=token)
        assert answer.status == 200, answer.body
        return answer.body

    async def make(self, path: str, body: object = None, *, token: str | None = APP) -> Json:
        answer = await self.ask("POST", path, body, token=token)
        assert answer.status == 201, answer.body
        made: Json = answer.body
        return made

    async def tenant(self, tenant_id: str = "acme", **fields: object) -> Json:
        return await self.make(TENANTS, {"tenant_id": tenant_id, "name": tenant_id.capitalize(), **fields})

    async def token(self, tenant_id: str = "acme", scopes: Sequence[str] = EVERYTHING, **fields: object) -> str:
        made = await self.make(f"{TENANTS}/{tenant_id}/tokens", {"name": "t", "scopes": scopes, **fields})
        return str(made["token"])

    async def subscription(self, tenant_id: str = "acme") -> Json:
        """Return the tenant's oldest subscription."""
        found: Json = (await self.get(f"{TENANTS}/{tenant_id}/subscriptions"))["subscriptions"][0]
        return found

    async def status_with(self, token: str) -> int:
        """Return what is answered to who shows a token."""
        return (await self.ask("GET", "/tenant/v1/tenant", token=token)).status


@asynccontextmanager
async def served(pool: Pool, buckets: Buckets | None = None) -> AsyncIterator[TenantApi]:
    """Serve until the block ends."""
    changes, clock = Changes(pool), Clock()
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    operations = (
        *tenants.operations(clock=clock),
        *tenant_subscriptions.operations(clock=clock),
        *own_tenant.operations(),
        *tokens.operations(clock=clock),
        *subscriptions.operations(clock=clock),
    )
    access = TokenAccess(Token(APP), pool, changes, buckets=buckets, clock=clock)
    serving.serve(app.router, operations, pool, access)
    async with asyncio.TaskGroup() as tasks, TestClient(TestServer(app)) as http:
        listener = tasks.create_task(changes.run(), name="changes")
        try:
            while not changes.is_listening:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.005)
            yield TenantApi(http, changes, listener, clock)
        finally:
            listener.cancel()


async def add_devices(database: Database, tenant_id: str, subscription_id: str, names: Sequence[str]) -> None:
    """Let devices take places of a subscription."""
    async with as_owner(database) as owner:
        await owner.executemany(
            "INSERT INTO ingest_devices (tenant_id, device_id, subscription_id, status, provisioned_by)"
            " VALUES ($1, $2, $3, 'ACTIVE', 'api')",
            [(tenant_id, name, subscription_id) for name in names],
        )


async def statuses(database: Database, tenant_id: str) -> dict[str, str]:
    """Return the status of each device of a tenant."""
    async with as_owner(database) as owner:
        rows = await owner.fetch("SELECT device_id, status FROM ingest_devices WHERE tenant_id = $1", tenant_id)
        return {row["device_id"]: row["status"] for row in rows}


async def audit(database: Database, tenant_id: str, event: str) -> list[Json]:
    """Return what is kept of events of this name, oldest first."""
    async with as_owner(database) as owner:
        rows = await owner.fetch(
            "SELECT * FROM subscription_audit WHERE tenant_id = $1 AND event = $2 ORDER BY id", tenant_id, event
        )
        return [dict(row) for row in rows]
