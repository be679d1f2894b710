"""Values that thousands of rows repeat, kept in memory once: that makes a large home's registries a third smaller."""

from typing import Final

import msgspec

from homeiq_server.registry import Device, Entity, Rows

_OF_DEVICES: Final = (
    "id",  # that of each is repeated by its entities
    "manufacturer",
    "model",
    "model_id",
    "sw_version",
    "hw_version",
    "area_id",
    "integration",
    "config_entry_id",
    "via_device_id",
    "parent_id",
)
_OF_ENTITIES: Final = (
    "device_id",
    "area_id",
    "integration",
    "config_entry_id",
    "device_class",
    "state_class",
    "unit",
    "entity_category",
    "translation_key",
)


class Interning:
    """Remembers values while the rows of one home are read; to be forgotten with the reading."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._capabilities: dict[bytes, object] = {}

    def rows(self, rows: Rows) -> Rows:
        """Return the same rows. They are changed in place, though not in value: nobody else may have seen them yet."""
        for device in rows.devices:
            self._texts_of(device, _OF_DEVICES)
        for entity in rows.entities:
            self._texts_of(entity, _OF_ENTITIES)
            key = msgspec.json.encode(entity.capabilities)
            kept = self._capabilities.setdefault(key, entity.capabilities)
            msgspec.structs.force_setattr(entity, "capabilities", kept)
        return rows

    def _texts_of(self, row: Device | Entity, names: tuple[str, ...]) -> None:
        for name in names:
            if (text := getattr(row, name)) is not None:
                msgspec.structs.force_setattr(row, name, self._texts.setdefault(text, text))
