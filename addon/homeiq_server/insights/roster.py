"""Who is remembered: the entities and devices of the present home, bounded, with their tracks.

A track belongs to a registry id, so a renamed entity keeps its own. Entities of no registry are not remembered.
"""

from collections.abc import Iterator, Sequence
from heapq import nsmallest
from typing import Final

import msgspec

from homeiq_server.insights import drift
from homeiq_server.insights.battery import Battery
from homeiq_server.insights.drift import Drift
from homeiq_server.insights.energy import Energy
from homeiq_server.insights.home import EMPTY, Home
from homeiq_server.insights.impossible import Values
from homeiq_server.insights.link import Link
from homeiq_server.insights.role import Role
from homeiq_server.insights.stuck import Stuck
from homeiq_server.insights.track import DeviceSeat, DeviceTrack, Seat, Track
from homeiq_server.registry import Device, Entity

FORMAT: Final = 2
"""Of the checkpoints; another number means that older ones are of no use any more."""
_CHUNK: Final = 64
"""When the limit is reached, a 64th of the entities goes at once: finding the oldest costs a pass over all."""

_ENTITY, _DEVICE = "entity:", "device:"
_tracks: Final = msgspec.msgpack.Decoder(tuple[int, Track])
_device_tracks: Final = msgspec.msgpack.Decoder(tuple[int, DeviceTrack])


