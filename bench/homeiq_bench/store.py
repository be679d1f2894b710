"""What the device store costs: memory at rest beside the history path alone, and time until it can be used.

The same server, once with its own PostgreSQL and once with the store switched off, in turn. Memory is that of the
server and of everything that it started; what processes share counts in part (PSS), so that the sum is what the machine
gives.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

from homeiq_bench.gauge import pss_mb
from homeiq_bench.report import Figure, arguments, finish, say
from homeiq_bench.server import Server
from homeiq_server import VERSION

_ROOT: Final = Path(__file__).resolve().parents[2]
_PAIRS: Final = 5
_REST_S: Final = 30
_READY_WITHIN_S: Final = 60


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    pairs, rest_s = (2, 10) if asked.quick else (_PAIRS, _REST_S)
    more, starts, version = [], [], ""
    with _folders() as (with_store, without):
        for number in range(pairs + 1):
            mb, ready_s, version = _at_rest(with_store, "on", rest_s if number else 1)
            alone_mb, _, _ = _at_rest(without, "off", rest_s if number else 1)
            if number == 0:
                say(f"first start, which makes the database: {ready_s:.1f} s")
                continue
            say(f"pair {number}: {mb:.1f} MB with the store, {alone_mb:.1f} MB without; usable after {ready_s:.2f} s")
            more.append(mb - alone_mb)
            starts.append(ready_s)
    figures: dict[str, Figure] = {
        "memory_at_rest_above_history_mb": round(statistics.median(more), 1),
        "memory_spread_mb": [round(min(more), 1), round(max(more), 1)],
        "usable_after_start_s": round(statistics.median(starts), 2),
        "usable_after_start_slowest_s": round(max(starts), 2),
    }
    finish("store", figures, {"homeiq": VERSION, "postgresql": version}, check=asked.check)


@contextmanager
def _folders() -> Iterator[tuple[Path, Path]]:
    """Give two folders that another user may reach: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(prefix="homeiq-store-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "with", Path(folder) / "without"


def _at_rest(folder: Path, store: str, rest_s: float) -> tuple[float, float, str]:
    """Return the memory after a rest, in MB, how long the store took to be usable, and PostgreSQL's version."""
    tools = _ROOT / ".tools"
    options = {
        "store": store,
        "postgresql": str(tools / "postgresql" / "bin"),
        "victoria_metrics": str(tools / "bin" / "victoria-metrics"),
    }
    begun = time.monotonic()
    with Server(folder, options) as server:
        told = _until_usable(server, store)
        ready_s = time.monotonic() - begun
        time.sleep(rest_s)
        server_process = psutil.Process(server.pid)
        family = [server_process, *server_process.children(recursive=True)]
        return sum(pss_mb(process.pid) for process in family), ready_s, told


def _until_usable(server: Server, store: str) -> str:
    deadline = time.monotonic() + _READY_WITHIN_S
    while (told := server.status()["store"])["state"] != ("ok" if store == "on" else "off"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the store was not usable within {_READY_WITHIN_S} s: {told}")
        time.sleep(0.02)
    return str(told["version"])


if __name__ == "__main__":
    main()
