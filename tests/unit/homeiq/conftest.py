"""A real Home Assistant core, a real HTTP server on loopback for the app, and nothing patched in between."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant

sys.path.insert(0, str(Path(__file__).parents[3]))

# Imported before any Home Assistant mounts its config folder, whose own custom_components would hide ours.
from custom_components.homeiq import forwarder
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None, socket_enabled: None) -> None:
    """Load the integration from the repository; sockets on loopback are the point of these tests."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits of the forwarder, not their order."""
    monkeypatch.setattr(forwarder, "GATHER_S", 0.01)
    monkeypatch.setattr(forwarder, "PROBE_S", 0.02)
    monkeypatch.setattr(forwarder, "BACKOFF_S", 0.01)
    monkeypatch.setattr(forwarder, "LONGEST_BACKOFF_S", 0.2)


@pytest.fixture
async def app(_integration: None) -> AsyncIterator[FakeApp]:
    """A running app."""
    fake = FakeApp()
    await fake.start()
    yield fake
    fake.hold.set()
    fake.hold_info.set()
    await fake.stop()


@pytest.fixture
async def entry(hass: HomeAssistant, app: FakeApp) -> Entry:
    """A loaded entry."""
    return await set_up(hass, app_entry(hass, app))
