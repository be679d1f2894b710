"""Device ingest in Home Assistant: runs while the app has it."""

import asyncio
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .alert_bus import AlertBus
from .alert_follower import AlertFollower
from .device_follower import DeviceFollower
from .following import Following
from .ingest_client import IngestClient
from .ingest_devices import IngestDevices
from .started import async_until_started


class Ingest:
    """The devices that send to one app, and their alerts.

    Attributes:
        devices: What is known of them.
        alerts: Hands over what happens to alerts.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, client: IngestClient) -> None:
        self.devices = IngestDevices(hass, entry)
        self.alerts = AlertFollower(hass, entry, client)
        self._hass = hass
        self._entry = entry
        self._bus = AlertBus(hass, client)
        self._states = Following("its devices", DeviceFollower(client, self.devices).ask)
        self._changes = Following("its alerts", self.alerts.ask)
        self._events = Following("alerts for the event bus", self._bus.ask)
        self._is_away = False
        self._has_ended = False
        self._task: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether the app is followed."""
        return self._task is not None

    @property
    def counts(self) -> dict[str, Any]:
        """What a bug report needs to know."""
        parts = {"states": self._states, "alerts": self._changes, "events": self._events}
        told = {name: {"trouble": part.trouble, **part.counts} for name, part in parts.items()}
        return {"on": self.is_on, **self.devices.counts, "fired": self._bus.fired, **told}

    @callback
    def async_on_status(self, *, has_ingest: bool, is_reachable: bool) -> None:
        """Follow the app from when it has device ingest until it has none any more; one that is away has it still."""
        if self._has_ended:
            return
        if has_ingest and self._task is None:
            self.devices.async_show_home()
            self._task = self._entry.async_create_background_task(self._hass, self._run(), "homeiq ingest")
        elif not has_ingest and self._task is not None:
            self._task.cancel()
            self._task = None
        self.devices.async_set_reachable(is_reachable=has_ingest and is_reachable)
        if is_reachable and self._is_away:
            for each in (self._states, self._changes, self._events):
                each.async_wake()
        self._is_away = not is_reachable

    async def async_stop(self) -> None:
        """End for good."""
        self._has_ended = True
        if (task := self._task) is not None:
            self._task = None
            task.cancel()
            await asyncio.wait([task])
        self.devices.async_stop()

    async def _run(self) -> None:
        """Follow until cancelled; alerts from when Home Assistant has started, and there are automations to hear."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._states.run(), name="homeiq ingest devices")
            await async_until_started(self._hass)
            group.create_task(self._changes.run(), name="homeiq ingest alerts")
            group.create_task(self._events.run(), name="homeiq ingest events")
