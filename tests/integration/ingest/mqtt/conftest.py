"""A real Mosquitto for each test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeiq_server.ingest.mqtt import link as link_module
from homeiq_server.ingest.mqtt import watch
from tests.mosquitto import PROGRAM, Mosquitto


@pytest.fixture(autouse=True)
def _program() -> None:
    if not PROGRAM.exists():
        pytest.skip("there is no mosquitto here: scripts/setup brings it")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(link_module, "_LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(link_module, "_REFUSED_PAUSE_S", 0.1)
    monkeypatch.setattr(link_module, "_NO_BROKER_PAUSE_S", 0.1)
    monkeypatch.setattr(watch, "_LOOK_S", 0.05)
    monkeypatch.setattr(link_module, "_FINISH_S", 0.5)


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that lets everybody in; not limited in what it queues."""
    broker = Mosquitto(tmp_path / "mosquitto", settings={"max_queued_messages": "0"})
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop(kill=True)
