"""What the app said last of the devices that send to it, and who is told when that changes."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import batched
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import Platform
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .ingest_device import IngestDevice, Metric
from .ingest_places import Place, Places
from .ingest_registry import IngestRegistry
from .own_ids import metric_id

_LOGGER = logging.getLogger(__name__)

_SLICE_DEVICES: Final = 25  # A few milliseconds when all are new; between two slices the event loop goes on.

type AddEntities = Callable[[Iterable[Place]], None]


class IngestDevices:
    """The devices of one app.

    Whether a device is late is told by the app when it is asked; between two answers nothing tells it but the clock,
    so a device is late here too when its time is over.
    """

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        self._hass = hass
        self._server_id = str(entry.unique_id)
        self._registry = IngestRegistry(hass, entry)
        self._devices: dict[str, IngestDevice] = {}
        self._places = Places(self._was_binary)
        self._home = Place(Platform.EVENT, None)
        self._is_reachable = False
        self._has_home = False
        self._add: dict[Platform, AddEntities] = {}
        self._told: dict[str, set[Callable[[], None]]] = defaultdict(set)
        self._lapses: dict[str, float] = {}
        self._late: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._said_full = False

    @property
    def server_id(self) -> str:
        """The app's own id."""
        return self._server_id

    @property
    def counts(self) -> dict[str, int]:
        """How many there are, and how many metrics have no entity because there are too many."""
        return {
            "devices": len(self._devices),
            "entities": len(self._places),
            "left_out": len(self._places.left_out),
            "late": sum(not self._is_in_time(device_id) for device_id in self._devices),
        }

    @callback
    def async_knows(self, device_id: str) -> bool:
        """Return whether the app has such a device now, as far as is known."""
        return device_id in self._devices

    @callback
    def async_is_available(self, device_id: str) -> bool:
        """Return whether the app is there, and the device has spoken in time."""
        return self._is_reachable and self._is_in_time(device_id)

    @callback
    def async_metric(self, device_id: str, name: str) -> Metric | None:
        """Return the newest value of a metric, None when there is none."""
        device = self._devices.get(device_id)
        return None if device is None else device.metrics.get(name)

    @callback
    def async_listen(self, device_id: str, on_change: Callable[[], None]) -> CALLBACK_TYPE:
        """Call ``on_change`` whenever something may have changed of a device; returns how to stop."""
        self._told[device_id].add(on_change)

        @callback
        def stop() -> None:
            self._told[device_id].discard(on_change)
            if not self._told[device_id]:
                del self._told[device_id]

        return stop

    @callback
    def async_on_places(self, platform: Platform, add: AddEntities) -> CALLBACK_TYPE:
        """Call ``add`` with the entities of a platform as they come; returns how to stop.

        There is one for each platform, and all are there before anything is known of devices.
        """
        self._add[platform] = add

        @callback
        def stop() -> None:
            self._add.pop(platform, None)

        return stop

    @callback
    def async_show_home(self) -> None:
        """Show what there is of all devices together, from when the app is known to have device ingest."""
        if not self._has_home:
            self._has_home = True
            self._async_add([self._home])

    @callback
    def async_set_reachable(self, *, is_reachable: bool) -> None:
        """Note whether the app is there and has device ingest."""
        if is_reachable != self._is_reachable:
            self._is_reachable = is_reachable
            for device_id in list(self._told):
                self._async_tell(device_id)

    async def async_apply(self, devices: Iterable[IngestDevice]) -> None:
        """Take in what the app says of some devices."""
        for some in batched(devices, _SLICE_DEVICES, strict=False):
            for device in some:
                self._async_take(device)
            await asyncio.sleep(0)
        self._async_set_timer()

    @callback
    def async_known(self) -> set[str]:
        """Return all that are shown, also those of which the app has said nothing since Home Assistant started."""
        return self._devices.keys() | self._registry.async_known()

    async def async_keep_only(self, device_ids: set[str]) -> None:
        """Remove what the app does not have any more."""
        for some in batched(self.async_known() - device_ids, _SLICE_DEVICES, strict=False):
            for device_id in some:
                self._async_remove(device_id)
            await asyncio.sleep(0)

    @callback
    def async_stop(self) -> None:
        """Nothing changes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _async_take(self, device: IngestDevice) -> None:
        if not device.is_shown:
            self._async_remove(device.device_id)
            return
        device_id, before = device.device_id, self._devices.get(device.device_id)
        places = self._places.place(device)
        if not self._places.has(device_id):
            self._say_full()
            return
        self._devices[device_id] = device
        self._async_expect(device)
        if before is None or before.registration != device.registration:
            self._registry.async_show(device)
        if self._places.left_out:
            self._say_full()
        self._async_add(places)
        self._async_tell(device_id)

    def _async_remove(self, device_id: str) -> None:
        self._devices.pop(device_id, None)
        self._places.remove(device_id)
        self._lapses.pop(device_id, None)
        self._late.discard(device_id)
        self._registry.async_remove(device_id)

    def _async_add(self, places: list[Place]) -> None:
        for platform, add in self._add.items():
            if some := [place for place in places if place.platform is platform]:
                add(some)

    def _async_tell(self, device_id: str) -> None:
        for on_change in list(self._told.get(device_id, ())):
            on_change()

    def _is_in_time(self, device_id: str) -> bool:
        device = self._devices.get(device_id)
        return device is not None and device.has_spoken_in_time and device_id not in self._late

    def _async_expect(self, device: IngestDevice) -> None:
        """Note when a device will be late. An app whose clock is another is believed: it said that it is not yet."""
        self._late.discard(device.device_id)
        self._lapses.pop(device.device_id, None)
        if device.available and device.lapses_at is not None and device.heartbeat_s is not None:
            left = (device.lapses_at - dt_util.utcnow()).total_seconds()
            self._lapses[device.device_id] = self._hass.loop.time() + (left if left > 0 else device.heartbeat_s)

    def _async_set_timer(self) -> None:
        self.async_stop()
        if self._lapses:
            self._timer = self._hass.loop.call_at(min(self._lapses.values()), self._async_on_timer)

    def _async_on_timer(self) -> None:
        now = self._hass.loop.time()
        for device_id in [device_id for device_id, at in self._lapses.items() if at <= now]:
            del self._lapses[device_id]
            self._late.add(device_id)
            self._async_tell(device_id)
        self._async_set_timer()

    def _was_binary(self, device_id: str, metric: str) -> bool:
        registry, unique_id = er.async_get(self._hass), metric_id(self._server_id, device_id, metric)
        return registry.async_get_entity_id(Platform.BINARY_SENSOR, DOMAIN, unique_id) is not None

    def _say_full(self) -> None:
        if not self._said_full:
            self._said_full = True
            _LOGGER.warning("HomeIQ's devices have more metrics than are shown, the diagnostics count them")
