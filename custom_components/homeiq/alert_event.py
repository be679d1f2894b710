"""Events for automations whenever something happens to an alert: of the whole home, and of each device that sends."""

from typing import Final, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo

from .alert_follower import AlertFollower
from .alerts import AlertChange
from .const import DOMAIN
from .ingest_devices import IngestDevices
from .own_ids import alert_id, ingest_identifier

ALERT: Final = EventEntityDescription(
    key="alert",
    translation_key="alert",
    event_types=["opened", "raised", "acknowledged", "unacknowledged", "cleared"],
)


class AlertEvent(EventEntity):
    """What happened to an alert last.

    Available always: an entity that comes back with an old event would start the automations again.
    """

    _attr_has_entity_name = True
    _attr_should_poll = False
    _unrecorded_attributes = frozenset({"details"})

    def __init__(self, devices: IngestDevices, alerts: AlertFollower, device_id: str | None) -> None:
        """``device_id``: whose alerts, None for everybody's."""
        self.entity_description = ALERT
        self._alerts = alerts
        self._device_id = device_id
        server_id = devices.server_id
        identifier = (DOMAIN, server_id) if device_id is None else ingest_identifier(server_id, device_id)
        self._attr_unique_id = alert_id(server_id, device_id)
        self._attr_device_info = DeviceInfo(identifiers={identifier})

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the changes from now on."""
        await super().async_added_to_hass()
        self.async_on_remove(self._alerts.async_on_change(self._device_id, self._async_on_change))

    @callback
    def _async_on_change(self, change: AlertChange) -> None:
        if change.change not in self.event_types:  # of an app that knows more than we do
            return
        alert = change.alert
        self._trigger_event(
            change.change,
            {
                "alert_id": alert.alert_id,
                "alert_kind": alert.kind,
                "severity": alert.severity,
                "severity_name": alert.severity_name,
                "summary": alert.summary,
                "device_id": alert.device_id,
                "site_id": alert.site_id,
                "actor": change.actor,
                "at": change.at,
                "details": dict(alert.details),
            },
        )
        self.async_write_ha_state()
