"""The most memory that the server's process takes under floods of whatever kind, each upon a server of its own."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from homeiq_bench.faulty_influx import FaultyInflux
from homeiq_bench.floods import Flood, floods, pour
from homeiq_bench.report import arguments, finish, say
from homeiq_bench.server import Server, new_token
from homeiq_demo.laws import laws
from homeiq_server import VERSION

_SERIES, _QUICK_SERIES = 1_000_000, 100_000
_TRACKED: Final = 50_000
_SECONDS, _QUICK_SECONDS = 60.0, 4.0
_MB_A_TRACKED_ENTITY: Final = 1e-3
_DRAINED_WITHIN_S: Final = 300.0


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    seconds = _QUICK_SECONDS if asked.quick else _SECONDS
    figures: dict[str, float] = {}
    beyond, broken = 0.0, []
    for flood in floods(_QUICK_SERIES if asked.quick else _SERIES, _TRACKED):
        peak_mb, faults = _peak(flood, seconds)
        figures[f"{flood.name}_peak_memory_mb"] = round(peak_mb, 1)
        beyond = max(beyond, peak_mb - min(flood.entities, _TRACKED) * _MB_A_TRACKED_ENTITY)
        broken += faults
    figures["peak_memory_beyond_tracked_entities_mb"] = round(beyond, 1)
    finish("memory", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


def _peak(flood: Flood, seconds: float) -> tuple[float, list[str]]:
    """Return the peak of one flood, and which laws did not hold after it."""
    with tempfile.TemporaryDirectory() as folder, FaultyInflux(Path(folder) / "influx") as influx:
        options = {"influx_url": influx.url, "influx_token": new_token(), "influx_org": "o", "influx_bucket": "b"}
        options["log_level"] = "error"
        with Server(Path(folder) / "server", options) as server:
            statuses = asyncio.run(pour(flood, server, seconds))
            status = server.status()
            peak_mb = server.peak_memory_mb()
            answered = ", ".join(f"{count} x {code or 'broken off'}" for code, count in sorted(statuses.items()))
            say(f"{flood.name}: {peak_mb:.1f} MB; answered {answered}; lines {status['lines']}")
            return peak_mb, [f"{flood.name}: {law}" for law in laws(status) if not law.holds]


if __name__ == "__main__":
    main()
