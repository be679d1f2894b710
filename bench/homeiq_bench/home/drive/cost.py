"""CPU of the whole process while states change at a steady rate, with and without a listener that stores them."""

import asyncio
import time
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from .entries import add_homeiq, add_influxdb, switch

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant

_TICK_S = 0.01
_REST_S = 2.5  # after the last change: what was gathered is still being sent


async def measure(hass: HomeAssistant, order: dict[str, Any]) -> dict[str, Any]:
    """Return the CPU seconds of each round: with nothing, with HomeIQ, with core's influxdb, in turn."""
    entries = {
        "homeiq": await add_homeiq(hass, order["homeiq_url"], order["homeiq_token"]),
        "influxdb": await add_influxdb(hass, order["influxdb_port"]),
    }
    for entry_id in entries.values():
        await switch(hass, entry_id, on=False)
    order["changes"] = _changes(order["states"])
    rounds: dict[str, list[float]] = {"nothing": [], "homeiq": [], "influxdb": []}
    await _drive(hass, order)
    for _ in range(order["rounds"]):
        for name, spent in rounds.items():
            if name in entries:
                await switch(hass, entries[name], on=True)
            spent.append(await _drive(hass, order))
            if name in entries:
                await switch(hass, entries[name], on=False)
    return {"cpu_s": rounds, "changes": order["rate"] * order["seconds"]}


def _changes(states: list[tuple[str, tuple[str, str], dict[str, Any]]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield entity, state and attributes without end; each is a change, for entities go to and fro in turn."""
    for turn in count():
        for entity_id, pair, attributes in states:
            yield entity_id, pair[turn % 2], attributes


async def _drive(hass: HomeAssistant, order: dict[str, Any]) -> float:
    """Make ``rate`` changes a second for ``seconds`` and return the CPU seconds that the process spent."""
    rate, total, made = order["rate"], order["rate"] * order["seconds"], 0
    changes = order["changes"]
    before_cpu, start = time.process_time(), time.monotonic()
    while made < total:
        due = min(total, int((time.monotonic() - start) * rate))
        while made < due:
            hass.states.async_set(*next(changes))
            made += 1
        await asyncio.sleep(_TICK_S)
    await asyncio.sleep(_REST_S)
    return time.process_time() - before_cpu
