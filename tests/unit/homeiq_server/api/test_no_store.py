"""A server without a store: history alone."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.homeiq_server.server_builders import Client, options, serving

PATHS = [
    "devices",
    "devices/lamp",
    "findings",
    "finding-changes",
    "insights",
    "hours?source=a&id=b",
    "registry?source=a",
]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(options(tmp_path / "data", history=False, store=False)) as opened:
        yield opened


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_store_there_are_no_devices_and_the_answer_says_why(client: Client, path: str) -> None:
    answer = await client.get(f"/api/v1/{path}")
    assert answer.status == 404
    assert answer.body["detail"] == "the store is switched off: set the option store to on"


@pytest.mark.parametrize("path", ["registry", "reported", "findings/1/mute"])
async def test_without_a_store_nothing_is_taken_in_and_the_answer_says_why(client: Client, path: str) -> None:
    answer = await client.post({}, f"/api/v1/{path}")
    assert answer.status == 404
    assert "option store" in answer.body["detail"]


def test_without_a_store_nothing_of_it_is_loaded() -> None:
    program = "import sys, homeiq_server.app; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    loaded = set(told.stdout.split())
    assert "homeiq_server.app" in loaded
    assert not loaded & {"asyncpg", "homeiq_server.store", "homeiq_server.insights", "homeiq_server.devices"}
