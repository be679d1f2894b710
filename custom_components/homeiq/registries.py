"""When the registries change what is known of entities."""

from collections.abc import Callable

from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er


@callback
def async_on_registry_change(
    hass: HomeAssistant, forget: Callable[[str], object], forget_all: Callable[[], object]
) -> CALLBACK_TYPE:
    """Call ``forget(entity_id)`` when an entity's entry changes, ``forget_all()`` when a device's or an area's does.

    Not when an entry is removed: the event of the state's removal comes afterwards, and must still find what was
    known of its entity. Returns how to stop.
    """

    @callback
    def on_entity(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] != "remove":
            forget(event.data["entity_id"])

    @callback
    def on_other(event: Event[dr.EventDeviceRegistryUpdatedData] | Event[ar.EventAreaRegistryUpdatedData]) -> None:
        if event.data["action"] == "update":
            forget_all()

    stops = (
        hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, on_entity),
        hass.bus.async_listen(dr.EVENT_DEVICE_REGISTRY_UPDATED, on_other),
        hass.bus.async_listen(ar.EVENT_AREA_REGISTRY_UPDATED, on_other),
    )

    @callback
    def stop() -> None:
        for each in stops:
            each()

    return stop
