"""``scripts/simulate`` against the whole server, which refuses its bad devices as it promises."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.conftest import RunningVictoriaMetrics
from tests.integration.simulated import Ingest, ingesting
from tests.mosquitto import PROGRAM
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import Json, eventually, laws_hold

_SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path[:0] = [str(_SCRIPTS)]

from homeiq_simulator.faults import FAULTS  # noqa: E402  found through the line above
from homeiq_simulator.fleet import Fleet  # noqa: E402
from homeiq_simulator.senders import open_sender  # noqa: E402

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="there is no Mosquitto here: scripts/setup brings it")

_ROUNDS = 4
_DEVICES = 2 * len(FAULTS)


@pytest.fixture
async def ingest(tmp_path: Path, database: Database, victoria_metrics: RunningVictoriaMetrics) -> AsyncIterator[Ingest]:
    async with ingesting(tmp_path, database, influx_url=victoria_metrics.url) as running:
        yield running


async def play(fleet: Fleet, address: str, **more: float) -> None:
    """Let all devices send some messages each."""
    stop = asyncio.Event()
    async with open_sender(address, 1) as sender, asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(fleet.play([sender], every_s=0.3, stop=stop, **more), name="fleet")
        while min(device.seq for device in fleet.devices) < _ROUNDS:  # noqa: ASYNC110 - it is time that makes messages
            await asyncio.sleep(0.05)
        stop.set()
        await playing


def promised(fleet: Fleet) -> tuple[int, dict[str, Counter[str]]]:
    """Return how many messages must be accepted, and for which reasons those of each bad device are refused."""
    accepted, refused = 0, defaultdict[str, Counter[str]](Counter)
    for device in fleet.devices:
        fault = FAULTS[device.fault] if device.fault else None
        good = device.seq if fault is None else min(device.seq, fault.after)
        accepted += good
        if fault and fault.reason and device.seq > good:
            refused[device.device_id][fault.reason] = device.seq - good
    return accepted, dict(refused)


async def came(ingest: Ingest, count: int) -> Json:
    """Return the status once so many messages were decided about."""

    async def have() -> bool:
        decided = (await ingest.status())["ingest"]
        return bool(decided["accepted"] + sum(decided["refused"].values()) >= count)

    await eventually(have)
    return await ingest.status()


@pytest.mark.parametrize("transport", ["mqtt", "http"])
async def test_each_bad_device_is_refused_with_the_reason_that_is_promised_and_nothing_else_is(
    ingest: Ingest, transport: str
) -> None:
    fleet = Fleet("home", _DEVICES, bad=0.5, token=ingest.key)
    assert {device.fault for device in fleet.devices} == {None, *FAULTS}
    await play(fleet, ingest.broker.url if transport == "mqtt" else ingest.client.api)

    accepted, refused = promised(fleet)
    reasons = sum(refused.values(), Counter[str]())
    status = await came(ingest, accepted + reasons.total())
    assert (status["ingest"]["accepted"], status["ingest"]["refused"]) == (accepted, dict(reasons))
    kept = defaultdict[str, Counter[str]](Counter)
    for row in await ingest.quarantined():
        kept[row["device_id"]][row["reason"]] += 1
    assert kept == refused
    intake = status["intake"]["telemetry"]
    assert (intake["converted"], intake["rejected"], laws_hold(status)) == (accepted, reasons.total(), True)


async def test_by_http_the_simulator_counts_the_reasons_that_the_server_answers(ingest: Ingest) -> None:
    fleet = Fleet("home", _DEVICES, bad=0.5, token=ingest.key)
    await play(fleet, ingest.client.api)

    accepted, refused = promised(fleet)
    reasons = sum(refused.values(), Counter[str]())
    told = Counter({"sent": accepted + reasons.total(), "accepted": accepted}) + reasons
    assert (fleet.counts, fleet.failed) == (told, Counter())


async def test_heartbeats_are_accepted_and_store_nothing(ingest: Ingest) -> None:
    fleet = Fleet("home", 4, token=ingest.key)
    await play(fleet, ingest.broker.url, heartbeat_s=0.4)

    sent = fleet.counts["sent"]
    status = await came(ingest, sent)
    intake = status["intake"]["telemetry"]
    assert (status["ingest"]["accepted"], status["ingest"]["refused"]) == (sent, {})
    assert intake["skipped"] > 0
    assert intake["converted"] + intake["skipped"] == sent


async def test_a_broker_that_was_away_is_connected_to_again(ingest: Ingest) -> None:
    fleet = Fleet("home", 2, token=ingest.key)
    stop = asyncio.Event()
    async with open_sender(ingest.broker.url, 1) as sender, asyncio.TaskGroup() as tasks:
        tasks.create_task(fleet.play([sender], every_s=0.1, stop=stop), name="fleet")
        await eventually(lambda: fleet.counts["accepted by the broker"] > 0)
        await ingest.broker.stop(kill=True)
        await eventually(lambda: fleet.counts["lost"] > 0)
        await ingest.broker.start()
        before = fleet.counts["accepted by the broker"]
        await eventually(lambda: fleet.counts["accepted by the broker"] > before)
        stop.set()


async def start(address: str, *arguments: str, **environment: str) -> Process:
    command = [sys.executable, "-m", "homeiq_simulator.simulate", address, *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HOMEIQ_")}
    return await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, env=kept | {"PYTHONPATH": str(_SCRIPTS)} | environment
    )


async def test_ctrl_c_ends_it_in_order_and_it_says_what_it_has_sent(ingest: Ingest) -> None:
    process = await start(ingest.broker.url, "--every", "0.1", HOMEIQ_DEVICE_TOKEN=ingest.key)
    assert process.stdout
    assert b"Ctrl-C stops them" in await process.stdout.readline()
    await eventually(lambda: _has_accepted(ingest))
    process.send_signal(signal.SIGINT)
    output, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert b'{"sent": ' in output


async def _has_accepted(ingest: Ingest) -> bool:
    return bool((await ingest.status())["ingest"]["accepted"])


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (None, ("HOMEIQ_DEVICE_TOKEN is not set", "TOKEN_MISSING")),
        ("hik_" + "x" * 43, ("TOKEN_INVALID: HOMEIQ_DEVICE_TOKEN is not the tenant's provisioning key",)),
        ("x" * 43, ("begin with hik_ or hid_", "TOKEN_INVALID")),
    ],
)
async def test_a_wrong_token_is_said_clearly(ingest: Ingest, token: str | None, words: tuple[str, ...]) -> None:
    environment = {} if token is None else {"HOMEIQ_DEVICE_TOKEN": token}
    process = await start(ingest.client.api, "--devices", "1", "--seconds", "1", **environment)
    _, errors = await process.communicate()

    assert process.returncode == 0
    assert [word for word in words if word not in errors.decode()] == []
    assert token is None or token not in errors.decode()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mqtt://127.0.0.1:1", "cannot be reached"),
        ("mqtts://127.0.0.1:1", "give an address such as mqtt://localhost:1883"),
        ("localhost:1883", "give an address such as mqtt://localhost:1883"),
    ],
)
async def test_an_address_where_nobody_listens_ends_it_with_a_sentence(address: str, words: str) -> None:
    process = await start(address)
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert words in errors.decode()
    assert b"Traceback" not in errors
