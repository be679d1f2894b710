"""Devices that register themselves by their first message: at once and from two nodes, and how fast that goes.

The nodes are processes with the server's own way from a message to its acknowledgement, on one PostgreSQL that waits
for the disk. Points are lines in their queues on disk.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import batched, count
from pathlib import Path
from typing import Final

import msgspec

from homeiq_bench.provision_node import Done, Order
from homeiq_bench.report import Figure, arguments, finish, percentile, say
from homeiq_server import VERSION
from homeiq_server.credentials import digest, new_token
from homeiq_server.store.pool import Pool
from homeiq_server.store.provisioning import NewDevice, Provisioned, provision
from tests import postgres
from tests.postgres import Database, as_owner

_AT_ONCE: Final = 100
_WANTED, _PLACES = 50, 5
_SET, _SET_PLACES = 3_000, 1_000
_WITHIN_S: Final = 60
_TAKEN: Final = """
    SELECT count(*) FROM ingest_devices
     WHERE tenant_id = $1 AND subscription_id IS NOT NULL AND status IN ('PENDING', 'ACTIVE')
"""
_NUMBERS: Final = count(1)


class _Node:
    """A process of ``provision_node``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def prepare(self, order: Order) -> None:
        await self._tell(msgspec.json.encode(order))
        if await self._line() != b"ready":
            raise RuntimeError("the node is not ready")

    async def go(self) -> None:
        await self._tell(b"go")

    async def done(self) -> Done:
        return msgspec.json.decode(await self._line(), type=Done)

    async def _tell(self, line: bytes) -> None:
        assert self._process.stdin  # noqa: S101 - it is a pipe
        self._process.stdin.write(line + b"\n")
        await self._process.stdin.drain()

    async def _line(self) -> bytes:
        assert self._process.stdout  # noqa: S101 - it is a pipe
        async with asyncio.timeout(_WITHIN_S):
            return (await self._process.stdout.readline()).strip()


class _Bench:
    """One database with two nodes."""

    def __init__(self, database: Database, pool: Pool, nodes: Sequence[_Node]) -> None:
        self._database = database
        self._nodes = nodes
        self.pool = pool

    async def tenant(self, places: int | None) -> tuple[str, str]:
        """Make a tenant with so many places; return it and its provisioning key."""
        tenant_id, key = f"tenant-{next(_NUMBERS)}", new_token("key")
        async with as_owner(self._database) as owner:
            await owner.execute(
                "INSERT INTO tenants (tenant_id, name, auto_provision, provisioning_key_hash)"
                " VALUES ($1, $1, true, $2)",
                tenant_id,
                digest(key),
            )
            await owner.execute(
                "INSERT INTO subscriptions (tenant_id, kind, status, device_limit) VALUES ($1, 'MAIN', 'ACTIVE', $2)",
                tenant_id,
                places,
            )
        return tenant_id, key

    async def first_messages(self, *orders: Order) -> tuple[Counter[str], int, float]:
        """Let each node have an order, all at once; return the outcomes, the points, and the seconds of the slowest."""
        nodes = self._nodes[: len(orders)]
        for node, order in zip(nodes, orders, strict=True):
            await node.prepare(order)
        for node in nodes:
            await node.go()
        done = [await node.done() for node in nodes]
        outcomes = Counter[str]()
        for each in done:
            outcomes.update(each.outcomes)
        return outcomes, sum(each.points for each in done), max(each.seconds for each in done)

    async def rows(self, statement: str, *values: object) -> int:
        async with as_owner(self._database) as owner:
            return int(await owner.fetchval(statement, *values))


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    rounds = 3 if asked.quick else 10
    with postgres.cluster(durable=True) as cluster:
        figures = asyncio.run(_measure(cluster, rounds))
    finish("provision", figures, {"homeiq": VERSION}, check=asked.check)


async def _measure(cluster: postgres.Cluster, rounds: int) -> dict[str, Figure]:
    async with _opened(cluster) as bench:
        figures: dict[str, Figure] = {"rounds": rounds}
        for measure in (_one_device, _few_places, _two_tenants, _set_based, _one_by_one, _through_the_gate):
            found = await measure(bench, rounds)
            say(", ".join(f"{name} {value}" for name, value in found.items()))
            figures |= found
        return figures


async def _one_device(bench: _Bench, rounds: int) -> dict[str, Figure]:
    """100 first messages of one device from two nodes, in each round another device."""
    devices, places, new, points = [], [], [], []
    for _ in range(rounds):
        tenant_id, key = await bench.tenant(5)
        half = _AT_ONCE // 2
        orders = [Order(tenant_id=tenant_id, key=key, devices=["meter"] * half, first=n * half) for n in range(2)]
        outcomes, spooled, _ = await bench.first_messages(*orders)
        devices.append(await bench.rows("SELECT count(*) FROM ingest_devices WHERE tenant_id = $1", tenant_id))
        places.append(await bench.rows(_TAKEN, tenant_id))
        new.append(outcomes["new"])
        points.append(spooled)
    return {
        **_extremes("one_device_rows", devices),
        **_extremes("one_device_places", places),
        **_extremes("one_device_told_new", new),
        **_extremes("one_device_points_of_100", points),
    }


