"""What every bench shares: its arguments, its targets, and its last line."""

import argparse
import json
import platform
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import psutil

TARGETS = Path(__file__).resolve().parents[1] / "targets.toml"

type Figure = float | int | str | list[float] | None


def arguments(
    description: str, add: Callable[[argparse.ArgumentParser], object] = lambda _: None
) -> argparse.Namespace:
    """Return the arguments that every bench takes, ``check`` and ``quick``, and those that ``add`` adds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="exit 1 when a figure falls short of bench/targets.toml")
    parser.add_argument("--quick", action="store_true", help="a look, in under a minute; not to be quoted")
    add(parser)
    return parser.parse_args()


def say(text: str) -> None:
    """Tell the person who waits what is being done."""
    print(text, file=sys.stderr, flush=True)


def finish(
    name: str,
    figures: Mapping[str, Figure],
    versions: Mapping[str, str],
    *,
    check: bool,
    broken: Sequence[str] = (),
) -> NoReturn:
    """Print the bench's one JSON object and end the process: with 1 when ``check`` finds a figure that falls short.

    Args:
        name: Of the bench, and of its targets.
        figures: With their units in their names.
        versions: Of what was measured.
        check: Whether figures are compared with their targets.
        broken: A sentence for each promise that was not kept; with any the process ends with 1, checked or not.
    """
    print(
        json.dumps(
            {
                "bench": name,
                **figures,
                "machine": f"{psutil.cpu_count()} x {_processor()}, {round(psutil.virtual_memory().total / 2**30)} GiB",
                "versions": {"python": platform.python_version(), **versions},
                "date": datetime.now(UTC).date().isoformat(),
            }
        )
    )
    for text in broken:
        say(f"BROKEN: {text}")
    short = shortfalls(name, figures) if check else []
    for text in short:
        say(f"short of the target: {text}")
    sys.exit(1 if short or broken else 0)


def shortfalls(name: str, figures: Mapping[str, Figure]) -> list[str]:
    """Return a sentence for each figure that misses its bound in ``targets.toml``; a figure not measured misses it."""
    found = []
    for figure, bound in tomllib.loads(TARGETS.read_text()).get(name, {}).items():
        value = figures.get(figure)
        if not isinstance(value, int | float):
            found.append(f"{figure} was not measured")
        elif value < bound.get("min", value):
            found.append(f"{figure} is {value}, at least {bound['min']} is asked for")
        elif value > bound.get("max", value):
            found.append(f"{figure} is {value}, at most {bound['max']} is asked for")
    return found


def percentile(values: list[float], share: float) -> float:
    """Return the value that ``share`` (0 to 1) of ``values`` do not exceed; ``values`` must not be empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _processor() -> str:
    """Return the processor's own name, where Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
