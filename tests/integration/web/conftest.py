"""A server that devices send to, and what a test needs to be such a device."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeiq_server.options import Options, Secret
from tests.integration.web.sending import Home
from tests.mosquitto import PROGRAM, Mosquitto
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import eventually, options, serving


def _options(folder: Path, database: Database, broker: str) -> Options:
    return options(
        folder / "data",
        store=True,
        ingest=True,
        history=False,
        mqtt_url=broker,
        database_url=Secret(database.url),
        database_owner_url=Secret(database.owner_url),
    )


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker that lets everybody in."""
    if not PROGRAM.exists():
        pytest.skip("there is no mosquitto here: scripts/setup brings it")
    broker = Mosquitto(tmp_path / "mosquitto")
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop(kill=True)


@pytest.fixture
async def home(database: Database, mosquitto: Mosquitto, tmp_path: Path) -> AsyncIterator[Home]:
    """A home that devices can send to by MQTT and HTTP, without any yet."""
    async with serving(_options(tmp_path, database, mosquitto.url)) as client:
        home = Home(client)
        await eventually(home.is_connected)
        yield home


@pytest.fixture
async def home_without_broker(database: Database, tmp_path: Path) -> AsyncIterator[Home]:
    """A home whose broker does not answer."""
    async with serving(_options(tmp_path, database, "mqtt://127.0.0.1:9")) as client:
        home = Home(client)
        await eventually(home.says_why_there_is_no_broker)
        yield home
