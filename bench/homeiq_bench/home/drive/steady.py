"""Changes at a steady rate for as long as nobody outside asks for a rest; goes on after every start."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant

_TICK_S = 0.01
_LOOK_EVERY_S = 0.2
_ENTITIES = 10


async def measure(hass: HomeAssistant, order: dict[str, Any]) -> NoReturn:
    """Change states until Home Assistant ends; rest while there is a file ``rest`` beside the configuration.

    A change's number is how many there could have been since the epoch, so that none comes again after a restart.
    """
    rest = Path(hass.config.path("rest"))
    number = int(time.time() * order["rate"])
    while True:
        if await hass.async_add_executor_job(rest.exists):
            number = int(time.time() * order["rate"])
            await asyncio.sleep(_LOOK_EVERY_S)
            continue
        until = time.monotonic() + _LOOK_EVERY_S
        while time.monotonic() < until:
            for each in range(number, int(time.time() * order["rate"])):
                entity_id = f"sensor.bench_steady_{each % _ENTITIES}"
                hass.states.async_set(entity_id, str(each), {"unit_of_measurement": "steady"})
                number = each + 1
            await asyncio.sleep(_TICK_S)
