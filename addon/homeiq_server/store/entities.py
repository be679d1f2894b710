"""The entities of a device."""

from typing import Final

from asyncpg import Record

from .pool import Conn

_OF_DEVICE: Final = """
    SELECT id, entity_id, name, device_id, area_id, integration, config_entry_id, unique_id, device_class, state_class,
           unit, entity_category, translation_key, disabled_by, hidden_by, registered, supported_features, capabilities,
           labels, removed_at
      FROM entities WHERE tenant_id = $1 AND device_id = $2
     ORDER BY removed_at IS NOT NULL, entity_id, id
"""


async def of_device(conn: Conn, tenant_id: str, device_id: str) -> list[Record]:
    """Return a device's entities, those that were removed last."""
    return await conn.fetch(_OF_DEVICE, tenant_id, device_id)
