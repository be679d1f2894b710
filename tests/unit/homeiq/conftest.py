"""A real Home Assistant core, a real HTTP server on loopback for the app, and nothing patched in between."""

import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant

sys.path.insert(0, str(Path(__file__).parents[3]))

# Imported before any Home Assistant mounts its config folder, whose own custom_components would hide ours.
from custom_components.homeiq import alert_follower, following, forwarder, registry_sync, slow_lane
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.waiting import eventually


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None, socket_enabled: None) -> None:
    """Load the integration from the repository; sockets on loopback are the point of these tests."""


@pytest.fixture
def mock_recorder_before_hass(request: pytest.FixtureRequest) -> None:
    """Prepare for a real recorder where a test asks for one; the harness wants that before there is a core."""
    if "recorder_mock" in request.fixturenames:
        request.getfixturevalue("async_test_recorder")
        logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)  # the harness lets it log every statement


@pytest.fixture
def persistent_database() -> bool:
    """Give the recorder a file: in memory it and its readers share one connection, and wait for each other."""
    return True


@pytest.fixture
def recorder_config() -> dict[str, Any]:
    """Let the recorder commit only when it is told to: whoever reads it has to see to that."""
    return {"commit_interval": 3_600}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits of whoever sends, not their order."""
    monkeypatch.setattr(slow_lane, "PAUSE_S", 0.01)
    monkeypatch.setattr(slow_lane, "LONGEST_BACKOFF_S", 0.2)
    monkeypatch.setattr(forwarder, "GATHER_S", 0.01)
    monkeypatch.setattr(forwarder, "PROBE_S", 0.02)
    monkeypatch.setattr(forwarder, "BACKOFF_S", 0.01)
    monkeypatch.setattr(forwarder, "LONGEST_BACKOFF_S", 0.2)
    monkeypatch.setattr(registry_sync, "DEBOUNCE_S", 0.01)
    monkeypatch.setattr(registry_sync, "BACKOFF_S", 0.01)
    monkeypatch.setattr(registry_sync, "LONGEST_BACKOFF_S", 0.2)
    monkeypatch.setattr(following, "PACE_S", 0.01)
    monkeypatch.setattr(following, "BACKOFF_S", 0.01)
    monkeypatch.setattr(following, "LONGEST_BACKOFF_S", 0.2)
    monkeypatch.setattr(alert_follower, "PATIENCE_S", 0.2)


@pytest.fixture
async def app(_integration: None) -> AsyncIterator[FakeApp]:
    """A running app."""
    fake = FakeApp()
    await fake.start()
    yield fake
    fake.hold.set()
    fake.hold_info.set()
    fake.past.hold.set()
    fake.store.hold.set()
    fake.ingest.end()
    await fake.stop()


@pytest.fixture
async def entry(hass: HomeAssistant, app: FakeApp) -> Entry:
    """A loaded entry."""
    return await set_up(hass, app_entry(hass, app))


@pytest.fixture
async def known(entry: Entry, app: FakeApp) -> Entry:
    """A loaded entry whose registries the app has; the findings that a test makes up are of this Home Assistant."""
    await eventually(lambda: app.store.snapshots)
    return entry
