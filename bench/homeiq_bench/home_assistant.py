"""A real Home Assistant of the newest release, as a process of its own, that runs one measure and stops."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

from homeiq_demo.configuration import write_http
from homeiq_demo.process import plain_environment

_ROOT = Path(__file__).resolve().parents[2]
DRIVE = _ROOT / "bench" / "homeiq_bench" / "home" / "drive"
_PYTHON = _ROOT / ".venvs" / "newest" / "bin" / "python"
_CONFIGURATION = """\
homeassistant:
  name: Bench
  latitude: 52.37
  longitude: 4.89
  time_zone: Europe/Amsterdam
logger:
  default: warning
drive:
"""


def run(folder: Path, port: int, order: dict[str, Any], within_s: float) -> dict[str, Any]:
    """Start Home Assistant in ``folder``, let it carry out ``order``, and return what it measured.

    Raises:
        RuntimeError: It did not end in time, or failed; the text holds the end of its log.
    """
    components = folder / "custom_components"
    components.mkdir(parents=True)
    (components / "homeiq").symlink_to(_ROOT / "custom_components" / "homeiq")
    (components / "drive").symlink_to(DRIVE)
    (folder / "configuration.yaml").write_text(_CONFIGURATION)
    write_http(folder, port)
    (folder / "order.json").write_text(json.dumps(order))
    log = folder / "process.log"
    command = [str(_PYTHON), "-m", "homeassistant", "--config", str(folder), "--skip-pip"]
    with log.open("w") as output, contextlib.suppress(subprocess.TimeoutExpired):  # then there is no result
        environment = plain_environment()  # without our path, on which there is another custom_components
        subprocess.run(command, stdout=output, stderr=output, env=environment, timeout=within_s, check=False)
    result = folder / "result.json"
    if not result.exists():
        raise RuntimeError(f"Home Assistant ended without a result; the end of its log:\n{log.read_text()[-4000:]}")
    measured: dict[str, Any] = json.loads(result.read_text())
    if "error" in measured:
        raise RuntimeError(f"the measure failed: {measured['error']}\n{log.read_text()[-4000:]}")
    return measured


def version() -> str:
    """Return the version of the Home Assistant that ``run`` starts."""
    command = [str(_PYTHON), "-m", "homeassistant", "--version"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
