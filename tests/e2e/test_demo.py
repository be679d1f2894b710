"""The demo as a stranger runs it."""

import asyncio
import re
import signal
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from homeiq_demo.broker import is_there, open_broker
from homeiq_demo.comparison import compare
from homeiq_demo.configuration import ROOT
from homeiq_demo.database import Sample, flux_states
from homeiq_demo.laws import laws
from homeiq_demo.process import plain_environment

# Of twelve devices two are refused from the first message on.
DEVICES = re.compile(
    r"12 devices have sent \d+ messages by MQTT: (\d+) accepted; refused: INVALID_JSON (\d+), TOKEN_INVALID (\d+);"
    r" 10 of the devices are in Home Assistant"
)
FREE_PORTS = ("--port", "0", "--server-port", "0", "--page-port", "0")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter: PostgreSQL does not run as root, and its devices need it."""
    with tempfile.TemporaryDirectory(prefix="homeiq-demo-") as name:
        made = Path(name)
        made.chmod(0o711)
        yield made


async def start_demo(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    command = (str(ROOT / "scripts" / "demo"), "--folder", str(folder), *FREE_PORTS, *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env=plain_environment())


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of all processes that have something to do with the folder."""
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(folder) in line]


async def test_a_demo_of_ten_seconds_proves_that_nothing_is_missing(folder: Path) -> None:
    process = await start_demo(folder, "--seconds", "10")
    output = (await process.communicate())[0].decode()

    assert process.returncode == 0, output
    assert "the database holds every one" in output
    if is_there():
        assert (told := DEVICES.search(output)), output
        assert sum(map(int, told.groups())) > 0
        assert output.count("(holds)") == 3
    else:
        assert "no device sends" in output
        assert output.count("(holds)") == 2
    assert processes_of(folder) == []


async def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path) -> None:
    process = await start_demo(tmp_path)
    assert process.stdout is not None
    while b"received" not in (line := await process.stdout.readline()):
        assert line, "the demo ended by itself"
    process.send_signal(signal.SIGINT)
    output = (await process.communicate())[0].decode()

    assert process.returncode == 0, output
    assert processes_of(tmp_path) == []


async def test_a_demo_says_which_process_holds_up_its_start(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "token").mkdir()  # no token can be read or made here
    process = await start_demo(tmp_path, "--keep", "--seconds", "1")
    output = (await process.communicate())[0].decode()

    assert process.returncode == 1
    assert "error: homeiq-server ended with code" in output
    assert str(tmp_path / "server.log") in output
    assert "Traceback" not in output.split("The last lines of its log")[0]


async def test_where_there_is_no_broker_none_is_started(tmp_path: Path) -> None:
    nowhere = tmp_path / "folder"
    async with open_broker(nowhere, log=nowhere / "log", program=nowhere / "mosquitto") as broker:
        assert broker is None


def test_a_comparison_names_what_is_missing() -> None:
    at = "2026-11-22T03:00:00.123456+00:00"
    rows = [{"entity_id": "sensor.a", "state": state, "last_updated": at} for state in ("1", "2")]
    rows += [{"entity_id": "sensor.b", "state": "heat", "last_updated": at}]
    rows += [{"entity_id": "sensor.c", "state": "unknown", "last_updated": at}]
    held = Sample("sensor.a", 1795316400123, 2.0)

    outcome = compare(rows, {held})

    assert outcome.compared == 2
    assert outcome.missing == (Sample("sensor.b", 1795316400123, "heat"),)
    assert "sensor.b = 'heat'" in str(outcome)


def test_the_answer_of_influxdb_is_read_table_by_table() -> None:
    answer = (
        ",result,table,_time,_value,_field,domain,entity_id\r\n"
        ",_result,0,2026-11-22T03:00:00.123456Z,heat,state,climate,a\r\n"
        "\r\n"
        ",result,table,_time,_value,_field,domain,entity_id\r\n"
        ",_result,1,2026-11-22T03:00:00.5Z,21.5,value,sensor,b\r\n"
        "\r\n"
    )

    expected = [Sample("climate.a", 1795316400123, "heat"), Sample("sensor.b", 1795316400500, 21.5)]
    assert flux_states(answer) == expected


def test_a_law_that_does_not_hold_says_how_many_are_unaccounted_for() -> None:
    lines = {"spooled": 10, "written": 5, "queued": 2, "dead": 1, "dropped": 0}

    [law] = laws({"intake": {}, "lines": lines})

    assert not law.holds
    assert "2 are unaccounted for" in str(law)
