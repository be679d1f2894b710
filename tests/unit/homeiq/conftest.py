"""A real Home Assistant core, a real HTTP server on loopback for the app, and nothing patched in between."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

# The folder of the repository holds the package custom_components; the folder of these tests their plain modules.
sys.path[:0] = [str(Path(__file__).parents[3]), str(Path(__file__).parent)]

# Before any Home Assistant mounts its config folder, whose own custom_components would hide ours.
import custom_components.homeiq  # noqa: E402
from homeassistant.const import CONF_TOKEN, CONF_URL  # noqa: E402
from homeassistant.core import HomeAssistant  # noqa: E402
from homeiq_app_fake import SERVER_ID, TOKEN, FakeApp  # noqa: E402
from pytest_homeassistant_custom_component.common import MockConfigEntry  # noqa: E402

from custom_components.homeiq import forwarder as forwarder_module  # noqa: E402
from custom_components.homeiq.const import DOMAIN  # noqa: E402

assert custom_components.homeiq is not None

type Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _integration(enable_custom_integrations: None, socket_enabled: None) -> None:
    """Load the integration from the repository; sockets on loopback are the point of these tests."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits that the forwarder takes, not their order."""
    monkeypatch.setattr(forwarder_module, "GATHER_S", 0.01)
    monkeypatch.setattr(forwarder_module, "PROBE_S", 0.02)
    monkeypatch.setattr(forwarder_module, "_BACKOFF_S", 0.01)
    monkeypatch.setattr(forwarder_module, "_LONGEST_BACKOFF_S", 0.2)


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition, at most 20 s; the event loop goes on meanwhile."""

    async def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            await asyncio.sleep(0.005)

    return wait


@pytest.fixture
async def app(socket_enabled: None) -> AsyncIterator[FakeApp]:
    """A running app."""
    fake = FakeApp()
    await fake.start()
    yield fake
    fake.hold.set()
    await fake.stop()


@pytest.fixture
def entry(hass: HomeAssistant, app: FakeApp) -> MockConfigEntry:
    """An entry for the running app, not set up yet."""
    return add_entry(hass, app)


def add_entry(hass: HomeAssistant, app: FakeApp, **options: Any) -> MockConfigEntry:  # noqa: ANN401 - test options
    """Add an entry for ``app``."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        title="HomeIQ",
        unique_id=SERVER_ID,
        data={CONF_URL: app.url, CONF_TOKEN: TOKEN},
        options=options,
        entry_id="homeiq_entry",
    )
    entry.add_to_hass(hass)
    return entry
