"""Nodes that share a real PostgreSQL, Mosquitto and VictoriaMetrics, and devices that send to them."""

import asyncio
import json
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from homeiq_bench.database import VictoriaMetrics
from homeiq_bench.server import Server
from homeiq_simulator.mqtt import Broker, Publisher
from tests import postgres
from tests.mosquitto import Mosquitto

POSTGRESQL = postgres.PROGRAMS
METRIC = "n"
_SERIES = f"device_telemetry_{METRIC}"
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_UNLIMITED = {
    "ingest_device_rate": "10000",
    "ingest_device_burst": "100000",
    "ingest_tenant_rate": "1000000",
    "ingest_tenant_burst": "1000000",
}


@dataclass(slots=True)
class Fleet:
    """What runs.

    Attributes:
        key: What devices show as their token: they are registered by it when they first send.
    """

    folder: Path
    database: postgres.Database
    broker: Mosquitto
    storage: VictoriaMetrics
    options: Mapping[str, str]
    nodes: list[Server] = field(default_factory=list)
    key: str = ""

    def add_node(self, **options: str) -> Server:
        """Start one more."""
        number = len(self.nodes) + 1
        start = {
            "ingest": "on",
            "mqtt_url": self.broker.url,
            "database_url": self.database.url,
            "database_owner_url": self.database.owner_url,
            "database_verify_ssl": "off",
            "influx_url": self.storage.url,
            **self.options,
        }
        node = Server(
            self.folder / f"node-{number}", start | options, log=self.folder / f"node-{number}.log", store=True
        )
        node.start()
        self.nodes.append(node)
        return node

    async def open_tenant(self, tenant_id: str = "home") -> str:
        """Let the devices of a tenant come by themselves; return the key that they have to show."""
        node = self.nodes[0]
        await connected(node)
        headers = {"Authorization": f"Bearer {node.token}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{node.port}", timeout=_TIMEOUT, headers=headers) as http:
            if tenant_id != "home":
                await _post(http, "/operator/v1/tenants", {"tenant_id": tenant_id, "name": tenant_id})
                made = await _post(
                    http, f"/operator/v1/tenants/{tenant_id}/tokens", {"name": "b", "scopes": ["devices:write"]}
                )
                headers = {"Authorization": f"Bearer {made['token']}"}
            key = str((await _post(http, "/tenant/v1/tenant/provisioning-key", {}, headers))["provisioning_key"])
            async with http.patch("/tenant/v1/tenant", json={"auto_provision": True}, headers=headers) as answer:
                answer.raise_for_status()
        return key

    async def publisher(self, name: str, *, window: int = 500) -> Publisher:
        """Connect something that publishes."""
        return await Publisher.connect(Broker(host="127.0.0.1", port=self.broker.port), client_id=name, window=window)

    def stored(self) -> Counter[int]:
        """Return how many points the database shows of each number that was sent."""
        query = urllib.parse.urlencode({"match[]": _SERIES})
        found: Counter[int] = Counter()
        with urllib.request.urlopen(f"{self.storage.url}/api/v1/export?{query}", timeout=60) as answer:  # noqa: S310
            for line in answer:
                found.update(round(value) for value in json.loads(line)["values"])
        return found

    async def settled(self, numbers: int, *, within_s: float) -> Counter[int]:
        """Return what is stored, once it is so many different numbers or the time is over."""
        deadline = time.monotonic() + within_s
        while True:
            found = await asyncio.to_thread(self.stored)
            if len(found) >= numbers or time.monotonic() > deadline:
                return found
            await asyncio.sleep(1)


type _Headers = Mapping[str, str] | None


async def _post(http: aiohttp.ClientSession, path: str, body: object, headers: _Headers = None) -> Any:  # noqa: ANN401 - any JSON
    async with http.post(path, json=body, headers=headers) as answer:
        if not answer.ok:
            raise RuntimeError(f"{path}: {await answer.text()}")
        return await answer.json()


@asynccontextmanager
async def running(cluster: postgres.Cluster, **options: str) -> AsyncIterator[Fleet]:
    """Give a fleet without nodes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # What comes while a node is away waits for it: the broker would keep 1,000 messages and drop the rest.
        broker = Mosquitto(folder / "mosquitto", settings={"max_queued_messages": "0"})
        async with cluster.database() as database:
            await broker.start()
            with VictoriaMetrics(folder / "victoria-metrics") as storage:
                fleet = Fleet(folder, database, broker, storage, _UNLIMITED | options)
                try:
                    yield fleet
                finally:
                    for node in fleet.nodes:
                        await asyncio.to_thread(node.kill)
                    await broker.stop()


async def connected(node: Server, *, within_s: float = 30) -> None:
    """Return when a node has its store and its broker."""
    deadline = time.monotonic() + within_s
    while True:
        with suppress(OSError):
            status = await asyncio.to_thread(node.status)
            if status["store"]["state"] == "ok" and status["ingest"]["mqtt"]["state"] == "connected":
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the node is not ready: {status['store']}, {status['ingest']}; {node.tail()}")
        await asyncio.sleep(0.1)


@dataclass(slots=True)
class Load:
    """Devices that send numbers, each number once.

    Attributes:
        acknowledged: The numbers that the broker has acknowledged.
    """

    publishers: Sequence[Publisher]
    key: str
    tenant_id: str = "home"
    devices: int = 200
    sent: int = 0
    acknowledged: set[int] = field(default_factory=set)
    _first_ms: int = field(default_factory=lambda: round(time.time() * 1000) - 3_600_000)

    async def send(self, *, rate: float, seconds: float) -> None:
        """Send so many a second for so long, and return when all are acknowledged or lost."""
        began, first = time.monotonic(), self.sent
        async with asyncio.TaskGroup() as tasks:
            while (passed := time.monotonic() - began) < seconds:
                while self.sent - first < rate * passed:
                    tasks.create_task(self._one(self.sent), name="message")
                    self.sent += 1
                await asyncio.sleep(0.005)

    async def flat_out(self, count: int) -> float:
        """Send so many as fast as they are taken; return the seconds until the last was acknowledged by the broker."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.sent, self.sent + count):
                tasks.create_task(self._one(number), name="message")
        self.sent += count
        return time.monotonic() - began

    async def _one(self, number: int) -> None:
        device = number % self.devices
        # Of one device never two within a millisecond, which is all that the database keeps apart.
        at_ms = self._first_ms + number // self.devices
        payload = b'{"ts":%d,"metrics":{"%s":%d}}' % (at_ms, METRIC.encode(), number)
        publisher = self.publishers[number % len(self.publishers)]
        with suppress(OSError, TimeoutError):
            await publisher.publish(f"tenant/{self.tenant_id}/device/d{device}/telemetry", payload, token=self.key)
            self.acknowledged.add(number)
