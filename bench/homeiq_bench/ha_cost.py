"""CPU that one state change costs Home Assistant's process, beside core's own influxdb integration.

A real Home Assistant changes states at a steady rate: with nothing that stores them, with HomeIQ, with core's
influxdb integration, in turn. The cost is the process's CPU with minus without, over the number of changes:
listener, serialising and sending together.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from homeiq_bench import home_assistant
from homeiq_bench.payload import recorded_states
from homeiq_bench.report import arguments, finish, say
from homeiq_bench.server import Server, free_port, new_token
from homeiq_bench.sink import CountingSink
from homeiq_server import VERSION

_RATE = 2_000
_ROUNDS, _SECONDS = 7, 10
_QUICK_ROUNDS, _QUICK_SECONDS = 2, 4
_REST_S = 15  # of each round beside the driving: loading, unloading, sending the rest
_START_S = 60


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    rounds, seconds = (_QUICK_ROUNDS, _QUICK_SECONDS) if asked.quick else (_ROUNDS, _SECONDS)
    with tempfile.TemporaryDirectory() as folder, CountingSink() as sink, CountingSink() as core_sink:
        options = {"influx_url": sink.url, "influx_token": new_token(), "influx_org": "bench", "influx_bucket": "bench"}
        with Server(Path(folder) / "server", options) as server:
            order = {
                "measure": "cost",
                "rate": _RATE,
                "seconds": seconds,
                "rounds": rounds,
                "states": _pairs(),
                "homeiq_url": f"http://127.0.0.1:{server.port}",
                "homeiq_token": server.token,
                "influxdb_port": core_sink.port,
            }
            say(f"{rounds} rounds of three at {_RATE} changes/s for {seconds} s each")
            within_s = _START_S + (3 * rounds + 1) * (seconds + _REST_S)
            measured = home_assistant.run(Path(folder) / "home", free_port(), order, within_s)
            received = server.status()["intake"]["events"]["received"]
    if received < rounds * measured["changes"]:
        raise RuntimeError(f"only {received} events came through: the cost of sending them all was not measured")
    finish("ha_cost", _figures(measured), _versions(), check=asked.check)


def _pairs() -> list[tuple[str, tuple[str, str], dict[str, object]]]:
    """Return each recorded entity with two states to go to and fro between, so that every change is one."""
    return [(entity_id, (state, _other(state)), attributes) for entity_id, state, attributes in recorded_states()]


def _other(state: str) -> str:
    try:
        return f"{float(state) + 0.25:.2f}"
    except ValueError:
        return {"on": "off", "off": "on", "home": "not_home", "open": "closed"}.get(state, f"{state} too")


def _figures(measured: dict[str, Any]) -> dict[str, Any]:
    cost = {
        name: [
            (spent - without) * 1e6 / measured["changes"]
            for spent, without in zip(measured["cpu_s"][name], measured["cpu_s"]["nothing"], strict=True)
        ]
        for name in ("homeiq", "influxdb")
    }
    ratios = [core / ours for core, ours in zip(cost["influxdb"], cost["homeiq"], strict=True)]
    return {
        "changes_per_s": _RATE,
        "homeiq_us_per_change": round(statistics.median(cost["homeiq"]), 2),
        "homeiq_us_per_change_of_each_pair": [round(value, 2) for value in cost["homeiq"]],
        "core_influxdb_us_per_change": round(statistics.median(cost["influxdb"]), 2),
        "core_influxdb_us_per_change_of_each_pair": [round(value, 2) for value in cost["influxdb"]],
        "core_influxdb_over_homeiq": round(statistics.median(ratios), 2),
    }


def _versions() -> dict[str, str]:
    return {"homeiq": VERSION, "homeassistant": home_assistant.version()}


if __name__ == "__main__":
    main()
