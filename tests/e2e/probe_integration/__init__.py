"""Does inside Home Assistant what no REST client can: states with Python attributes, removals, bursts."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, State, SupportsResponse
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.json import JsonObjectType

DOMAIN: Final = "probe"
AT_ONCE: Final = 100


class Mode(StrEnum):
    """An attribute such as climate entities have."""

    HEAT = "heat"


# Attributes by name, because a REST client cannot say them.
SPECIAL: Final = {
    "moment": datetime(2026, 11, 22, 3, 4, 5, 678901, UTC),
    "rooms": {"kitchen"},
    "mode": Mode.HEAT,
    "unspeakable": object(),
}


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Offer the actions."""
    del config
    for action in (set_state, remove, burst, listeners):
        hass.services.async_register(DOMAIN, action.__name__, action, supports_response=SupportsResponse.ONLY)
    return True


async def set_state(call: ServiceCall) -> ServiceResponse:
    """Set one state, with attributes as given and with special ones by name."""
    attributes = call.data.get("attributes", {}) | {name: SPECIAL[name] for name in call.data.get("special", ())}
    call.hass.states.async_set(call.data["entity_id"], call.data["state"], attributes)
    return _seen(call.hass.states.get(call.data["entity_id"]))


async def remove(call: ServiceCall) -> ServiceResponse:
    """Remove one entity's state."""
    return {"removed": call.hass.states.async_remove(call.data["entity_id"])}


async def burst(call: ServiceCall) -> ServiceResponse:
    """Count ``count`` states up over ``entities`` sensors, as fast as the loop lets us; return them by entity."""
    seen: defaultdict[str, list[JsonObjectType]] = defaultdict(list)
    for number in range(call.data["count"]):
        entity_id = f"{call.data['prefix']}_{number % call.data['entities']}"
        call.hass.states.async_set(entity_id, str(number), {"unit_of_measurement": "%"})
        seen[entity_id].append(_seen(call.hass.states.get(entity_id)))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return {entity_id: list(states) for entity_id, states in seen.items()}


async def listeners(call: ServiceCall) -> ServiceResponse:
    """Return how many listen for state changes."""
    return {"state_changed": call.hass.bus.async_listeners().get(EVENT_STATE_CHANGED, 0)}


def _seen(state: State | None) -> JsonObjectType:
    """Return a state as its REST representation would show it."""
    assert state is not None
    return {"entity_id": state.entity_id, "state": state.state, "last_updated": state.last_updated.isoformat()}
