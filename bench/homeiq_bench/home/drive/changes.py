"""Single changes on an idle system, each with a value of its own, at irregular moments."""

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from .entries import add_homeiq

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant

_SETTLED_S = 15.0  # Home Assistant's own start has quietened down, and the database knows the series (see below)
_LAST_S = 6.0  # the last change still has to be seen by whoever watches


async def measure(hass: HomeAssistant, order: dict[str, Any]) -> dict[str, Any]:
    """Return when each change was made, as ``{value: seconds since the epoch}``.

    The very first one is not among them: VictoriaMetrics remembers for some 10 s that it did not find a series.
    """
    await add_homeiq(hass, order["homeiq_url"], order["homeiq_token"])
    hass.states.async_set("sensor.bench_marker", "0", {"unit_of_measurement": "marker"})
    await asyncio.sleep(_SETTLED_S)
    chance = random.Random(1)  # noqa: S311  # a repeatable choice, no secret
    made = {}
    for value in range(1, order["changes"] + 1):
        hass.states.async_set("sensor.bench_marker", str(value), {"unit_of_measurement": "marker"})
        made[value] = time.time()
        await asyncio.sleep(chance.uniform(0.05, 1.5))
    await asyncio.sleep(_LAST_S)
    return {"made": made}
