"""A real InfluxDB 1 without users, which may be killed at any moment: its log is on disk before it answers."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from homeiq_bench.server import free_port

PROGRAM: Final = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "influxd"
DATABASE: Final = "bench"
_READY_WITHIN_S = 60.0
_CONFIGURATION = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


class Influxd:
    """Runs the process while the ``with`` block lasts.

    Attributes:
        url: Where it listens, on loopback; the same after every start.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._text = _CONFIGURATION.format(rpc=free_port(), folder=folder, port=port)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "influxdb.conf").write_text(self._text)
        self.start()
        self._ask(f"CREATE DATABASE {DATABASE}", method="POST")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, unless it runs, and return when it answers."""
        if self._process:
            return
        with (self._folder / "log").open("ab") as log:
            command = [str(PROGRAM), "-config", str(self._folder / "influxdb.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"influxd did not start:\n{(self._folder / 'log').read_text()[-4_000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once; nothing happens to one that does not run."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def series(self, query: str) -> Iterator[dict[str, Any]]:
        """Yield the series of an answer, large ones in parts; times in microseconds."""
        for line in self._ask(query, chunked="true", epoch="u", db=DATABASE).splitlines():
            for result in json.loads(line)["results"]:
                yield from result.get("series", ())

    def _ask(self, statement: str, *, method: str = "GET", **more: str) -> bytes:
        query = urllib.parse.urlencode({"q": statement, **more})
        request = urllib.request.Request(f"{self.url}/query?{query}", method=method)  # noqa: S310  # a constant scheme
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310  # the same
            return bytes(answer.read())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1):  # noqa: S310  # a constant scheme
                return True
        except OSError:
            return False
