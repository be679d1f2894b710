"""How long a state change takes on an idle machine with default settings.

From the moment that Home Assistant sets a state to the 2xx of a real VictoriaMetrics, and to the first answer of
its export endpoint that holds it.
"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Self

from homeiq_bench import home_assistant
from homeiq_bench.database import VictoriaMetrics, Watcher
from homeiq_bench.report import arguments, finish, percentile, say
from homeiq_bench.server import Server, free_port, new_token
from homeiq_server import VERSION

_CHANGES, _QUICK_CHANGES = 200, 30
_SECONDS_A_CHANGE, _START_S = 1.5, 60
_MARKER = r"marker,domain=sensor,entity_id=bench_marker value=([\d.]+)"
_METRIC = 'marker_value{entity_id="bench_marker"}'
_LOOK_EVERY_S = 0.02


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    changes = _QUICK_CHANGES if asked.quick else _CHANGES
    with (
        tempfile.TemporaryDirectory() as folder,
        VictoriaMetrics(Path(folder) / "database") as database,
        Watcher(database.url, _MARKER) as watcher,
    ):
        options = {"influx_url": watcher.url, "influx_token": new_token(), "influx_org": "o", "influx_bucket": "b"}
        with Server(Path(folder) / "server", options) as server, Onlooker(database) as onlooker:
            order = {
                "measure": "changes",
                "changes": changes,
                "homeiq_url": f"http://127.0.0.1:{server.port}",
                "homeiq_token": server.token,
            }
            say(f"{changes} changes, one at a time: about {round(changes * 0.8)} s")
            within_s = _START_S + changes * _SECONDS_A_CHANGE
            measured = home_assistant.run(Path(folder) / "home", free_port(), order, within_s)
        made = {int(value): at for value, at in measured["made"].items()}
        figures = {
            "changes": changes,
            **_figures("event_to_2xx", made, watcher.acknowledged),
            **_figures("event_to_queryable", made, onlooker.seen),
        }
    finish("latency", figures, {"homeiq": VERSION, "homeassistant": home_assistant.version()}, check=asked.check)


class Onlooker:
    """Asks the database over and over, in a thread of its own, which values it shows.

    Attributes:
        seen: By value, the wall clock when it was first in an answer.
    """

    def __init__(self, database: VictoriaMetrics) -> None:
        self._database, self._stop = database, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            for value in self._database.values(_METRIC) - self.seen.keys():
                self.seen[value] = time.time()


def _figures(name: str, made: dict[int, float], came: dict[int, float]) -> dict[str, Any]:
    missing = sorted(made.keys() - came.keys())
    if missing:
        raise RuntimeError(f"{name}: these changes never came: {missing}")
    took = [came[value] - at for value, at in made.items()]
    return {f"{name}_p50_s": round(percentile(took, 0.5), 3), f"{name}_p99_s": round(percentile(took, 0.99), 3)}


if __name__ == "__main__":
    main()