class Roster:
    """The entities and devices that are remembered.

    Attributes:
        seats: By the present entity id.
        devices: By id; of parts, the whole's.
        touch: The number of the present call; what it changes is marked with it.
        evicted: How many entities were forgotten because there were more than the limit.
        skipped: How many states of a checkpoint could not be read.
    """

    def __init__(self, limit: int) -> None:
        self.home = EMPTY
        self.seats: dict[str, Seat] = {}
        self.devices: dict[str, DeviceSeat] = {}
        self.touch = 1
        self.evicted = 0
        self.skipped = 0
        self._limit = limit
        self._saved = 0
        self._restored: dict[str, Track] = {}
        self._restored_devices: dict[str, DeviceTrack] = {}

    def __len__(self) -> int:
        return len(self.seats) + len(self._restored)

    def place(self, home: Home) -> None:
        """Take another home: tracks follow their registry ids, those of things that are gone are dropped."""
        seats, devices, first = self.seats, self.devices, self.home is EMPTY
        self.home, self.seats, self.devices = home, {}, {}
        for old in devices.values():
            device = home.devices.get(old.device.id)
            if device is not None:
                self._sit(device, old.track, old.touch)
        for seat in seats.values():
            entity = home.entities.get(seat.entity.id)
            if entity is not None:
                moved = self._bind(entity, seat.track if _same(entity, seat.entity) else _fresh(entity))
                moved.touch, moved.sum = seat.touch, seat.sum
        self._seat_restored()
        if not first or home.entities:
            self._restored.clear()
            self._restored_devices.clear()

    def seat(self, entity_id: str) -> Seat | None:
        """Return the seat of an entity, a new one when it has none yet; None when no registry knows it."""
        found = self.seats.get(entity_id)
        if found is not None:
            return found
        entity = self.home.entity(entity_id)
        if entity is None or entity.disabled_by is not None:
            return None
        if len(self) >= self._limit:
            count = max(1, self._limit // _CHUNK)
            self.forget(count)
            self.evicted += count
        return self._bind(entity, _fresh(entity))

    def forget(self, count: int) -> None:
        """Forget so many entities, the least recently heard first."""
        for seat in nsmallest(count, self.seats.values(), key=_heard):
            del self.seats[seat.entity.entity_id]
            device = seat.device
            if device is not None and not any(
                each.entity_id in self.seats for each in self.home.entities_of(device.device.id)
            ):
                self.devices.pop(device.device.id, None)

    def take_state(self) -> Iterator[tuple[str, bytes]]:
        """Yield what has changed since it was last asked for, by key."""
        since, self._saved = self._saved, self.touch
        self.touch += 1
        encode = msgspec.msgpack.Encoder().encode
        for seat in list(self.seats.values()):
            if seat.touch > since:
                yield _ENTITY + seat.entity.id, encode((FORMAT, seat.track))
        for device in list(self.devices.values()):
            if device.touch > since:
                yield _DEVICE + device.device.id, encode((FORMAT, device.track))

    def restore(self, key: str, state: bytes) -> None:
        """Take one state back; one that cannot be read is counted and left out."""
        try:
            if key.startswith(_ENTITY):
                number, track = _tracks.decode(state)
                if number == FORMAT and len(self) < self._limit:
                    self._restored[key.removeprefix(_ENTITY)] = track
                    return
            elif key.startswith(_DEVICE):
                number, device = _device_tracks.decode(state)
                if number == FORMAT:
                    self._restored_devices[key.removeprefix(_DEVICE)] = device
                    return
        except msgspec.MsgspecError:
            pass
        self.skipped += 1

    def restored(self) -> None:
        """Give what was restored its seats, as far as a home is known."""
        self._seat_restored()

    def device(self, device_id: str) -> DeviceSeat | None:
        """Return the seat of a device, a new one when it has none yet."""
        found = self.devices.get(device_id)
        if found is not None:
            return found
        device = self.home.devices.get(device_id)
        return None if device is None else self._sit(device, self._restored_devices.pop(device_id, None), self.touch)

    def _seat_restored(self) -> None:
        for id_, track in list(self._restored.items()):
            entity = self.home.entities.get(id_)
            if entity is not None and entity.entity_id not in self.seats:
                del self._restored[id_]
                self._bind(entity, track)

    def _bind(self, entity: Entity, track: Track) -> Seat:
        role = self._role(entity)
        whole = self.home.owner(entity.device_id) if entity.device_id is not None else None
        device = self.device(whole) if whole is not None else None
        seat = self.seats[entity.entity_id] = Seat(entity, role, track, device)
        return seat

    def _role(self, entity: Entity) -> Role:
        device = None if entity.device_id is None else self.home.devices.get(entity.device_id)
        owners = {entity.config_entry_id, None if device is None else device.config_entry_id} - {None}
        return Role.of(entity, guest=len(owners) > 1)

    def _sit(self, device: Device, track: DeviceTrack | None, touch: int) -> DeviceSeat:
        seat = self.devices[device.id] = DeviceSeat(device, track or DeviceTrack())
        seat.touch = touch
        roles = [self._role(each) for each in self.home.entities_of(device.id)]
        seat.regular = any(role.regular for role in roles)
        seat.set_off = any(role.set_off for role in roles)
        seat.by_people = seat.set_off and not seat.regular
        seat.idle = any(role.acts for role in roles) and not seat.regular and not seat.set_off
        return seat

    def vital(self, device: Device) -> Sequence[str]:
        """Return the entities by which a device is told to be unavailable: its primary ones, else all that speak."""
        roles = [(each.entity_id, self._role(each)) for each in self.home.entities_of(device.id)]
        primary = [entity_id for entity_id, role in roles if role.vital]
        return primary or [entity_id for entity_id, role in roles if role.speaks]


def _heard(seat: Seat) -> int:
    return seat.track.heard_us


def _same(one: Entity, other: Entity) -> bool:
    """Return whether an entity still measures what it measured."""
    return (one.device_class, one.state_class, one.unit) == (other.device_class, other.state_class, other.unit)


def _fresh(entity: Entity) -> Track:
    least = drift.least_of(entity.device_class, entity.unit)
    measures = entity.state_class == "measurement" and entity.entity_category is None
    return Track(
        stuck=Stuck.of(entity),
        values=Values() if Role.of(entity).limits is not None else None,
        drift=Drift(least=least) if least is not None and measures else None,
        link=Link.of(entity),
        energy=Energy.of(entity),
        battery=Battery.of(entity),
    )
