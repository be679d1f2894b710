"""Drops of devices from available to unavailable, without those that have a common cause.

When an integration is reloaded or a hub restarts, its devices drop together: then no drop is counted for any of them.
So drops wait until the burst that they are part of is over.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from homeiq_server.insights.home import Home
from homeiq_server.registry import Device

TOGETHER_S: Final = 60.0
"""Drops with less than this between them are one burst."""
LONGEST_S: Final = 900.0
"""A burst that does not end is judged as far as it has come."""
SHARE: Final = 0.5
LEAST: Final = 2
MOST: Final = 50_000
"""So many drops wait at most; more are of no single device."""


class Drop(msgspec.Struct, array_like=True, gc=False):
    """A device became unavailable.

    Attributes:
        at_s: When, in observed seconds.
        at_us: When, by the source's clock.
    """

    at_s: float
    at_us: int
    device_id: str


def settle(waiting: list[Drop], home: Home, now_s: float) -> list[Drop]:
    """Take the bursts that are over out of ``waiting``, and return the drops that single devices made."""
    waiting.sort(key=lambda each: each.at_s)
    own: list[Drop] = []
    rest: list[Drop] = []
    for burst in _bursts(waiting):
        over = now_s - burst[-1].at_s > TOGETHER_S or now_s - burst[0].at_s > LONGEST_S
        if not over:
            rest.extend(burst)
            continue
        common = _common(burst, home)
        own.extend(each for each in burst if each.device_id not in common)
    waiting[:] = rest
    return own


def _bursts(drops: Sequence[Drop]) -> Iterator[list[Drop]]:
    burst: list[Drop] = []
    for drop in drops:
        if burst and drop.at_s - burst[-1].at_s > TOGETHER_S:
            yield burst
            burst = []
        burst.append(drop)
    if burst:
        yield burst


def _common(burst: Sequence[Drop], home: Home) -> set[str]:
    """Return the devices that dropped together with most of their integration or their hub."""
    dropped: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for device_id in dict.fromkeys(each.device_id for each in burst):
        device = home.devices.get(device_id)
        for cause in _causes(device, home) if device is not None else ():
            dropped[cause].add(device_id)
    return {
        device_id
        for cause, devices in dropped.items()
        if len(devices) >= max(LEAST, SHARE * _size(cause, home))
        for device_id in devices
    }


def _causes(device: Device, home: Home) -> Iterator[tuple[str, str]]:
    if device.config_entry_id is not None:
        yield "config_entry", device.config_entry_id
    integration = home.integration_of(device)
    if integration is not None:
        yield "integration", integration
    if device.via_device_id is not None:
        yield "hub", home.owner(device.via_device_id)


def _size(cause: tuple[str, str], home: Home) -> int:
    """Return how many devices share a cause."""
    kind, id_ = cause
    of = {"config_entry": home.devices_of, "integration": home.devices_by, "hub": home.children}[kind]
    return sum(each.disabled_by is None and each.entry_type != "service" for each in of(id_))
