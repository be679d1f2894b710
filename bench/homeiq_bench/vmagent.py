"""VictoriaMetrics' agent, which takes line protocol too and passes it on; it acknowledges before it is on disk."""

import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Self

from homeiq_bench.server import free_port, peak_memory_mb

PROGRAM = Path(__file__).resolve().parents[2] / ".tools" / "victoria-metrics" / "usr" / "bin" / "vmagent"
_READY_WITHIN_S, _PASSED_ON_WITHIN_S = 20.0, 300.0
_PENDING = re.compile(r"^vmagent_remotewrite_pending_(?:data|inmemory)\S* (?P<number>\S+)$", re.MULTILINE)


class VmAgent:
    """Runs it while the ``with`` block lasts, with its own defaults.

    Attributes:
        port: Where it listens, on loopback.
        pid: Of the process.
    """

    def __init__(self, folder: Path, target: str) -> None:
        """Pass on to the remote write address ``target``; ``folder`` is for what waits."""
        self.port = free_port()
        self._command = [
            str(PROGRAM),
            f"-remoteWrite.url={target}",
            f"-remoteWrite.tmpDataPath={folder}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-loggerLevel=ERROR",
        ]
        self.pid = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command)
        self.pid = self._process.pid
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._metrics():
            if time.monotonic() > deadline:
                raise RuntimeError("vmagent did not start; its own words stand above")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(_READY_WITHIN_S)

    def wait_until_passed_on(self) -> None:
        """Return when nothing waits any more, so that the next measure begins on a quiet machine."""
        deadline = time.monotonic() + _PASSED_ON_WITHIN_S
        while any(float(found["number"]) for found in _PENDING.finditer(self._metrics())):
            if time.monotonic() > deadline:
                raise RuntimeError("vmagent does not pass on what it has taken")
            time.sleep(0.1)

    def peak_memory_mb(self) -> float:
        """Return the most memory that the process ever held, in MB of 10^6 bytes."""
        return peak_memory_mb(self.pid)

    def _metrics(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""
