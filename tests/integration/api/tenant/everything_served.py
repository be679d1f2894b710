"""All routes of tenants and devices over real HTTP, with the real check of tokens, before a real database."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from homeiq_server.alerts.waking import Waking
from homeiq_server.api import provision
from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.store import STORE
from homeiq_server.api.tenant import routes
from homeiq_server.api.tenant.access import TokenAccess
from homeiq_server.api.tenant.operation import AnyOperation
from homeiq_server.buckets import Buckets
from homeiq_server.delivery.ways import Ways
from homeiq_server.history.spool import Spool
from homeiq_server.ingest.counts import Counts
from homeiq_server.ingest.gate import Gate
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.quarantine import Quarantine
from homeiq_server.options.ingest import IngestOptions
from homeiq_server.serving import Listener
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Conn
from homeiq_server.token import Token
from tests.postgres import Database, as_owner, open_pool

APP: Final = "the-token-of-the-app-0123456789abcdef"
_FAST: Final = 1e9


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Served:
    """A server.

    Attributes:
        operations: What it serves.
        owner: A connection that sees all tenants' rows.
    """

    url: str
    operations: tuple[AnyOperation, ...]
    owner: Conn
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, *, token: str | None, body: object = None, **more: Any) -> Answer:  # noqa: ANN401 - aiohttp's own arguments
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            more["json"] = body
        async with self.session.request(method, self.url + path, headers=headers, **more) as response:
            return Answer(response.status, await response.text(), response.headers)


@asynccontextmanager
async def served(database: Database, folder: Path) -> AsyncIterator[Served]:
    """Serve until the block ends; nobody asks too often, because a minute passes between two questions."""
    spool = await Spool.open(folder / "spool.sqlite", limit_bytes=1024**3)
    async with (
        open_pool(database) as pool,
        as_owner(database) as owner,
        Ways() as ways,
        aiohttp.ClientSession() as session,
        asyncio.TaskGroup() as tasks,
    ):
        changes = Changes(pool)
        gate = Gate(
            pool,
            spool,
            limits=Limits(device_rate=_FAST, tenant_rate=_FAST),
            quarantine=Quarantine(pool, kept=500, days=14),
            counts=Counts(pool),
            form=lambda: "influx",
            changes=changes,
        )
        behind = routes.Served(
            store=pool, changes=changes, waking=Waking(), gate=gate, sender=ways, options=IngestOptions()
        )
        app = web.Application(middlewares=[errors_to_problems])
        open_budgets(app)
        app[STORE] = pool
        access = TokenAccess(Token(APP), pool, changes, buckets=Buckets(clock=_minutes()))
        routes.serve(app, behind, access)
        routes.take_in(app, behind)
        app[provision._ATTEMPTS] = provision.Attempts(_minutes())
        listener = Listener(app, host="127.0.0.1", port=0)
        running = [tasks.create_task(part.run()) for part in (changes, gate)]
        await listener.start()
        try:
            while not changes.is_listening:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.005)
            yield Served(f"http://127.0.0.1:{listener.port}", routes.operations(behind), owner, session)
        finally:
            await listener.stop()
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            await spool.close()


def _minutes() -> Any:  # noqa: ANN401 - a clock
    ticks = count()
    return lambda: 60.0 * next(ticks)
