"""Does inside Home Assistant what no REST client can: states with Python attributes, removals, bursts."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import async_import_statistics
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, HomeAssistant, ServiceCall, ServiceResponse, State, SupportsResponse, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.typing import ConfigType
from homeassistant.util.json import JsonObjectType, JsonValueType

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
    for action in (
        set_state,
        remove,
        burst,
        listeners,
        hold_at_most,
        live_through,
        keep_statistics,
        devices,
        rename,
        disappear,
        heard,
    ):
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
    """Count ``count`` states up over ``entities`` sensors, as fast as the loop lets us or slower; return them."""
    at_once = call.data.get("at_once", AT_ONCE)
    seen: defaultdict[str, list[JsonObjectType]] = defaultdict(list)
    for number in range(call.data["count"]):
        entity_id = f"{call.data['prefix']}_{number % call.data['entities']}"
        call.hass.states.async_set(entity_id, str(number), {"unit_of_measurement": "%"})
        seen[entity_id].append(_seen(call.hass.states.get(entity_id)))
        if number % at_once == 0:
            await asyncio.sleep(call.data.get("pause_s", 0))
    return {entity_id: list(states) for entity_id, states in seen.items()}


async def listeners(call: ServiceCall) -> ServiceResponse:
    """Return how many listen for state changes."""
    return {"state_changed": call.hass.bus.async_listeners().get(EVENT_STATE_CHANGED, 0)}


async def hold_at_most(call: ServiceCall) -> ServiceResponse:
    """Shrink HomeIQ's empty buffer, so that an outage of seconds is longer than it holds."""
    events = call.data["events"]
    for buffer in call.hass.data["homeiq_buffers"].values():
        buffer._room -= buffer.limit - events
        buffer.limit = events
    return {"events": events}


async def live_through(call: ServiceCall) -> ServiceResponse:
    """Change sensors as if that had been some time ago: one change of each after every step, oldest first."""
    seen: defaultdict[str, list[JsonObjectType]] = defaultdict(list)
    for number in range(call.data["count"]):
        for place in range(call.data["entities"]):
            entity_id = f"{call.data['prefix']}_{place}"
            at = call.data["start"] + number * call.data["step_s"] + place / 1000
            call.hass.states.async_set(entity_id, str(number), {"unit_of_measurement": "%"}, timestamp=at)
            seen[entity_id].append(_seen(call.hass.states.get(entity_id)))
        await asyncio.sleep(0)
    return {entity_id: list(states) for entity_id, states in seen.items()}


async def keep_statistics(call: ServiceCall) -> ServiceResponse:
    """Give the recorder some hours of a long-term statistic."""
    metadata = StatisticMetaData(
        mean_type=StatisticMeanType.ARITHMETIC,
        has_sum=False,
        name=None,
        source="recorder",
        statistic_id=call.data["statistic_id"],
        unit_class=None,
        unit_of_measurement="%",
    )
    start = datetime.fromtimestamp(call.data["start"], UTC)
    hours = [StatisticData(start=start + timedelta(hours=n), mean=n, min=n, max=n) for n in range(call.data["hours"])]
    async_import_statistics(call.hass, metadata, hours)
    return {"hours": len(hours)}


async def devices(call: ServiceCall) -> ServiceResponse:
    """Return the names of all devices by their ids, as people see them."""
    return {device.id: device.name_by_user or device.name for device in dr.async_get(call.hass).devices}


async def heard(call: ServiceCall) -> ServiceResponse:
    """Return the data of all events of a type that were fired on the bus since the first time that this was asked."""
    events: dict[str, list[JsonObjectType]] = call.hass.data.setdefault(f"{DOMAIN}_heard", {})
    if (event_type := call.data["event_type"]) not in events:
        told = events[event_type] = []

        @callback
        def on_event(event: Event[dict[str, JsonValueType]]) -> None:
            told.append(event.data)

        call.hass.bus.async_listen(event_type, on_event)
    return {"events": list(events[event_type])}


async def rename(call: ServiceCall) -> ServiceResponse:
    """Give a device another name, or its own again (``None``)."""
    dr.async_get(call.hass).async_update_device(call.data["device_id"], name_by_user=call.data["name"])
    return {}


async def disappear(call: ServiceCall) -> ServiceResponse:
    """Make a device, and take it away again some time later."""
    registry = dr.async_get(call.hass)
    [entry] = call.hass.config_entries.async_entries("demo")
    made = registry.async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, call.data["name"])}, name=call.data["name"]
    )
    await asyncio.sleep(call.data["after_s"])
    registry.async_remove_device(made.id)
    return {"device_id": made.id}


def _seen(state: State | None) -> JsonObjectType:
    """Return a state as its REST representation would show it."""
    assert state is not None
    return {"entity_id": state.entity_id, "state": state.state, "last_updated": state.last_updated.isoformat()}
