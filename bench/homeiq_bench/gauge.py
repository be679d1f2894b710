"""The most disk that a folder and the most memory that a process took, looked at ten times a second."""

import contextlib
import threading
from pathlib import Path
from typing import Final, Self

_LOOK_EVERY_S: Final = 0.1
_BLOCK: Final = 512


class Gauge:
    """Looks while the ``with`` block lasts, in a thread of its own.

    Attributes:
        peak_disk_mb: What the folder took on the device, in MB of 10^6 bytes.
        peak_pss_mb: The process's memory; what it shares with others counts in part.
    """

    def __init__(self, folder: Path, pid: int) -> None:
        self._folder, self._pid = folder, pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak_disk_mb = 0.0
        self.peak_pss_mb = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            self.peak_disk_mb = max(self.peak_disk_mb, _taken_mb(self._folder))
            self.peak_pss_mb = max(self.peak_pss_mb, pss_mb(self._pid))


def _taken_mb(folder: Path) -> float:
    taken = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a journal that was deleted meanwhile
            taken += path.stat().st_blocks * _BLOCK
    return taken / 1e6


def pss_mb(pid: int) -> float:
    """Return a process's memory in MB of 10^6 bytes; what it shares with others counts in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
