"""What the registries say of an entity, for the app to tag its points with."""

from collections.abc import Iterable
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from .registries import async_on_registry_change

type Labels = dict[str, str]


class EntityLabels:
    """Knows which labels the app has been told in this stream.

    A change in a registry only marks labels as stale; they are looked up when the entity's next event is sent. So a
    burst of registry events costs nothing, and no entity is looked up that is not forwarded.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._told: dict[str, Labels] = {}
        self._fresh: set[str] = set()

    @callback
    def async_listen(self) -> CALLBACK_TYPE:
        """Follow the registries; returns how to stop."""
        return async_on_registry_change(self._hass, self._fresh.discard, self._fresh.clear)

    @callback
    def async_tell(self, entity_ids: Iterable[str]) -> dict[str, Labels]:
        """Return the labels that are news to the app, and count them as told."""
        news: dict[str, Labels] = {}
        for entity_id in set(entity_ids) - self._fresh:
            self._fresh.add(entity_id)
            labels = _look_up(self._hass, entity_id)
            if labels is None:  # Not registered, or not any more: what was told of it stays true of its events.
                labels = self._told.get(entity_id, {})
            if self._told.get(entity_id) != labels:
                self._told[entity_id] = news[entity_id] = labels
        return news

    @callback
    def async_untell(self, entity_ids: Iterable[str]) -> None:
        """The app has not taken what it was told of these: tell it again."""
        for entity_id in entity_ids:
            self._told.pop(entity_id, None)
            self._fresh.discard(entity_id)

    @callback
    def async_untell_all(self) -> None:
        """A new stream begins, and the app knows nothing of it yet."""
        self._told.clear()
        self._fresh.clear()


@callback
def _look_up(hass: HomeAssistant, entity_id: str) -> Labels | None:
    """Return the labels (``homeiq_server.model.Labels``), without those that are empty; None for no entry."""
    if (entry := er.async_get(hass).async_get(entity_id)) is None:
        return None
    area_id = er.async_get_effective_area_id(hass, entry)
    area = ar.async_get(hass).async_get_area(area_id) if area_id else None
    labels: dict[str, Any] = {
        "area": area and area.name,
        "area_id": area_id,
        "integration": entry.platform,
        "device_class": entry.device_class or entry.original_device_class,
        **_of_device(hass, entry.device_id),
    }
    # Integrations put numbers and enums into some of these, which the app would refuse.
    return {key: str(value) for key, value in labels.items() if value}


@callback
def _of_device(hass: HomeAssistant, device_id: str | None) -> dict[str, Any]:
    """Return the device's labels; a child device takes from its parent what only a whole device has."""
    registry = dr.async_get(hass)
    if device_id is None or (device := registry.async_get(device_id)) is None:
        return {}
    whole = registry.async_get(device.parent_device_id) if isinstance(device, dr.ChildDeviceEntry) else device
    return {
        "device": device.name_by_user or device.name,
        "device_id": device.id,
        "manufacturer": getattr(whole, "manufacturer", None),
        "model": getattr(whole, "model", None),
        "sw_version": getattr(whole, "sw_version", None),
    }
