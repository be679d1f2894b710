"""Acknowledged events that are lost when the server and the database are killed -9 again and again.

First with an InfluxDB that counts what it takes, so that lines sent twice are seen; then with the embedded
VictoriaMetrics, and an InfluxDB 1 where there is one, which must show none of them twice.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from homeiq_bench import influxd
from homeiq_bench.numbered import Numbering
from homeiq_bench.report import arguments, finish, say
from homeiq_bench.rounds import SENDERS, KillRounds, Storage
from homeiq_bench.storages import EmbeddedVictoriaMetrics, FailingInflux, RealInfluxDB
from homeiq_server import VERSION

_ROUNDS, _QUICK_ROUNDS = 1_000, 10
_ROUNDS_A_REAL_ROUND, _FEWEST_REAL_ROUNDS = 20, 4
_DAY_US = 86_400_000_000
_REAL: dict[str, Callable[[Path], AbstractContextManager[Storage]]] = {
    "victoria_metrics": lambda _: nullcontext(EmbeddedVictoriaMetrics()),
}
if influxd.PROGRAM.exists():
    _REAL["influxdb"] = RealInfluxDB


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "", _add)
    rounds = asked.rounds or (_QUICK_ROUNDS if asked.quick else _ROUNDS)
    few = max(rounds // _ROUNDS_A_REAL_ROUND, _FEWEST_REAL_ROUNDS)
    numbering = Numbering(round(time.time()) * 1_000_000 - _DAY_US)
    with tempfile.TemporaryDirectory() as folder, FailingInflux(Path(folder) / "influx") as failing:
        say(f"{rounds} rounds, {SENDERS} senders, an InfluxDB that fails: about {round(rounds * 1.3 / 60) or 1} min")
        outcome = asyncio.run(KillRounds(Path(folder), failing, seed=asked.seed, numbering=numbering).run(rounds))
    figures: dict[str, int | float] = {
        "rounds": rounds,
        "seed": asked.seed,
        "acknowledged_events": outcome.acknowledged,
        "lost_events": outcome.lost,
        "lines_taken": outcome.lines,
        "lines_sent_twice_percent": round(100 * outcome.again / max(outcome.lines - outcome.again, 1), 2),
    }
    broken = list(outcome.broken)
    for name, open_storage in _REAL.items():
        with tempfile.TemporaryDirectory() as folder, open_storage(Path(folder) / "database") as storage:
            say(f"{few} rounds with a real {name}")
            shown = asyncio.run(KillRounds(Path(folder), storage, seed=asked.seed, numbering=numbering).run(few))
        figures |= {
            f"{name}_rounds": few,
            f"{name}_acknowledged_events": shown.acknowledged,
            f"{name}_lost_events": shown.lost,
            f"{name}_duplicates_visible": shown.again,
        }
        broken += [f"{name}: {text}" for text in shown.broken]
        broken += [f"{name} shows {shown.again} points twice"] if shown.again else []
    finish("kill", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, metavar="N", help=f"how often the server is killed, {_ROUNDS} by default")
    parser.add_argument("--seed", type=int, default=1, help="chooses the moments")


if __name__ == "__main__":
    main()
