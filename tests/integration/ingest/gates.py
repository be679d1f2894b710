"""Servers that take messages of devices: each with its own queue and connections, all on one database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeiq_server.credentials import digest
from homeiq_server.errors import RetryLater
from homeiq_server.history.line_protocol import Form
from homeiq_server.history.spool import Spool
from homeiq_server.history.spool.totals import ChannelTotals
from homeiq_server.ingest.gate import Gate
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.message import Inbound, Refused
from homeiq_server.ingest.quarantine import Quarantine
from homeiq_server.model import Intake, Receipt
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Conn, Pool
from tests.integration.store.tenant_rows import KEY
from tests.postgres import Database, as_owner, open_pool
from tests.unit.homeiq_server.ingest_builders import TOKEN, Counted, inbound

GENEROUS = Limits(device_rate=10_000, device_burst=10_000)


class Store:
    """The pool, until it is down; counts the transactions."""

    def __init__(self, pool: Pool) -> None:
        self.is_down = False
        self.transactions = 0
        self._pool = pool

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Conn]:
        with self._counted():
            async with self._pool.tenant(tenant_id) as conn:
                yield conn

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Conn]:
        with self._counted():
            async with self._pool.worker() as conn:
                yield conn

    @contextmanager
    def _counted(self) -> Any:  # noqa: ANN401 - a generator
        if self.is_down:
            raise RetryLater("the store is down")
        self.transactions += 1
        yield


class Kept:
    """The quarantine, until it is down."""

    def __init__(self, quarantine: Quarantine) -> None:
        self.is_down = False
        self._quarantine = quarantine

    async def keep(self, refused: Sequence[tuple[Inbound, Refused]]) -> None:
        if self.is_down:
            raise RetryLater("the quarantine is down")
        await self._quarantine.keep(refused)


class Queue:
    """The spool, until it refuses; its commits can be held up."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.is_full = False
        self.intakes: list[Intake] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def put(self, intake: Intake) -> Receipt:
        if self.is_full:
            raise RetryLater("the queue is full")
        self.intakes.append(intake)
        await self.may_go_on.wait()
        return await self.spool.put(intake)

    @property
    def counted(self) -> ChannelTotals:
        """What the queue's own file has counted."""
        return self.spool.totals().intake["telemetry"]


@dataclass(frozen=True)
class Node:
    gate: Gate
    store: Store
    queue: Queue
    quarantine: Kept
    counts: Counted
    changes: Changes


@asynccontextmanager
async def node(
    database: Database, folder: Path, *, limits: Limits = GENEROUS, form: Form | None = "influx"
) -> AsyncIterator[Node]:
    """Run one, which hears of changes; at its end the law of the intake must hold."""
    async with open_pool(database) as pool:
        store, changes = Store(pool), Changes(pool)
        spool = await Spool.open(folder / "spool.db", limit_bytes=1 << 26)
        queue, kept, counts = Queue(spool), Kept(Quarantine(store, kept=500, days=14)), Counted()
        gate = Gate(store, queue, limits=limits, quarantine=kept, counts=counts, form=lambda: form, changes=changes)
        tasks = [asyncio.create_task(changes.run()), asyncio.create_task(gate.run())]
        try:
            await until(lambda: changes.is_listening)
            yield Node(gate, store, queue, kept, counts, changes)
            counted = spool.totals().intake.get("telemetry", ChannelTotals())
            assert counted.accounted() == counted.received == sum(counts.counts.values())
            assert counted.received == gate.accepted + gate.refused.total()
            assert gate.faults == 0
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await spool.close()


async def until(condition: Any) -> None:  # noqa: ANN401 - a function without arguments
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for is another process's
            await asyncio.sleep(0.005)


async def add_device(
    database: Database, device_id: str = "d1", tenant_id: str = "acme", *, status: str = "ACTIVE", token: str = TOKEN
) -> None:
    """Add a device in the tenant's only subscription, with a token."""
    async with as_owner(database) as owner:
        await owner.execute(
            "INSERT INTO ingest_devices (tenant_id, device_id, site_id, subscription_id, status, provisioned_by,"
            " token_hash) SELECT $1, $2, 'north', id, $3, 'api', $4 FROM subscriptions WHERE tenant_id = $1",
            tenant_id,
            device_id,
            status,
            digest(token),
        )


def of(device_id: str = "d1", body: object = None, **more: Any) -> Inbound:  # noqa: ANN401 - fields of a message
    """Return a message of a device of acme, with its token."""
    return inbound(body, topic=f"tenant/acme/device/{device_id}/telemetry", **more)


def first(device_id: str, body: object = None, **more: Any) -> Inbound:  # noqa: ANN401 - the same
    """Return a message that shows the provisioning key."""
    return of(device_id, body, **{"token": KEY} | more)
