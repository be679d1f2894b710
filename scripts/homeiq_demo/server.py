"""A HomeIQ server of our own: its process, and its API as its users see it."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import aiohttp

from .configuration import ROOT
from .process import DemoError, Process, plain_environment, wait_for

COMMAND = ROOT / ".venvs" / "server" / "bin" / "homeiq-server"
VICTORIA_METRICS = ROOT / ".tools" / "bin" / "victoria-metrics"
POSTGRESQL = ROOT / ".tools" / "postgresql" / "bin"
START_S = 30

type Json = dict[str, Any]


class Server:
    """A server on a loopback port with its data in a folder; started, stopped and started again at will."""

    _client: aiohttp.ClientSession

    def __init__(self, folder: Path, *, port: int, log: Path, options: Mapping[str, str] | None = None) -> None:
        """Describe the server; ``options`` are further ``HOMEIQ_*`` variables."""
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        environment = {
            "HOMEIQ_DATA_DIR": str(folder),
            "HOMEIQ_HOST": "127.0.0.1",
            "HOMEIQ_PORT": str(port),
            "HOMEIQ_VICTORIA_METRICS": str(VICTORIA_METRICS),
            "HOMEIQ_POSTGRESQL": str(POSTGRESQL),
            **(options or {}),
        }
        self.process = Process("homeiq-server", [str(COMMAND)], log=log, env=plain_environment(environment))

    async def __aenter__(self) -> Self:
        """Open the client; the process is not started yet."""
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the process and close the client."""
        try:
            await self.process.stop()
        finally:
            await self._client.close()

    async def start(self) -> None:
        """Start the server and wait until it answers and has reached its database.

        Raises:
            DemoError: It ended, or something took too long; the text tells what is known of it.
        """
        await self.process.start()
        await wait_for("the server's first answer", self._answers, deadline_s=START_S)
        try:
            await wait_for("the server to reach its database", self._reaches_database, deadline_s=START_S)
        except DemoError as err:
            database = (await self.status())["database"]
            remedy = "Check that it runs; if it is your own, check HOMEIQ_INFLUX_*, or unset them for the embedded one."
            told = f"The server says of the database at {database['url']}: {database['error']}. {remedy}"
            raise DemoError(f"{err}.\n{told}\n{self.process.tail()}") from err

    async def _answers(self) -> bool:
        self.process.check()
        try:
            async with self._client.get(f"{self.url}/api/v1/info") as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError, TimeoutError:
            return False

    async def _reaches_database(self) -> bool:
        self.process.check()
        return bool((await self.status())["database"]["state"] == "ok")

    @property
    def token(self) -> str:
        """The bearer token that it made at its first start."""
        return (self.folder / "token").read_text().strip()

    async def status(self) -> Json:
        """Return its status."""
        answer: Json = json.loads(await self.get("/api/v1/status"))
        return answer

    async def get(self, path: str, **params: str) -> str:
        """Return the text of the answer to a GET with the token."""
        return await self._ask("GET", path, params=params)

    async def ask(self, method: str, path: str, body: object = None) -> Json:
        """Return the answer to a request with the token, a JSON object; an empty one when nothing is answered."""
        answer: Json = json.loads(await self._ask(method, path, json=body) or "{}")
        return answer

    async def _ask(self, method: str, path: str, **content: Any) -> str:  # noqa: ANN401  as aiohttp's
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with self._client.request(method, self.url + path, headers=headers, **content) as response:
                text, status = await response.text(), response.status
        except (aiohttp.ClientError, TimeoutError) as err:
            raise DemoError(f"The server does not answer to {path}: {err}\n{self.process.tail()}") from err
        if status >= HTTPStatus.BAD_REQUEST:
            raise DemoError(f"The server answered {status} to {path}: {text[:500]}\n{self.process.tail()}")
        return text
