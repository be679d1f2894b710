"""The app with a PostgreSQL of its own: history and API never wait for it, and it is back after whatever happened."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.postgres import PROGRAMS
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import Client, batch, event, eventually, options, serving

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "postgres").exists(), reason="there is no PostgreSQL here: scripts/setup brings it"
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may look into, unlike those that pytest makes: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory() as made:
        path = Path(made)
        path.chmod(0o711)
        yield path / "own"


async def _store_is(client: Client, state: str) -> bool:
    return bool((await client.status())["store"]["state"] == state)


def _postgres() -> psutil.Process:
    """Return the server's own child."""
    return next(child for child in psutil.Process().children() if child.name() == "postgres")


async def test_the_store_comes_up_beside_the_api_at_the_first_start_and_at_the_next(folder: Path) -> None:
    chosen = options(folder, history=False, store=True, postgresql=PROGRAMS)
    for _ in range(2):
        async with serving(chosen) as client:
            await eventually(partial(_store_is, client, "ok"))
            store = (await client.status())["store"]
            assert (store["embedded"], store["error"]) == (True, None)
            assert "homeiq_store_up 1.0" in (await client.get("/metrics")).body


async def test_history_goes_on_while_postgresql_is_away_and_after_a_crash_it_is_back(folder: Path) -> None:
    async with running(FakeDatabase()) as database:
        chosen = options(folder, influx_url=database.url, store=True, postgresql=PROGRAMS)
        async with serving(chosen) as client:
            await eventually(partial(_store_is, client, "ok"))
            crashed = _postgres()
            crashed.suspend()
            assert await client.takes(batch([event(1)]))
            await eventually(lambda: len(database.stored) == 1)
            crashed.kill()
            await eventually(lambda: psutil.Process().children() and _postgres_runs_again(crashed))
            assert await client.takes(batch([event(2)], seq=2))
            await eventually(partial(_store_is, client, "ok"))
            await eventually(lambda: len(database.stored) == 2)


def _postgres_runs_again(before: psutil.Process) -> bool:
    return any(child.name() == "postgres" and child != before for child in psutil.Process().children())


async def test_without_postgresql_history_goes_on_and_the_status_tells_the_remedy(folder: Path, tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        chosen = options(folder, influx_url=database.url, store=True, postgresql=tmp_path)
        async with serving(chosen) as client:
            await eventually(partial(_store_is, client, "misconfigured"))
            assert await client.takes(batch([event(1)]))
            await eventually(lambda: len(database.stored) == 1)
            status = await client.status()
    assert status["status"] == "degraded"
    assert [reason["code"] for reason in status["reasons"]] == ["store_misconfigured"]
    assert "History goes on" in status["reasons"][0]["message"]
    assert "option postgresql" in status["reasons"][0]["message"]


async def test_a_postgresql_that_hangs_does_not_keep_the_app_from_stopping_in_time(folder: Path) -> None:
    chosen = options(folder, history=False, store=True, postgresql=PROGRAMS)
    held: list[psutil.Process] = []
    try:
        async with serving(chosen) as client:
            await eventually(partial(_store_is, client, "ok"))
            child = _postgres()
            held = [child, *child.children()]
            for process in held:
                process.suspend()
            began = time.monotonic()
        assert time.monotonic() - began < 9  # what the Supervisor gives is 10
        assert not child.is_running()
    finally:
        for process in held:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        await asyncio.to_thread(psutil.wait_procs, held, timeout=5)
