"""The whole server in this process, with device ingest on, before a real broker and real databases."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from homeiq_server.options.declaring import Secret
from tests.mosquitto import Mosquitto
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import Client, Json, eventually, options, serving


@dataclass(frozen=True, slots=True)
class Ingest:
    """The server and its broker.

    Attributes:
        key: The provisioning key of the home: devices register themselves with it.
    """

    client: Client
    broker: Mosquitto
    key: str

    async def ask(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401 - any JSON
        answer = await self.client.ask(method, self.client.api + path, headers=self.client.bearer, **more)
        assert answer.status < 400, answer.body
        return answer.body

    async def status(self) -> Json:
        return await self.client.status()

    async def quarantined(self) -> list[Json]:
        """Return all that is kept of refused messages."""
        found: list[Json] = []
        query = {"limit": "500"}
        while True:
            page = await self.ask("GET", "/tenant/v1/quarantine", params=query)
            found += page["quarantine"]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]


@asynccontextmanager
async def ingesting(folder: Path, database: Database, *, influx_url: str, **more: Any) -> AsyncIterator[Ingest]:  # noqa: ANN401 - options
    """Run both; devices of the home may register themselves."""
    broker = Mosquitto(folder / "broker")
    await broker.start()
    try:
        chosen = options(
            folder / "server",
            store=True,
            database_url=Secret(database.url),
            database_owner_url=Secret(database.owner_url),
            influx_url=influx_url,
            ingest=True,
            mqtt_url=broker.url,
            **more,
        )
        async with serving(chosen) as client:
            await eventually(partial(_is_ready, client))
            ingest = Ingest(client, broker, "")
            made = await ingest.ask("POST", "/tenant/v1/tenant/provisioning-key", json={})
            await ingest.ask("PATCH", "/tenant/v1/tenant", json={"auto_provision": True})
            yield Ingest(client, broker, made["provisioning_key"])
    finally:
        await broker.stop()


async def _is_ready(client: Client) -> bool:
    status = await client.status()
    return bool(status["store"]["state"] == "ok" and status["ingest"]["mqtt"]["state"] == "connected")
