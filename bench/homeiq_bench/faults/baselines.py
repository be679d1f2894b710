"""The rules that people use today, given what the app is given.

- ``fixed_24_h``: a device of which nothing was seen for 24 hours is dead. zigbee2mqtt marks passive devices after 25
  hours, blueprints compare ``last_updated``. Here old states that come back after a restart do not count, which is
  kinder than what Home Assistant gives a template, and an outage of the app does not concern it.
- ``unavailable_only``: a device all of whose entities have been unavailable for 15 minutes is dead, as lists of
  unavailable entities have it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from homeiq_server.model import Event

from .household import DAY_S
from .ledger import Holding
from .things import Thing

NAMES: Final = ("fixed_24_h", "unavailable_only")
_GONE_S: Final = 900.0


class Baselines:
    """Both rules at once. ``heard_s`` tells when each device was last seen to speak, by its id."""

    def __init__(self, things: Sequence[Thing], heard_s: Mapping[str, float]) -> None:
        self._device = {entity.entity_id: thing.device.id for thing in things for entity in thing.entities.values()}
        self._gone: dict[str, set[str]] = {thing.device.id: set() for thing in things}
        self._entities = {thing.device.id: len(thing.entities) for thing in things}
        self._gone_s: dict[str, float] = {}
        self._heard_s = heard_s

    def observe(self, events: Sequence[Event]) -> None:
        """Take state changes."""
        for event in events:
            device_id = self._device[event.entity_id]
            gone = self._gone[device_id]
            if event.state == "unavailable":
                gone.add(event.entity_id)
                if len(gone) == self._entities[device_id]:
                    self._gone_s.setdefault(device_id, event.time_us / 1e6)
            elif gone:
                gone.discard(event.entity_id)
                self._gone_s.pop(device_id, None)

    def holding(self, now_s: float) -> Mapping[str, Iterator[Holding]]:
        """Return by rule what holds now."""
        silent = (device_id for device_id, heard_s in self._heard_s.items() if now_s - heard_s > DAY_S)
        gone = (device_id for device_id, since_s in self._gone_s.items() if now_s - since_s > _GONE_S)
        return {
            "fixed_24_h": (Holding("silent", device_id, device_id) for device_id in silent),
            "unavailable_only": (Holding("offline", device_id, device_id) for device_id in gone),
        }
