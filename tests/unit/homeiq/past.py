"""A past in the recorder, and what an app should have of it."""

import asyncio

from homeassistant.components.recorder.core import Recorder
from homeassistant.core import HomeAssistant

from custom_components.homeiq.recorder_history import RecorderHistory
from custom_components.homeiq.recorder_tables import STATES, RecordedState
from custom_components.homeiq.time_us import time_us
from tests.unit.homeiq.changes import NOON
from tests.unit.homeiq.entries import Entry
from tests.unit.homeiq.fake_app import FakeApp

NOON_US = time_us(NOON)
SECOND = 1_000_000
HOUR = 3_600 * SECOND
FOR_EVER = (0, 2**52)


def live_through(
    hass: HomeAssistant, count: int, *, entity_id: str = "sensor.past", at: float = NOON, **attributes: object
) -> list[tuple[str, str, int]]:
    """Change a state once a second from ``at`` on; return entity, state and time of each change."""
    for number in range(count):
        hass.states.async_set(entity_id, str(number), attributes or {"friendly_name": "Past"}, timestamp=at + number)
    return [(entity_id, str(number), time_us(at + number)) for number in range(count)]


def filled(app: FakeApp, entity_id: str = "sensor.past") -> list[tuple[str, str | None, int]]:
    """Return what was backfilled of an entity."""
    return [(event[0], event[1], event[5]) for event in app.past.events if event[0] == entity_id]


async def recorded(recorder: Recorder, start_us: int = 0, end_us: int = FOR_EVER[1]) -> list[RecordedState]:
    """Return everything that the recorder has."""
    history = RecorderHistory(recorder)
    await history.async_settle()
    return [row async for page in history.async_pages(STATES, start_us, end_us) for row in page]


async def kill(hass: HomeAssistant, entry: Entry) -> None:
    """End HomeIQ as a process ends that is killed: what it holds is lost, and nothing is sent any more."""
    forwarder = entry.runtime_data.forwarder
    forwarder._task.cancel()
    await asyncio.wait([forwarder._task])
    forwarder._delivery = None
    hass.data["homeiq_buffers"].clear()
    assert await hass.config_entries.async_unload(entry.entry_id)
