"""Waiting until Home Assistant has started."""

import asyncio

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.start import async_at_started


async def async_until_started(hass: HomeAssistant) -> None:
    """Return when Home Assistant has started."""
    started = asyncio.Event()

    @callback
    def on_started(_: HomeAssistant) -> None:
        started.set()

    stop = async_at_started(hass, on_started)
    try:
        await started.wait()
    finally:
        stop()
