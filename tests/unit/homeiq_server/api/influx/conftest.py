from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.homeiq_server.api.influx.influx_builders import Sender
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import eventually, options, serving


@pytest.fixture
async def database() -> AsyncIterator[FakeDatabase]:
    async with running(FakeDatabase()) as fake:
        yield fake


@pytest.fixture
async def sender(tmp_path: Path, database: FakeDatabase) -> AsyncIterator[Sender]:
    async with serving(options(tmp_path, influx_url=database.url)) as client:
        await eventually(client.is_ok)
        yield Sender(client)
