"""Events acknowledged per second by the whole server.

Server, load generator and counting sink share the machine's cores; every event is committed to disk before it is
acknowledged, and every line is written to the sink before the bench ends, where they are counted once more.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

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
    asked = arguments(__doc__ or "")
    rounds, seconds = (_QUICK_ROUNDS, _QUICK_SECONDS) if asked.quick else (_ROUNDS, _SECONDS)
    with tempfile.TemporaryDirectory() as folder, CountingSink() as sink:
        options = {
            "influx_url": sink.url,
            "influx_token": new_token(),
            "influx_org": "bench",
            "influx_bucket": "bench",
            "drain_lines_per_second": "1000000",
        }
        with Server(Path(folder), **options) as server:
            results = []
            for number in range(1, rounds + 1):
                result = _round(server, number, seconds)
                rate = result["acknowledged"] / result["seconds"]
                say(f"round {number} of {rounds}: {rate:,.0f} events/s acknowledged")
                results.append(result)
            status = _drained(server, sink)
            figures = {
                **_figures(results),
                "server_cpu_us_per_event": round(_cpu_s(server.pid) * 1e6 / sum(r["acknowledged"] for r in results), 2),
                "server_peak_memory_mb": round(server.peak_memory_mb(), 1),
                "events_received": status["intake"]["events"]["received"],
                "lines_written": status["lines"]["written"],
                "lines_at_the_sink": sink.lines(),
            }
    finish("ingest", figures, {"homeiq": VERSION}, check=asked.check)


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


def _drained(server: Server, sink: CountingSink) -> dict[str, Any]:
    """Wait until all that was accepted is written, and return the status; the sink must have seen as many lines."""
    deadline = time.monotonic() + _DRAINED_WITHIN_S
    while (status := server.status())["lines"]["queued"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"still queued after {_DRAINED_WITHIN_S:.0f} s: {status['lines']}")
        time.sleep(0.5)
    lines: dict[str, int] = status["lines"]
    if not lines["spooled"] == lines["written"] == sink.lines():
        raise RuntimeError(f"the numbers do not add up: {lines}, {sink.lines()} at the sink")
    return status


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
