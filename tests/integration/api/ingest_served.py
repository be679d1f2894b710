"""Devices that send by HTTP: the real listener, gate, quarantine and counts, before a real database and spool."""

import asyncio
import dataclasses
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from homeiq_server.api import ingest
from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.tenant import quarantine as quarantine_routes
from homeiq_server.api.tenant import usage
from homeiq_server.api.tenant.serving import serve
from homeiq_server.credentials import digest
from homeiq_server.errors import RetryLater
from homeiq_server.history.spool import Spool
from homeiq_server.ingest.counts import Counts
from homeiq_server.ingest.gate import Gate
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.quarantine import Quarantine
from homeiq_server.options.ingest import IngestOptions
from homeiq_server.serving import Listener
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Conn, Pool
from tests.integration.api.device_serving import Answer, Fixed
from tests.integration.store.tenant_rows import ACME
from tests.postgres import Database, as_owner

TOKEN: Final = "hid_" + "t" * 43
FAST: Final[dict[str, Any]] = {
    "device_rate": 100_000,
    "device_burst": 100_000,
    "tenant_rate": 100_000,
    "tenant_burst": 100_000,
}


async def add_device(
    database: Database, device_id: str = "d", *, tenant_id: str = ACME, status: str = "ACTIVE", token: str = TOKEN
) -> None:
    """Register a device of a tenant that has a subscription, with a token of its own."""
    async with as_owner(database) as owner:
        await owner.execute(
            "INSERT INTO ingest_devices (tenant_id, device_id, subscription_id, status, provisioned_by, token_hash)"
            " SELECT $1, $2, (SELECT id FROM subscriptions WHERE tenant_id = $1 LIMIT 1), $3, 'api', $4",
            tenant_id,
            device_id,
            status,
            digest(token),
        )


async def kept(database: Database) -> list[dict[str, Any]]:
    """Return all rows of the quarantine, of all tenants, oldest first."""
    async with as_owner(database) as owner:
        return [dict(row) for row in await owner.fetch("SELECT * FROM quarantine ORDER BY id")]


def message(device_id: str = "d", **fields: object) -> dict[str, object]:
    """Return a message of a batch."""
    address = {"tenant_id": ACME, "device_id": device_id, "msg_type": "telemetry"}
    return address | {"metrics": {"t": 1.5}} | fields


class Switched:
    """A store that is away while it is switched off."""

    def __init__(self, pool: Pool) -> None:
        self.is_off = False
        self._pool = pool

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[Conn]:
        self._check()
        return self._pool.tenant(tenant_id)

    def worker(self) -> AbstractAsyncContextManager[Conn]:
        self._check()
        return self._pool.worker()

    def _check(self) -> None:
        if self.is_off:
            raise RetryLater("the database does not answer")


@dataclass
class Sending:
    """A client, and what is behind the routes."""

    session: aiohttp.ClientSession
    port: int
    store: Switched
    gate: Gate
    spool: Spool
    counts: Counts

    async def post(
        self,
        body: object = None,
        *,
        device_id: str = "d",
        tenant_id: str = ACME,
        token: str | None = TOKEN,
        **headers: str,
    ) -> Answer:
        """Send one message: bytes as they are, all else as JSON."""
        path = f"/ingest/v1/tenant/{tenant_id}/device/{device_id}/telemetry"
        return await self.send(path, {"metrics": {"t": 1.5}} if body is None else body, token=token, **headers)

    async def batch(self, body: object, *, token: str | None = TOKEN, **headers: str) -> Answer:
        return await self.send(ingest.BATCH, body, token=token, **headers)

    async def send(self, path: str, body: object, *, token: str | None = TOKEN, **headers: str) -> Answer:
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            shown["X-Provision-Token"] = token
        if not hasattr(body, "__aiter__"):
            body = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        return await self.ask("POST", path, data=body, headers=shown)

    async def tenant(
        self, method: str, path: str, body: object = None, *, tenant_id: str = ACME, **query: str
    ) -> Answer:
        """Ask the tenant API."""
        more: dict[str, Any] = {} if body is None else {"json": body}
        return await self.ask(method, path, headers={"X-Tenant": tenant_id}, params=query, **more)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401 - aiohttp's own arguments
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}", **more) as response:
            return Answer(response.status, await response.json(content_type=None), response.headers)

    def taken(self) -> int:
        """Return how many messages' lines are in the spool."""
        channel = self.spool.totals().intake.get("telemetry")
        return channel.converted if channel else 0

    def rejected(self) -> Mapping[str, int]:
        channel = self.spool.totals().intake.get("telemetry")
        return dict(channel.rejected) if channel else {}


@asynccontextmanager
async def sending(
    pool: Pool, folder: Path, *, kept: int = 500, batch: int = 100, **limits: float
) -> AsyncIterator[Sending]:
    """Serve until the block ends."""
    given = dataclasses.replace(Limits(), **FAST | limits)
    spool = await Spool.open(folder / "spool.sqlite", limit_bytes=1024**3)
    store = Switched(pool)
    changes, counts = Changes(pool), Counts(store)
    quarantine = Quarantine(store, kept=kept, days=14)
    gate = Gate(
        store, spool, limits=given, quarantine=quarantine, counts=counts, form=lambda: "influx", changes=changes
    )
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    ingest.serve(app, gate, ingest.BodyLimits(payload_bytes=given.payload_bytes, batch=batch))
    operations = (*quarantine_routes.operations(gate), *usage.operations(IngestOptions()))
    serve(app.router, operations, store, Fixed())
    listener = Listener(app, host="127.0.0.1", port=0)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(part.run()) for part in (changes, gate)]
        await listener.start()
        try:
            while not changes.is_listening:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.005)
            yield Sending(session, listener.port, store, gate, spool, counts)
        finally:
            await listener.stop()
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            await spool.close()
