"""A home as the rules see it: what belongs to what. Immutable; another one is made at each change of the registries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from homeiq_server.registry import Area, ConfigEntry, Device, Entity, Floor, Removed, Rows

_MEDIAN_OF: Final = 2
"""Fewer peers have no median that tells which of them is at fault."""


class _Row(Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class Home:
    """What the registries of one source say, by id.

    A device that is a part of another one (``parent_id``) has no life of its own here: its entities belong to the
    whole, whose id ``owner`` gives, and what is found about it is about the whole.
    """

    floors: Mapping[str, Floor]
    areas: Mapping[str, Area]
    config_entries: Mapping[str, ConfigEntry]
    devices: Mapping[str, Device]
    entities: Mapping[str, Entity]

    @classmethod
    def of(cls, rows: Rows) -> Home:
        """Return the home of a whole snapshot."""
        return cls(
            floors=_by_id(rows.floors),
            areas=_by_id(rows.areas),
            config_entries=_by_id(rows.config_entries),
            devices=_by_id(rows.devices),
            entities=_by_id(rows.entities),
        )

    def changed(self, rows: Rows, removed: Removed) -> Home:
        """Return the home after a diff; a row that is new or changed comes whole."""
        return Home(
            floors=_merged(self.floors, rows.floors, removed.floors),
            areas=_merged(self.areas, rows.areas, removed.areas),
            config_entries=_merged(self.config_entries, rows.config_entries, removed.config_entries),
            devices=_merged(self.devices, rows.devices, removed.devices),
            entities=_merged(self.entities, rows.entities, removed.entities),
        )

    def entity(self, entity_id: str) -> Entity | None:
        """Return the entity that has this entity id now."""
        return self._by_entity_id.get(entity_id)

    def entities_of(self, device_id: str) -> Sequence[Entity]:
        """Return the enabled entities of a device and of its parts."""
        return self._entities_of.get(device_id, ())

    def device_of(self, entity: Entity) -> Device | None:
        """Return the device that findings about an entity are about; of a part, the whole."""
        return None if entity.device_id is None else self.devices.get(self.owner(entity.device_id))

    def owner(self, device_id: str) -> str:
        """Return the id of the whole that a device is a part of, else its own."""
        return self._owners.get(device_id, device_id)

    def area_of(self, entity: Entity) -> str | None:
        """Return the id of an entity's area: its own, else its device's."""
        if entity.area_id is not None or entity.device_id is None:
            return entity.area_id
        device = self.devices.get(entity.device_id)
        if device is None or device.area_id is not None:
            return None if device is None else device.area_id
        whole = self.devices.get(self.owner(device.id))
        return None if whole is None else whole.area_id

    def floor_of(self, entity: Entity) -> str | None:
        """Return the id of the floor that an entity's area is on."""
        area = self.areas.get(self.area_of(entity) or "")
        return None if area is None else area.floor_id

    def peers(self, id: str) -> Sequence[str]:  # noqa: A002 - the registry's word
        """Return the ids of entities that measure the same kind of thing nearby.

        Those are measurements of the same device class and unit by other devices in the same area; where there are
        fewer than two, on the same floor.
        """
        entity = self.entities.get(id)
        if entity is None or not _comparable(entity):
            return ()
        area, floor = self.area_of(entity), self.floor_of(entity)
        near = self._others(entity, self._measured.get(("area", area, entity.device_class, entity.unit), ()))
        if len(near) >= _MEDIAN_OF:
            return near
        return self._others(entity, self._measured.get(("floor", floor, entity.device_class, entity.unit), ()))

    def devices_of(self, config_entry_id: str) -> Sequence[Device]:
        """Return the devices of a config entry, without parts."""
        return self._by_config_entry.get(config_entry_id, ())

    def devices_by(self, integration: str) -> Sequence[Device]:
        """Return the devices of an integration, without parts."""
        return self._by_integration.get(integration, ())

    def children(self, hub_id: str) -> Sequence[Device]:
        """Return the devices that talk through a hub, without parts."""
        return self._children.get(hub_id, ())

    def parts(self, device_id: str) -> Sequence[Device]:
        """Return the parts of a device."""
        return self._parts.get(device_id, ())

    def integration_of(self, device: Device) -> str | None:
        """Return the domain of a device's integration."""
        if device.integration is not None or device.config_entry_id is None:
            return device.integration
        entry = self.config_entries.get(device.config_entry_id)
        return None if entry is None else entry.domain

    @cached_property
    def wholes(self) -> Sequence[Device]:
        """The devices that are no part of another one."""
        return tuple(device for device in self.devices.values() if device.id not in self._owners)

    @cached_property
    def _by_entity_id(self) -> Mapping[str, Entity]:
        return {entity.entity_id: entity for entity in self.entities.values()}

    @cached_property
    def _owners(self) -> Mapping[str, str]:
        """The whole of each part, by the part's id."""
        owners = {}
        for device in self.devices.values():
            whole, seen = device, {device.id}
            while (parent := self.devices.get(whole.parent_id or "")) is not None and parent.id not in seen:
                whole = parent
                seen.add(whole.id)
            if whole is not device:
                owners[device.id] = whole.id
        return owners

    @cached_property
    def _entities_of(self) -> Mapping[str, Sequence[Entity]]:
        enabled = (each for each in self.entities.values() if each.device_id and each.disabled_by is None)
        return _grouped((self.owner(each.device_id or ""), each) for each in enabled)

    @cached_property
    def _by_config_entry(self) -> Mapping[str, Sequence[Device]]:
        return _grouped((each.config_entry_id, each) for each in self.wholes if each.config_entry_id)

    @cached_property
    def _by_integration(self) -> Mapping[str, Sequence[Device]]:
        return _grouped((domain, each) for each in self.wholes if (domain := self.integration_of(each)))

    @cached_property
    def _children(self) -> Mapping[str, Sequence[Device]]:
        links = ((self.owner(each.via_device_id), each) for each in self.wholes if each.via_device_id)
        return _grouped((hub, each) for hub, each in links if hub != each.id)

    @cached_property
    def _parts(self) -> Mapping[str, Sequence[Device]]:
        return _grouped((whole, self.devices[part]) for part, whole in self._owners.items())

    @cached_property
    def _measured(self) -> Mapping[tuple[str, str | None, str | None, str | None], Sequence[str]]:
        """The comparable entities' ids by place, device class and unit."""
        return _grouped(
            ((kind, place, entity.device_class, entity.unit), entity.id)
            for entity in self.entities.values()
            if _comparable(entity)
            for kind, place in (("area", self.area_of(entity)), ("floor", self.floor_of(entity)))
            if place is not None
        )

    def _others(self, entity: Entity, ids: Iterable[str]) -> Sequence[str]:
        return tuple(
            each
            for each in ids
            if each != entity.id and self._elsewhere(self.entities[each].device_id, entity.device_id)
        )

    def _elsewhere(self, one: str | None, other: str | None) -> bool:
        """Return whether two entities' devices are different ones."""
        return one is None or other is None or self.owner(one) != self.owner(other)


def _comparable(entity: Entity) -> bool:
    """Return whether an entity measures something of its surroundings, not of the device itself."""
    return bool(
        entity.device_class
        and entity.state_class == "measurement"
        and entity.entity_category is None
        and entity.disabled_by is None
    )


def _by_id[T: _Row](rows: Iterable[T]) -> Mapping[str, T]:
    return {row.id: row for row in rows}


def _merged[T: _Row](rows: Mapping[str, T], changed: Iterable[T], removed: Iterable[str]) -> Mapping[str, T]:
    merged = {**rows, **_by_id(changed)}
    for each in removed:
        merged.pop(each, None)
    return merged


def _grouped[K, T](pairs: Iterable[tuple[K, T]]) -> Mapping[K, Sequence[T]]:
    groups: defaultdict[K, list[T]] = defaultdict(list)
    for key, each in pairs:
        groups[key].append(each)
    return {key: tuple(each) for key, each in groups.items()}


EMPTY = Home.of(Rows())
