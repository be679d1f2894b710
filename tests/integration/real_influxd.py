"""A real InfluxDB 1 with authentication on, and the questions that tests ask it."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import aiohttp

ADMIN, PASSWORD = "admin", "secret-of-the-admin"
_LOCAL = Path(__file__).parents[2] / ".tools/bin/influxd"

_CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  log-enabled = false
[monitor]
  store-enabled = false
[continuous_queries]
  enabled = false
"""


def program() -> Path | None:
    """Return InfluxDB 1's program, which later versions name the same; None when there is none here."""
    for found in (str(_LOCAL), shutil.which("influxd")):
        if found and Path(found).exists():
            told = subprocess.run([found, "version"], check=False, capture_output=True, text=True).stdout
            if told.startswith("InfluxDB v1."):
                return Path(found)
    return None


class RealInfluxd:
    """A process on a free port of loopback; with the user ``ADMIN`` once started.

    Attributes:
        url: Where it listens, the same after a restart.
    """

    def __init__(self, binary: Path, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._command = (str(binary), "-config", str(folder / "influxdb.conf"))
        self._log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir()
        (folder / "influxdb.conf").write_text(_CONFIGURATION.format(folder=folder, port=port))

    async def start(self) -> None:
        """Return when it answers."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdout=log, stderr=log)
        async with asyncio.timeout(60):
            while not await self._answers():
                assert self._process.returncode is None, self._log.read_text()
                await asyncio.sleep(0.02)

    async def stop(self, *, kill: bool = False) -> None:
        """End its process, by ``kill`` without a chance to put anything on disk."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            await self._process.wait()

    async def restart(self, *, kill: bool) -> None:
        """End its process and return when the next one answers."""
        await self.stop(kill=kill)
        await self.start()

    async def run(self, statement: str) -> None:
        """Run a statement that changes something."""
        await self._ask("POST", {"q": statement})

    async def values(self, query: str, database: str = "home") -> list[list[Any]]:
        """Return the rows of the only series that a query finds, times in microseconds; none when it finds none."""
        answer = await self._ask("GET", {"q": query, "db": database, "epoch": "u"})
        series = answer["results"][0].get("series", [])
        assert len(series) <= 1, series
        return list(series[0]["values"]) if series else []

    async def count(self, measurement: str = "climate", field: str = "value") -> int:
        """Return how many points there are, over all series."""
        rows = await self.values(f'SELECT count("{field}") FROM "{measurement}"')  # noqa: S608 - of the test's own
        return int(rows[0][1]) if rows else 0

    async def _ask(self, method: str, query: dict[str, str]) -> dict[str, Any]:
        headers = {"Authorization": aiohttp.encode_basic_auth(ADMIN, PASSWORD)}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.url}/query", params=query) as answer,
        ):
            body = json.loads(await answer.text())
            assert answer.status == 200, body
            assert "error" not in body["results"][0], body
            return dict(body)

    async def _answers(self) -> bool:
        try:
            async with aiohttp.request("GET", f"{self.url}/ping") as answer:
                return answer.status == 204
        except aiohttp.ClientError:
            return False
