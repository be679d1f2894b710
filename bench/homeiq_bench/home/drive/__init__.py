"""Runs a bench inside a real Home Assistant process and writes what it measured beside the configuration.

The order is read from ``order.json``, the result is written to ``result.json``; then Home Assistant is stopped.
"""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeassistant.const import EVENT_HOMEASSISTANT_STARTED

from . import changes, cost, outage, steady

if TYPE_CHECKING:
    from homeassistant.core import Event, HomeAssistant
    from homeassistant.helpers.typing import ConfigType

_LOGGER = logging.getLogger(__name__)
_MEASURES = {
    "changes": changes.measure,
    "cost": cost.measure,
    "outage": outage.measure,
    "steady": steady.measure,
}


async def async_setup(hass: HomeAssistant, _: ConfigType) -> bool:
    """Measure as soon as Home Assistant has started."""
    folder = Path(hass.config.config_dir)

    async def run(_: Event[Any]) -> None:
        result: dict[str, Any]
        try:
            order = json.loads(await hass.async_add_executor_job((folder / "order.json").read_text))
            result = await _MEASURES[order["measure"]](hass, order)
        except Exception as err:
            _LOGGER.exception("The bench failed inside Home Assistant")
            result = {"error": repr(err)}
        await hass.async_add_executor_job((folder / "result.json").write_text, json.dumps(result))
        hass.async_create_task(hass.async_stop(), "stop after the bench")

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STARTED, run)
    return True
