"""The real server as a process of its own, for the benches."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

_POSTGRESQL = Path(__file__).parents[2] / ".tools" / "postgresql" / "bin"
_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 15.0
_LOWEST_PORT, _HIGHEST_PORT = 15_000, 32_768  # the system's own begin there


class Server:
    """Runs ``homeiq-server`` while the ``with`` block lasts; may be killed and started again meanwhile.

    Attributes:
        port: Of the API, on loopback; the same after every start.
        token: The bearer token that it made at its first start.
        pid: Of the process.
        folder: Where it keeps its data.
    """

    def __init__(
        self, folder: Path, options: Mapping[str, str], *, log: Path | None = None, store: bool = False
    ) -> None:
        """Prepare.

        Args:
            folder: For its data.
            options: Of the server, by their names.
            log: Where its own words go; None: to where the bench's own go.
            store: Whether it keeps devices and findings too, in a PostgreSQL of its own.
        """
        self.port = free_port()
        self.folder = folder
        self._log = log
        self._environment = {
            **os.environ,
            "HOMEIQ_DATA_DIR": str(folder),
            "HOMEIQ_HOST": "127.0.0.1",
            "HOMEIQ_PORT": str(self.port),
            "HOMEIQ_INGRESS_PORT": str(free_port()),
            "HOMEIQ_LOG_LEVEL": "warning",
            "HOMEIQ_STORE": "on" if store else "off",
            **({"HOMEIQ_POSTGRESQL": str(_POSTGRESQL)} if store else {}),
            **{f"HOMEIQ_{name.upper()}": value for name, value in options.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.token = ""
        self.pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def spawn(self, *before: str) -> None:
        """Start the process and do not wait for it; ``before`` is a program that runs it, with its arguments."""
        program = str(Path(sys.executable).parent / "homeiq-server")
        with self._log.open("ab") if self._log else contextlib.nullcontext() as log:
            self._process = subprocess.Popen([*before, program], env=self._environment, stdout=log, stderr=log)
        self.pid = self._process.pid

    def start(self, *before: str) -> None:
        """Start the process, see ``spawn``, and return when it answers.

        Raises:
            RuntimeError: It ended, or does not answer.
        """
        self.spawn(*before)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self.answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start; its own words:\n{self.tail()}")
            time.sleep(0.02)
        self.token = (self.folder / "token").read_text().strip()

    def stop(self) -> None:
        """Let it stop in order, within its own deadlines."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would; nothing happens to one that does not run."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(_STOPPED_WITHIN_S)
            self._process = None

    def tail(self) -> str:
        """Return its last words, when they were kept."""
        if self._log and self._log.exists():
            return self._log.read_text(errors="replace")[-4_000:]
        return "(they stand above)"

    def status(self) -> dict[str, Any]:
        """Return what ``GET /api/v1/status`` answers."""
        request = urllib.request.Request(  # a constant scheme
            f"http://127.0.0.1:{self.port}/api/v1/status", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
            return dict(json.load(answer))

    def drained(self, within_s: float) -> dict[str, Any]:
        """Return the status once nothing waits any more.

        Raises:
            RuntimeError: Something still waits; the text has the numbers.
        """
        deadline = time.monotonic() + within_s
        while (status := self.status())["lines"]["queued"]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"still queued after {within_s:.0f} s: {status['lines']}, {status['database']}")
            time.sleep(0.2)
        return status

    def peak_memory_mb(self) -> float:
        """Return the most memory that the process ever held, in MB of 10^6 bytes."""
        return peak_memory_mb(self.pid)

    def answers(self) -> bool:
        """Tell whether its API does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/info", timeout=1) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004  # OK
        except OSError, urllib.error.URLError:
            return False


def peak_memory_mb(pid: int) -> float:
    """Return the most memory that a process ever held, in MB of 10^6 bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("this system does not tell a process's peak memory")


def free_port() -> int:
    """Return a loopback port that nobody uses at the moment.

    Not one that the system gives to outgoing connections: somebody who tries again and again to reach a server that is
    down is in the end given its port as his own, reaches himself, and keeps the server from starting.
    """
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)))
            return int(probe.getsockname()[1])


def new_token() -> str:
    """Return a token for a database that takes any."""
    return secrets.token_hex(16)
