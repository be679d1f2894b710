"""The real server as a process of its own, for the benches."""

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
from pathlib import Path
from typing import Any, Self

_READY_WITHIN_S = 30.0
_STOPPED_WITHIN_S = 15.0


class Server:
    """Runs ``homeiq-server`` while the ``with`` block lasts.

    Attributes:
        port: Of the API, on loopback.
        token: The bearer token it made.
        pid: Of the process.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._environment = {
            **os.environ,
            "HOMEIQ_DATA_DIR": str(folder),
            "HOMEIQ_HOST": "127.0.0.1",
            "HOMEIQ_PORT": str(self.port),
            "HOMEIQ_INGRESS_PORT": str(free_port()),
            "HOMEIQ_LOG_LEVEL": "warning",
            **{f"HOMEIQ_{name.upper()}": value for name, value in options.items()},
        }
        self.token = ""
        self.pid = 0

    def __enter__(self) -> Self:
        program = Path(sys.executable).parent / "homeiq-server"
        self._process = subprocess.Popen([program], env=self._environment)
        self.pid = self._process.pid
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start; its own words stand above")
            time.sleep(0.05)
        self.token = (self._folder / "token").read_text().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_STOPPED_WITHIN_S)

    def status(self) -> dict[str, Any]:
        """Return what ``GET /api/v1/status`` answers."""
        request = urllib.request.Request(  # a constant scheme
            f"http://127.0.0.1:{self.port}/api/v1/status", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
            return dict(json.load(answer))

    def peak_memory_mb(self) -> float:
        """Return the most memory that the process ever held, in MB of 10^6 bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("this system does not tell a process's peak memory")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/info", timeout=1) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004  # OK
        except OSError, urllib.error.URLError:
            return False


def free_port() -> int:
    """Return a loopback port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_token() -> str:
    """Return a token for a database that takes any."""
    return secrets.token_hex(16)
