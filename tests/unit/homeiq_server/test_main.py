"""The command ``homeiq-server`` as a process: exit codes, signals, and what its log says."""

import asyncio
import os
import pwd
import signal
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psutil
import pytest

from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import (
    DEADLINE_S,
    Client,
    batch,
    event,
    eventually,
    laws_hold,
    options,
)

EXIT_WITHIN_S = 10


async def _start(folder: Path, *arguments: str, **environment: str) -> Process:
    """Start the command with no options but those named here; it keeps history alone."""
    named = {f"HOMEIQ_{key.upper()}": value for key, value in ({"store": "off"} | environment).items()}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-X",
        "dev",
        "-m",
        "homeiq_server",
        *arguments,
        env={"HOMEIQ_DATA_DIR": str(folder), "HOMEIQ_OPTIONS": str(folder / "options.json"), **named},
        stdout=PIPE,
        stderr=PIPE,
    )


async def _ended(process: Process) -> tuple[int | None, str, str]:
    """Return the exit code and both outputs of a process that ends by itself."""
    async with asyncio.timeout(DEADLINE_S):
        out, err = await process.communicate()
    return process.returncode, out.decode("ascii"), err.decode("ascii")


@dataclass
class Running:
    process: Process
    client: Client
    log: str = ""

    async def stop(self, signum: signal.Signals = signal.SIGTERM) -> int | None:
        """Send the signal; the exit must come within the time that the Supervisor gives."""
        self.process.send_signal(signum)
        async with asyncio.timeout(EXIT_WITHIN_S):
            out, err = await self.process.communicate()
        self.log = (out + err).decode("ascii")
        return self.process.returncode


@asynccontextmanager
async def _running(folder: Path, database: FakeDatabase, **environment: str) -> AsyncIterator[Running]:
    chosen = options(folder)
    ports = {"port": str(chosen.port), "ingress_port": str(chosen.ingress_port)}
    process = await _start(folder, **{**ports, "influx_url": database.url, **environment})
    try:
        async with aiohttp.ClientSession() as session:
            server = Running(process, Client(session, chosen))
            await _until_ok(server)
            yield server
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_ok(server: Running) -> None:
    """Wait until the server answers and knows its database."""
    async with asyncio.timeout(DEADLINE_S):
        while server.process.returncode is None:
            try:
                if (await server.client.status())["status"] != "unhealthy":
                    return
            except aiohttp.ClientConnectionError, FileNotFoundError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(await _ended(server.process))


async def test_the_version_and_the_options_can_be_asked_for(tmp_path: Path) -> None:
    code, out, _ = await _ended(await _start(tmp_path, "--version"))
    assert (code, out) == (0, "homeiq-server 0.1.0\n")
    code, out, _ = await _ended(await _start(tmp_path, "--help"))
    assert code == 0
    assert "influx_url" in out
    assert "Default: 8098." in out


async def test_wrong_options_end_with_2_and_a_line_for_each(tmp_path: Path) -> None:
    code, out, err = await _ended(await _start(tmp_path, port="x", influx_org="o", influx_url="http://i"))
    lines = err.splitlines()
    assert (code, out) == (2, "")
    assert len(lines) == 2
    assert all(line.startswith("homeiq-server: option ") for line in lines)
    assert "Traceback" not in err


async def test_a_missing_influx_token_is_named(tmp_path: Path) -> None:
    code, _, err = await _ended(await _start(tmp_path, influx_url="http://i", influx_org="o", influx_bucket="b"))
    assert code == 2
    assert err.startswith("homeiq-server: option influx_token is missing")


