"""What Home Assistant's registries say of a home: the values that travel from the integration to the store. Frozen.

Ids are Home Assistant's own and survive renames. An entity without a registry entry (it has no unique id) is known
by its entity id. Whatever a registry leaves open is None, never a word in its place.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

type Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
type Text = Annotated[str, msgspec.Meta(max_length=1_000)]
type Json = Mapping[str, object]
type Kind = Literal["floors", "areas", "labels", "config_entries", "devices", "entities"]

KINDS: tuple[Kind, ...] = ("floors", "areas", "labels", "config_entries", "devices", "entities")
"""In the order in which they refer to each other."""


class Floor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A floor, such as the ground floor (level 0)."""

    id: Id
    name: Text
    level: int | None = None


class Area(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An area, a room for most people."""

    id: Id
    name: Text
    floor_id: Id | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A label that the user has made."""

    id: Id
    name: Text


class ConfigEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One set-up of an integration.

    Attributes:
        domain: The integration.
        state: Home Assistant's own word, such as ``loaded`` or ``setup_retry``.
    """

    id: Id
    domain: Text
    title: Text
    state: Text
    disabled_by: Text | None = None


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device, or a part of one.

    Attributes:
        name: As the integration calls it.
        name_by_user: As the user does, if he does.
        integration: The domain of ``config_entry_id``; None when it has none.
        via_device_id: The hub that it talks through.
        parent_id: The device that it is a part of (a child device).
        entry_type: ``service`` for what is no thing.
        identifiers: ``[[domain, id], ...]``; ``connections`` likewise ``[[kind, address], ...]``.
    """

    id: Id
    name: Text | None = None
    name_by_user: Text | None = None
    manufacturer: Text | None = None
    model: Text | None = None
    model_id: Text | None = None
    sw_version: Text | None = None
    hw_version: Text | None = None
    serial_number: Text | None = None
    area_id: Id | None = None
    integration: Text | None = None
    config_entry_id: Id | None = None
    via_device_id: Id | None = None
    parent_id: Id | None = None
    entry_type: Text | None = None
    disabled_by: Text | None = None
    configuration_url: Text | None = None
    labels: tuple[Id, ...] = ()
    identifiers: tuple[tuple[str, ...], ...] = ()
    connections: tuple[tuple[str, ...], ...] = ()

    @property
    def shown_name(self) -> str:
        """Return what people call it; its id when nobody has named it."""
        return self.name_by_user or self.name or self.id


class Entity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity.

    Attributes:
        id: Of its registry entry, else the same as ``entity_id``.
        entity_id: Its present one; the user may change it.
        name: As the user sees it.
        area_id: Its own, where that differs from its device's.
        integration: The platform that provides it.
        registered: Whether it has an entry in the entity registry.
        capabilities: What it can do, an object; together with ``supported_features``.
    """

    id: Id
    entity_id: Id
    name: Text | None = None
    device_id: Id | None = None
    area_id: Id | None = None
    integration: Text | None = None
    config_entry_id: Id | None = None
    unique_id: Text | None = None
    device_class: Text | None = None
    state_class: Text | None = None
    unit: Text | None = None
    entity_category: Text | None = None
    translation_key: Text | None = None
    disabled_by: Text | None = None
    hidden_by: Text | None = None
    registered: bool = True
    supported_features: int = 0
    capabilities: Json = {}
    labels: tuple[Id, ...] = ()

    @property
    def domain(self) -> str:
        """Return the part before the dot."""
        return self.entity_id.partition(".")[0]


class Rows(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Things of all kinds, whole; of a snapshot all there are, of a diff those that are new or changed."""

    floors: tuple[Floor, ...] = ()
    areas: tuple[Area, ...] = ()
    labels: tuple[Label, ...] = ()
    config_entries: tuple[ConfigEntry, ...] = ()
    devices: tuple[Device, ...] = ()
    entities: tuple[Entity, ...] = ()


class Removed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ids of things that are gone, of a diff."""

    floors: tuple[Id, ...] = ()
    areas: tuple[Id, ...] = ()
    labels: tuple[Id, ...] = ()
    config_entries: tuple[Id, ...] = ()
    devices: tuple[Id, ...] = ()
    entities: tuple[Id, ...] = ()