async def _few_places(bench: _Bench, rounds: int) -> dict[str, Figure]:
    """50 new devices from two nodes for 5 places."""
    registered, refused, points = [], [], []
    for _ in range(rounds):
        tenant_id, key = await bench.tenant(_PLACES)
        ids = [f"meter-{n}" for n in range(_WANTED)]
        orders = [Order(tenant_id=tenant_id, key=key, devices=ids[n::2]) for n in range(2)]
        outcomes, spooled, _ = await bench.first_messages(*orders)
        registered.append(await bench.rows(_TAKEN, tenant_id))
        refused.append(outcomes["NO_SUBSCRIPTION_CAPACITY"])
        points.append(spooled)
    return {
        **_extremes("limit_5_registered_of_50", registered),
        **_extremes("limit_5_refused_of_50", refused),
        **_extremes("limit_5_points", points),
    }


async def _two_tenants(bench: _Bench, rounds: int) -> dict[str, Figure]:
    """The same id in two tenants, each from its own node."""
    found = []
    for _ in range(rounds):
        tenants = [await bench.tenant(1) for _ in range(2)]
        orders = [Order(tenant_id=tenant_id, key=key, devices=["meter"]) for tenant_id, key in tenants]
        await bench.first_messages(*orders)
        found.append(sum([await bench.rows(_TAKEN, tenant_id) for tenant_id, _ in tenants]))
    return _extremes("same_id_in_two_tenants_rows", found)


async def _set_based(bench: _Bench, rounds: int) -> dict[str, Figure]:
    """3,000 new devices in one call for 1,000 places, with their commit."""
    took_ms, new = [], []
    for _ in range(rounds):
        tenant_id, _ = await bench.tenant(_SET_PLACES)
        wanted = [_new(n) for n in range(_SET)]
        start = time.perf_counter()
        done = await _provisioned(bench.pool, tenant_id, wanted)
        took_ms.append((time.perf_counter() - start) * 1e3)
        new.append(len(done.new))
    median_ms = statistics.median(took_ms)
    return {
        **_extremes("set_of_3000_registered_of_1000_places", new),
        "set_of_3000_ms": round(median_ms, 1),
        "set_new_devices_per_s": round(_SET_PLACES / median_ms * 1e3),
    }


async def _one_by_one(bench: _Bench, rounds: int) -> dict[str, Figure]:
    """Calls for one device each, with a commit each, ten at a time: of devices that are new, then of the same again."""
    tenant_id, _ = await bench.tenant(1_000_000)
    wanted = [_new(n) for n in range(100 * rounds)]
    figures: dict[str, Figure] = {}
    for name in ("new", "known"):
        took_ms: list[float] = []
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for n in range(10):
                tasks.create_task(_each(bench.pool, tenant_id, wanted[n::10], took_ms.append))
        seconds = time.perf_counter() - start
        figures[f"single_{name}_devices_per_s"] = round(len(wanted) / seconds)
        figures[f"single_{name}_p99_ms"] = round(percentile(took_ms, 0.99), 1)
    return figures


async def _through_the_gate(bench: _Bench, rounds: int) -> dict[str, Figure]:
    """First messages of as many devices at once at one node, then their second ones: until all are acknowledged."""
    tenant_id, key = await bench.tenant(None)
    ids = [f"meter-{n}" for n in range(1_000 * rounds)]
    figures: dict[str, Figure] = {}
    for name in ("first", "second"):
        order = Order(tenant_id=tenant_id, key=key, devices=ids)
        outcomes, _, seconds = await bench.first_messages(order)
        if outcomes["ACCEPTED"] != len(ids):
            raise RuntimeError(f"not all were taken: {outcomes}")
        figures[f"gate_{name}_messages_per_s"] = round(len(ids) / seconds)
    return figures


async def _each(pool: Pool, tenant_id: str, wanted: Sequence[NewDevice], took: Callable[[float], object]) -> None:
    for (each,) in batched(wanted, 1, strict=True):
        start = time.perf_counter()
        await _provisioned(pool, tenant_id, [each])
        took((time.perf_counter() - start) * 1e3)


async def _provisioned(pool: Pool, tenant_id: str, wanted: Sequence[NewDevice]) -> Provisioned:
    async with pool.tenant(tenant_id) as conn:
        return await provision(conn, tenant_id, wanted)


def _new(number: int) -> NewDevice:
    return NewDevice(device_id=f"meter-{number:06}", site_id="home")


def _extremes(name: str, values: Sequence[int]) -> dict[str, Figure]:
    """Return the least and the most of all rounds: each of them must be right."""
    return {f"{name}_least": min(values), f"{name}_most": max(values)}


@asynccontextmanager
async def _opened(cluster: postgres.Cluster) -> AsyncIterator[_Bench]:
    async with (
        cluster.database() as database,
        postgres.open_pool(database) as pool,
        AsyncExitStack() as stack,
    ):
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        nodes = [await stack.enter_async_context(_node(database, folder)) for folder in folders]
        yield _Bench(database, pool, nodes)


@asynccontextmanager
async def _node(database: Database, folder: Path) -> AsyncIterator[_Node]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "homeiq_bench.provision_node",
        database.url,
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
    )
    try:
        yield _Node(process)
    finally:
        assert process.stdin  # noqa: S101 - it is a pipe
        process.stdin.close()
        async with asyncio.timeout(_WITHIN_S):
            await process.wait()


if __name__ == "__main__":
    main()
