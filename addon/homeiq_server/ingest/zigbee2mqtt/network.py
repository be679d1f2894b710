"""The network as it is heard: its devices by name, and what is news of them since the store was last told."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, NoReturn, Protocol

import msgspec

from homeiq_server.errors import RetryLater
from homeiq_server.store import zigbee_devices
from homeiq_server.store.pool import Tenants
from homeiq_server.store.zigbee_devices import ZigbeeFacts

from .messages import COORDINATOR, ZigbeeDevice, devices, online, reading

_LOGGER = logging.getLogger(__name__)

_TENANT: Final = "home"
_MOST: Final = 2_000  # a coordinator takes a few hundred
_TELL_EVERY_S: Final = 10
_AHEAD_US: Final = 60 * 1_000_000  # of a clock that is a little wrong
_LIST, _BRIDGE, _AVAILABILITY = "bridge/devices", "bridge/state", "/availability"


class Sights(Protocol):
    """What wants to know of each sign of life: the insights."""

    def sight(self, identifier: tuple[str, str], at_us: int, link_quality: int | None) -> None:
        """Take it; never raises."""
        ...


class Network:
    """One Zigbee2MQTT.

    Attributes:
        ignored: Devices that could not be read or were too many, of the last list.
    """

    def __init__(
        self,
        store: Tenants,
        base_topic: str,
        sights: Sights,
        *,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self.ignored = 0
        self._store = store
        self._base = base_topic
        self._sights = sights
        self._now_us = now_us
        self._known: dict[str, ZigbeeFacts] = {}
        self._changed: set[str] = set()
        self._listed = False

    @property
    def topic_filter(self) -> str:
        """What has to be subscribed to."""
        return f"{self._base}/#"

    def take(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as the broker tells it
        """Take a message of the broker. Never raises: what cannot be read is none of ours."""
        name = topic.removeprefix(f"{self._base}/")
        if name == _LIST:
            self._list(payload)
        elif name == _BRIDGE:
            if online(payload) is False:
                self._forget_availability()
        elif name.startswith("bridge/"):
            return
        elif name.endswith(_AVAILABILITY) and (known := self._known.get(name.removesuffix(_AVAILABILITY))):
            self._note(known, available=online(payload))
        elif (known := self._known.get(name)) is not None:
            self._read(known, payload, retained=retained)

    async def run(self) -> NoReturn:
        """Tell the store what is news, every few seconds; the last of it is told again after a restart."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            try:
                await self.tell()
            except RetryLater as err:
                _LOGGER.debug("what Zigbee2MQTT tells waits for the store: %s", err)

    async def tell(self) -> None:
        """Tell the store what is news.

        Raises:
            RetryLater: It is away; nothing is forgotten.
        """
        changed, listed = self._changed, self._listed
        if not (changed or listed):
            return
        facts = [known for known in self._known.values() if known.ieee in changed]
        async with self._store.tenant(_TENANT) as conn:
            await zigbee_devices.save(conn, _TENANT, self._base, facts)
            if listed:
                ieees = [known.ieee for known in self._known.values()]
                await zigbee_devices.keep_only(conn, _TENANT, self._base, ieees)
        told = {known.ieee: known for known in facts}
        self._changed = {
            known.ieee
            for known in self._known.values()
            if known.ieee in self._changed and told.get(known.ieee) is not known
        }
        self._listed = False

    def _list(self, payload: bytes) -> None:
        if (listed := devices(payload)) is None:
            _LOGGER.debug("%s/%s is no list", self._base, _LIST)
            return
        found, bad = listed
        things = [device for device in found if device.type != COORDINATOR]
        self.ignored = bad + max(0, len(things) - _MOST)
        before = {known.ieee: known for known in self._known.values()}
        self._known = {device.friendly_name: _facts(device, before) for device in things[:_MOST]}
        self._changed.update(known.ieee for known in self._known.values() if before.get(known.ieee) != known)
        self._listed = True

    def _read(self, known: ZigbeeFacts, payload: bytes, *, retained: bool) -> None:
        if (told := reading(payload)) is None:
            return
        now_us = self._now_us()
        seen_us = told.last_seen_us
        if seen_us is None or seen_us > now_us + _AHEAD_US:
            seen_us = None if retained else now_us
        news = {"link_quality": told.link_quality, "battery_level": told.battery_level, "last_seen_us": seen_us}
        self._note(known, **{name: value for name, value in news.items() if value is not None})
        if seen_us is not None and seen_us > (known.last_seen_us or 0):
            self._sights.sight(("mqtt", f"zigbee2mqtt_{known.ieee}"), seen_us, told.link_quality)

    def _forget_availability(self) -> None:
        """Forget it: the bridge has gone, and nobody knows any more."""
        self._replace(msgspec.structs.replace(known, available=None) for known in tuple(self._known.values()))

    def _note(self, known: ZigbeeFacts, **news: object) -> None:
        self._replace((msgspec.structs.replace(known, **news),))

    def _replace(self, facts: Iterable[ZigbeeFacts]) -> None:
        for known in facts:
            if self._known[known.friendly_name] != known:
                self._known[known.friendly_name] = known
                self._changed.add(known.ieee)


def _facts(device: ZigbeeDevice, before: dict[str, ZigbeeFacts]) -> ZigbeeFacts:
    """Return what is known of a device: what the list says, and what was measured before."""
    measured = before.get(device.ieee_address)
    kind = device.definition
    return ZigbeeFacts(
        ieee=device.ieee_address,
        friendly_name=device.friendly_name,
        type=device.type,
        vendor=kind.vendor if kind else None,
        model=kind.model if kind else None,
        description=kind.description if kind else None,
        power_source=device.power_source,
        interview_state=device.interview,
        sw_version=device.software_build_id,
        disabled=device.disabled,
        available=measured.available if measured else None,
        link_quality=measured.link_quality if measured else None,
        battery_level=measured.battery_level if measured else None,
        last_seen_us=measured.last_seen_us if measured else None,
    )
