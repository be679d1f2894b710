"""The database is away for 90 s: what HomeIQ and core's own influxdb integration have lost when it is back.

Both run in one real Home Assistant that changes 100 states a second, with their own defaults; each has a real
VictoriaMetrics of its own, and both of these stop at the same moment, in order, and come back at the same moment.
"""

import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Self

from homeiq_bench import home_assistant
from homeiq_bench.database import VictoriaMetrics
from homeiq_bench.report import arguments, finish, say
from homeiq_bench.server import Server, free_port
from homeiq_demo.laws import laws
from homeiq_server import VERSION

_RATE: Final = 100
_PHASES = (("before", 15), ("away", 90), ("after", 30))
_QUICK_PHASES = (("before", 2), ("away", 10), ("after", 5))
_START_S, _DRAINED_WITHIN_S = 90, 120
_LOOK_EVERY_S: Final = 0.05
_METRIC: Final = "outage_value"


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    phases = _QUICK_PHASES if asked.quick else _PHASES
    with (
        tempfile.TemporaryDirectory() as folder,
        VictoriaMetrics(Path(folder) / "database") as ours,
        VictoriaMetrics(Path(folder) / "core-database", "-influx.databaseNames=home_assistant") as cores,
        Server(Path(folder) / "server", {"influx_url": ours.url}) as server,
        Stage(Path(folder) / "home", {"away": _both("stop", ours, cores), "after": _both("start", ours, cores)}),
    ):
        order = {
            "measure": "outage",
            "rate": _RATE,
            "phases": phases,
            "homeiq_url": f"http://127.0.0.1:{server.port}",
            "homeiq_token": server.token,
            "influxdb_port": cores.port,
        }
        say(f"{_RATE} changes/s, the database away for {dict(phases)['away']} s")
        within_s = _START_S + sum(seconds for _, seconds in phases)
        measured = home_assistant.run(Path(folder) / "home", free_port(), order, within_s)
        status = server.drained(_DRAINED_WITHIN_S)
        figures = {
            "changes_per_s": _RATE,
            "away_s": dict(phases)["away"],
            **_figures(measured["phases"], {"homeiq": ours.values(_METRIC), "core_influxdb": cores.values(_METRIC)}),
        }
    broken = [str(law) for law in laws(status) if not law.holds]
    if figures["homeiq_lost_in_all"]:
        broken.append(f"HomeIQ has lost {figures['homeiq_lost_in_all']} events")
    finish(
        "versus_core",
        figures,
        {"homeiq": VERSION, "homeassistant": home_assistant.version()},
        check=asked.check,
        broken=broken,
    )


class Stage:
    """Does, in a thread of its own, what the drive inside Home Assistant asks for at the beginning of a phase."""

    def __init__(self, folder: Path, scenes: Mapping[str, Callable[[], object]]) -> None:
        self._folder, self._scenes = folder, scenes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            for said in self._folder.glob("*.begins"):
                if not (ready := said.with_suffix(".ready")).exists():
                    self._scenes.get(said.stem, lambda: None)()
                    ready.touch()


def _both(action: str, *databases: VictoriaMetrics) -> Callable[[], object]:
    return lambda: [getattr(database, action)() for database in databases]


def _figures(phases: dict[str, list[int]], stored: Mapping[str, set[int]]) -> dict[str, int]:
    away, all_of_them = set(range(*phases["away"])), set(range(*phases["before"])) | set(range(*phases["after"]))
    figures = {"events_while_away": len(away)}
    for name, values in stored.items():
        figures[f"{name}_lost_while_away"] = len(away - values)
        figures[f"{name}_lost_in_all"] = len((all_of_them | away) - values)
    return figures


if __name__ == "__main__":
    main()
