"""Real programs for the tests of this folder, each started and stopped by the test that needs it."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from homeiq_server.embedded.victoria_metrics import VictoriaMetrics
from homeiq_server.store.pool import Pool
from tests import postgres
from tests.integration.real_influxd import ADMIN, PASSWORD, RealInfluxd, program
from tests.postgres import Cluster, Database

_LOCAL = Path(__file__).parents[2] / ".tools/bin/victoria-metrics"


class RunningVictoriaMetrics:
    """A VictoriaMetrics with the flags and under the supervision of the app.

    Attributes:
        url: Where it listens, the same after a restart.
    """

    def __init__(self, database: VictoriaMetrics) -> None:
        self._database = database
        self.url = database.url

    async def restart(self, *, kill: bool) -> None:
        """End its process, by ``kill`` without a chance to put anything on disk; return when the next one answers."""
        generation, pid = self._database.generation, self._database.pid
        assert pid
        os.kill(pid, signal.SIGKILL if kill else signal.SIGTERM)
        async with asyncio.timeout(60):
            while self._database.generation == generation:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.02)
            await self._database.ready()


@pytest.fixture
async def victoria_metrics(tmp_path: Path) -> AsyncIterator[RunningVictoriaMetrics]:
    """A VictoriaMetrics on a free port, with an empty folder."""
    program = _LOCAL if _LOCAL.exists() else shutil.which("victoria-metrics")
    if program is None:
        pytest.skip("there is no victoria-metrics here: scripts/setup brings it")
    database = VictoriaMetrics(data_dir=tmp_path / "database", program=Path(program))
    task = asyncio.create_task(database.run(), name="victoria-metrics")
    try:
        async with asyncio.timeout(60):
            await database.ready()
        yield RunningVictoriaMetrics(database)
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def influxd(tmp_path: Path) -> AsyncIterator[RealInfluxd]:
    """An InfluxDB 1 on a free port with the database ``home``, which the user ``writer`` may write and nothing else."""
    if (binary := program()) is None:
        pytest.skip("there is no influxd of InfluxDB 1 here: scripts/setup brings it")
    database = RealInfluxd(binary, tmp_path / "influxd")
    await database.start()
    try:
        await database.run(f"CREATE USER {ADMIN} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")
        await database.run("CREATE DATABASE home")
        await database.run("CREATE USER writer WITH PASSWORD 'secret-of-the-writer'")
        await database.run("GRANT WRITE ON home TO writer")
        yield database
    finally:
        await database.stop(kill=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for all tests of the run."""
    try:
        with postgres.cluster() as running:
            yield running
    except RuntimeError as err:
        pytest.skip(str(err))


@pytest.fixture
async def database(cluster: Cluster) -> AsyncIterator[Database]:
    """A fresh database with the newest schema."""
    async with cluster.database() as fresh:
        yield fresh


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """The pool on it, as the server would use it."""
    async with postgres.open_pool(database) as opened:
        yield opened
