"""Lines of line protocol acknowledged per second, beside vmagent, which acknowledges before it is on disk.

The two take turns, each on an otherwise idle machine, and pass all on to a sink that only counts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from homeiq_bench.report import finish, percentile, say
from homeiq_bench.server import Server, new_token
from homeiq_bench.sink import CountingSink
from homeiq_bench.vmagent import VmAgent
from homeiq_server import VERSION

_LINES, _CONNECTIONS = 500, 4
_PAIRS, _SECONDS = 5, 6.0
_QUICK_PAIRS, _QUICK_SECONDS = 2, 2.0
_DRAINED_WITHIN_S: Final = 300
_PATH: Final = "/api/v2/write?org=bench&bucket=bench"

type Round = dict[str, Any]


def measure(asked: argparse.Namespace) -> NoReturn:
    """Measure and print."""
    pairs, seconds = (_QUICK_PAIRS, _QUICK_SECONDS) if asked.quick else (_PAIRS, _SECONDS)
    with tempfile.TemporaryDirectory() as folder, CountingSink() as sink:
        options = {
            "influx_url": sink.url,
            "influx_token": new_token(),
            "influx_org": "bench",
            "influx_bucket": "bench",
            "drain_lines_per_second": "1000000",
        }
        with (
            Server(Path(folder) / "server", options) as server,
            VmAgent(Path(folder) / "vmagent", f"{sink.url}/api/v1/write") as vmagent,
        ):
            rounds: dict[str, list[Round]] = {"homeiq": [], "vmagent": []}
            for number in range(1, pairs + 1):
                ours = _round(server.port, f"Token {server.token}", seconds, attributes=asked.attributes)
                status = server.drained(_DRAINED_WITHIN_S)
                theirs = _round(vmagent.port, "Token none", seconds, attributes=asked.attributes)
                vmagent.wait_until_passed_on()
                rounds["homeiq"].append(ours)
                rounds["vmagent"].append(theirs)
                say(f"pair {number} of {pairs}: {_rate(ours):,.0f} lines/s, vmagent {_rate(theirs):,.0f}")
            figures = {
                "bytes_per_line": round(rounds["homeiq"][0]["bytes_per_line"]),
                **_figures("homeiq", rounds["homeiq"], server.peak_memory_mb),
                **_figures("vmagent", rounds["vmagent"], vmagent.peak_memory_mb),
                **_ratio(rounds),
                "lines_received": status["intake"]["line_protocol"]["received"],
                "lines_written": status["lines"]["written"],
            }
    acknowledged = sum(each["acknowledged"] for each in rounds["homeiq"])
    lost = acknowledged - figures["lines_written"]
    broken = [f"{lost} acknowledged lines were not written"] if lost > 0 else []
    finish("ingest_line_protocol", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


def _round(port: int, authorization: str, seconds: float, *, attributes: bool) -> Round:
    order = {
        "port": port,
        "path": _PATH,
        "authorization": authorization,
        "connections": _CONNECTIONS,
        "lines": _LINES,
        "attributes": attributes,
        "seconds": seconds,
    }
    command = [sys.executable, "-m", "homeiq_bench.line_load"]
    done = subprocess.run(command, input=json.dumps(order), stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def _rate(each: Round) -> float:
    return float(each["acknowledged"] / each["seconds"])


def _figures(name: str, rounds: list[Round], peak_memory_mb: Callable[[], float]) -> dict[str, Any]:
    latencies = [value * 1e3 for each in rounds for value in each["latencies_s"]]
    return {
        f"{name}_lines_per_s": round(statistics.median(map(_rate, rounds))),
        f"{name}_lines_per_s_of_each_round": [round(_rate(each)) for each in rounds],
        f"{name}_acknowledged_p99_ms": round(percentile(latencies, 0.99), 1),
        f"{name}_peak_memory_mb": round(peak_memory_mb(), 1),
    }


def _ratio(rounds: dict[str, list[Round]]) -> dict[str, float]:
    """Return the median over the pairs, and the least and the most."""
    ratios = [_rate(ours) / _rate(theirs) for ours, theirs in zip(rounds["homeiq"], rounds["vmagent"], strict=True)]
    return {
        "homeiq_over_vmagent": round(statistics.median(ratios), 2),
        "homeiq_over_vmagent_least": round(min(ratios), 2),
        "homeiq_over_vmagent_most": round(max(ratios), 2),
    }
