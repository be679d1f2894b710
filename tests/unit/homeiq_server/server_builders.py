"""The whole server in this process, as its senders see it: options, requests, answers."""

import asyncio
import inspect
import io
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from homeiq_server import app
from homeiq_server.discovery import Supervisor
from homeiq_server.options import Options

DEADLINE_S = 20

type Json = dict[str, Any]


def event(n: int = 0, *, entity_id: str = "sensor.power", state: object = "1.5", **fields: object) -> list[object]:
    """Return the ``n``-th change of an entity, as it travels."""
    values = {
        "entity_id": entity_id,
        "state": state,
        "attributes": {"unit_of_measurement": "W"},
        "previous": "1.0",
        "previous_changed_us": 1_790_000_000_000_000,
        "time_us": 1_790_000_000_000_000 + n,
        "context_id": "01K",
        "parent_id": None,
    }
    return list((values | fields).values())


def batch(events: Sequence[object] = (), **more: object) -> Json:
    """Return a body, before it becomes JSON."""
    start = {"source": "home", "stream": "run", "seq": 1, "started_us": 1_790_000_000_000_000}
    return start | {"events": list(events)} | more


def row(**fields: object) -> list[object]:
    """Return one hour of a statistic, as it travels; without values unless some are given."""
    names = ("unit", "mean", "min", "max", "sum", "state")
    values = {"statistic_id": "sensor.energy", "start_us": 1_790_000_000_000_000} | dict.fromkeys(names)
    return list((values | fields).values())


def statistics(rows: Sequence[object] = (), **more: object) -> Json:
    """Return a body of statistics, before it becomes JSON."""
    return {"source": "home", "stream": "statistics", "seq": 1, "rows": list(rows)} | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def options(folder: Path, **more: Any) -> Options:  # noqa: ANN401  # each option has its own type
    """Return options for a server on free ports of loopback, which keeps history alone."""
    chosen: dict[str, Any] = {"data_dir": folder, "port": free_port(), "ingress_port": free_port(), "store": False}
    return Options(**chosen | more)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Any


class Client:
    """Speaks to a server, with its token unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, chosen: Options) -> None:
        self.session = session
        self.api = f"http://127.0.0.1:{chosen.port}"
        self.page = f"http://127.0.0.1:{chosen.ingress_port}"
        self.port = chosen.port
        self._token_file = chosen.data_dir / "token"

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}

    async def ask(self, method: str, url: str, **more: Any) -> Answer:  # noqa: ANN401  # aiohttp's own arguments
        async with self.session.request(method, url, **more) as response:
            text = await response.text()
            is_json = "json" in response.content_type
            return Answer(response.status, json.loads(text) if is_json else text, response.headers)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", self.api + path, headers=self.bearer)

    async def post(self, body: object, path: str = "/api/v1/events", **headers: str) -> Answer:
        """Send a body: bytes as they are, all else as JSON."""
        content = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        return await self.ask("POST", self.api + path, data=content, headers=self.bearer | headers)

    async def takes(self, body: object) -> bool:
        """Tell whether a body is accepted now."""
        return (await self.post(body)).status == HTTPStatus.OK

    async def is_ok(self) -> bool:
        """Tell whether all is well."""
        return bool((await self.status())["status"] == "ok")

    async def status(self) -> Json:
        answer: Json = (await self.get("/api/v1/status")).body
        return answer


@asynccontextmanager
async def serving(chosen: Options, supervisor: Supervisor | None = None) -> AsyncIterator[Client]:
    """Run the server until the block ends; it must then stop by itself."""
    stop = asyncio.Event()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        server = tasks.create_task(app.run(chosen, stop, supervisor=supervisor), name="server")
        client = Client(session, chosen)
        try:
            await _until_it_answers(client, server)
            yield client
        finally:
            stop.set()
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.wait([server])


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until ``condition``, which may be a coroutine function, holds; too long a wait fails the test."""
    async with asyncio.timeout(DEADLINE_S):
        while not await _holds(condition):  # noqa: ASYNC110  # what is waited for is another process's, or HTTP
            await asyncio.sleep(0.01)


async def _holds(condition: Callable[[], object]) -> object:
    found = condition()
    return await found if inspect.isawaitable(found) else found


async def _until_it_answers(client: Client, server: asyncio.Task[None]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not server.done():
            try:
                await client.ask("GET", f"{client.api}/api/v1/info")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)
            else:
                return


def laws_hold(status: Json) -> bool:
    """Tell whether both laws hold in a status."""
    lines = status["lines"]
    intake = all(
        channel["received"] == channel["converted"] + channel["skipped"] + channel["rejected"] + channel["duplicate"]
        for channel in status["intake"].values()
    )
    return intake and lines["spooled"] == lines["written"] + lines["queued"] + lines["dead"] + lines["dropped"]
