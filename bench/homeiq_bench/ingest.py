"""Events acknowledged per second by the whole server; with ``--line-protocol`` lines of other writers.

Server, load generator and counting sink share the machine's cores; every event is committed to disk before it is
acknowledged, and every line is written to the sink before the bench ends, where they are counted once more.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

from homeiq_bench import line_protocol
from homeiq_bench.report import arguments, finish, percentile, say
from homeiq_bench.server import Server, new_token
from homeiq_bench.sink import CountingSink
from homeiq_server import VERSION

_EVENTS = 500
_CONNECTIONS = 4
_ROUNDS, _SECONDS = 5, 8.0
_QUICK_ROUNDS, _QUICK_SECONDS = 2, 3.0
_DRAINED_WITHIN_S = 300.0


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "", _add)
    if asked.line_protocol:
        line_protocol.measure(asked)
    rounds, seconds = (_QUICK_ROUNDS, _QUICK_SECONDS) if asked.quick else (_ROUNDS, _SECONDS)
    with tempfile.TemporaryDirectory() as folder, CountingSink() as sink:
        options = {
            "influx_url": sink.url,
            "influx_token": new_token(),
            "influx_org": "bench",
            "influx_bucket": "bench",
            "drain_lines_per_second": "1000000",
        }
        with Server(Path(folder), options) as server:
            results = []
            for number in range(1, rounds + 1):
                result = _round(server, number, seconds)
                rate = result["acknowledged"] / result["seconds"]
                say(f"round {number} of {rounds}: {rate:,.0f} events/s acknowledged")
                results.append(result)
            status = server.drained(_DRAINED_WITHIN_S)
            figures = {
                **_figures(results),
                "server_cpu_us_per_event": round(_cpu_s(server.pid) * 1e6 / sum(r["acknowledged"] for r in results), 2),
                "server_peak_memory_mb": round(server.peak_memory_mb(), 1),
                "events_received": status["intake"]["events"]["received"],
                "lines_written": status["lines"]["written"],
                "lines_at_the_sink": sink.lines(),
            }
    places = status["lines"]["spooled"], status["lines"]["written"], figures["lines_at_the_sink"]
    broken = [f"lines spooled, written, at the sink differ: {places}"] if len(set(places)) > 1 else []
    finish("ingest", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--line-protocol", action="store_true", help="lines a second instead, as Telegraf sends them, beside vmagent"
    )
    parser.add_argument(
        "--attributes", action="store_true", help="with --line-protocol: lines with all attributes of a state"
    )


def _round(server: Server, number: int, seconds: float) -> dict[str, Any]:
    order = {
        "port": server.port,
        "token": server.token,
        "connections": _CONNECTIONS,
        "events": _EVENTS,
        "seconds": seconds,
        "seed": number * 100,
    }
    command = [sys.executable, "-m", "homeiq_bench.load"]
    done = subprocess.run(command, input=json.dumps(order), stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def _figures(results: list[dict[str, Any]]) -> dict[str, Any]:
    rates = [result["acknowledged"] / result["seconds"] for result in results]
    latencies = [value * 1e3 for result in results for value in result["latencies_s"]]
    return {
        "acknowledged_events_per_s": round(statistics.median(rates)),
        "acknowledged_events_per_s_of_each_round": [round(rate) for rate in rates],
        "acknowledged_p50_ms": round(percentile(latencies, 0.5), 1),
        "acknowledged_p99_ms": round(percentile(latencies, 0.99), 1),
    }


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