async def test_a_port_that_is_taken_ends_with_2_and_a_sentence(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        taken = database.url.rpartition(":")[2]
        process = await _start(tmp_path, port=taken, ingress_port="0", influx_url=database.url)
        code, _, err = await _ended(process)
    assert code == 2
    assert f"homeiq-server: cannot listen on 127.0.0.1 port {taken}" in err
    assert "Traceback" not in err


async def test_a_folder_that_cannot_be_made_ends_with_2_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = await _ended(await _start(tmp_path / "file" / "folder", influx_url="http://127.0.0.1:1"))
    assert code == 2
    assert err.startswith("homeiq-server: the folder ")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user may look into, unlike those that pytest makes."""
    with TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o711)
        yield path


def _everybody_can_read(path: Path) -> bool:
    """Return whether no folder on the way to ``path`` is closed to others, as root's own home is."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.skipif(
    not _everybody_can_read(Path(sys.base_prefix)) or not _everybody_can_read(Path(__file__).parent),
    reason="this folder is root's alone: another user could not run the server that stands in it",
)
async def test_as_root_it_gives_its_folder_to_its_user_and_becomes_that_user(public: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    (public / "own").mkdir()
    (public / "own" / "restored").touch()
    async with running(FakeDatabase()) as database, _running(public / "own", database, user="nobody") as server:
        user = psutil.Process(server.process.pid).uids()
        assert await server.stop() == 0
    assert user == (nobody, nobody, nobody)
    assert {path.stat().st_uid for path in (public / "own").rglob("*")} == {nobody}


async def test_a_user_that_does_not_exist_is_named(tmp_path: Path) -> None:
    code, _, err = await _ended(await _start(tmp_path, user="nobody-of-that-name", influx_url="http://127.0.0.1:1"))
    assert (code, err.startswith("homeiq-server: HOMEIQ_USER: there is no user")) == (2, True)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(tmp_path: Path, signum: signal.Signals) -> None:
    async with running(FakeDatabase()) as database, _running(tmp_path, database) as server:
        await server.client.post(batch([event(1)]))
        assert await server.stop(signum) == 0
    assert "stopping" in server.log
    assert "Warning" not in server.log


async def test_a_stop_while_the_database_hangs_loses_nothing(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        async with _running(tmp_path, database) as server:
            database.go_on.clear()
            for seq in range(1, 21):
                answer = await server.client.post(batch([event(100 * seq + n) for n in range(100)], seq=seq))
                assert answer.body["accepted"] == 100
            await database.hanging.wait()
            assert await server.stop() == 0
        assert database.stored == []

        database.go_on.set()
        async with _running(tmp_path, database) as server:
            await eventually(lambda: len(set(database.stored)) == 2_000)
            await eventually(lambda: _queue_is_empty(server))
            status = await server.client.status()
            assert status["lines"]["written"] == 2_000
            assert laws_hold(status)
            assert await server.stop() == 0


async def _queue_is_empty(server: Running) -> bool:
    return not (await server.client.status())["lines"]["queued"]


async def _is_misconfigured(server: Running) -> bool:
    return bool((await server.client.status())["database"]["state"] == "misconfigured")


async def _store_is_unreachable(server: Running) -> bool:
    return bool((await server.client.status())["store"]["state"] == "unreachable")


async def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        async with _running(tmp_path, database) as server:
            database.go_on.clear()
            await server.client.post(batch([event(n) for n in range(500)]))
            server.process.kill()
            await server.process.communicate()
        database.go_on.set()
        async with _running(tmp_path, database) as server:
            await eventually(lambda: len(set(database.stored)) == 500)
            assert await server.stop() == 0


async def test_no_secret_is_logged_at_any_level(tmp_path: Path) -> None:
    secret = "marker-7f3a-influx"
    async with running(FakeDatabase(token=secret)) as database:
        named = {"influx_token": secret, "influx_bucket": "b", "influx_org": "o", "log_level": "debug"}
        store = {
            "store": "on",
            "database_url": "postgresql://homeiq:marker-7f3a-pool@127.0.0.1:1/homeiq",
            "database_owner_url": "postgresql://owner:marker-7f3a-owner@127.0.0.1:1/homeiq",
        }
        async with _running(tmp_path, database, **named, **store) as server:
            token = server.client.bearer["Authorization"].removeprefix("Bearer ")
            await server.client.post(batch([event(1)]))
            await server.client.post(batch([event(2)]), Authorization="Bearer marker-7f3a-guess")
            await eventually(lambda: database.stored)
            database.token = "changed"
            await server.client.post(batch([event(2)], seq=2))
            await eventually(lambda: _is_misconfigured(server))
            await eventually(lambda: _store_is_unreachable(server))
            shown = str(await server.client.status())
            assert await server.stop() == 0
    said = server.log + shown
    assert "marker-7f3a" not in said
    assert token not in said
    assert token[:8] not in said


async def test_a_thousand_events_are_no_reason_to_log(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, _running(tmp_path, database) as server:
        for seq in range(1, 101):
            events = [event(10 * seq + n, state=1 if n == 0 else "2") for n in range(10)]
            await server.client.post(batch(events, seq=seq))
        await eventually(lambda: len(database.stored) >= 900)
        assert await server.stop() == 0
    lines = server.log.splitlines()
    assert len(lines) <= 20
    assert all(line.startswith("ts=") and " level=" in line and " msg=" in line for line in lines)
