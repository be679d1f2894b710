"""Changes at a steady rate in phases; between them somebody outside takes the databases away and brings them back."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .entries import add_homeiq, add_influxdb

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant

_TICK_S = 0.01
_LOOK_EVERY_S = 0.05
_ENTITIES = 10
_SENT_S = 5.0  # after the last phase: what was gathered is still being sent


async def measure(hass: HomeAssistant, order: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers that each phase has begun and ended with; a change's number is its state."""
    await add_homeiq(hass, order["homeiq_url"], order["homeiq_token"])
    await add_influxdb(hass, order["influxdb_port"], api_version="1")
    begin, phases = 0, {}
    for name, seconds in order["phases"]:
        await _announced(hass, name)
        end = begin + order["rate"] * seconds
        await _drive(hass, range(begin, end), order["rate"])
        phases[name], begin = [begin, end], end
    await asyncio.sleep(_SENT_S)
    return {"phases": phases}


async def _announced(hass: HomeAssistant, phase: str) -> None:
    """Tell who waits outside that the phase begins, and return when everything is as it should be then."""
    said, done = Path(hass.config.path(f"{phase}.begins")), Path(hass.config.path(f"{phase}.ready"))
    await hass.async_add_executor_job(said.touch)
    while not await hass.async_add_executor_job(done.exists):  # noqa: ASYNC110  # another process has no event
        await asyncio.sleep(_LOOK_EVERY_S)


async def _drive(hass: HomeAssistant, numbers: range, rate: int) -> None:
    """Make a change of each number, ``rate`` a second."""
    start, made = time.monotonic(), 0
    while made < len(numbers):
        due = min(len(numbers), int((time.monotonic() - start) * rate))
        for number in numbers[made:due]:
            entity_id = f"sensor.bench_outage_{number % _ENTITIES}"
            hass.states.async_set(entity_id, str(number), {"unit_of_measurement": "outage"})
        made = due
        await asyncio.sleep(_TICK_S)
