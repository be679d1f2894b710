"""What Zigbee2MQTT tells of the devices of its network."""

from collections.abc import Sequence
from typing import Final

from asyncpg import Record
from msgspec import Struct

from .moments import moment
from .pool import Conn


class ZigbeeFacts(Struct, frozen=True, kw_only=True):
    """A device of the network; None what is not known.

    Attributes:
        ieee: Its address, such as ``"0x00158d0001dc126a"``.
        last_seen_us: When it was last heard.
    """

    ieee: str
    friendly_name: str
    type: str
    vendor: str | None = None
    model: str | None = None
    description: str | None = None
    power_source: str | None = None
    interview_state: str | None = None
    sw_version: str | None = None
    disabled: bool = False
    available: bool | None = None
    link_quality: int | None = None
    battery_level: float | None = None
    last_seen_us: int | None = None


# What was measured stays when nothing newer is known: a server that has just started knows less than the table. Who is
# available is told by the broker at once, because it is retained.
_SAVE: Final = """
    INSERT INTO zigbee_devices AS z (tenant_id, base_topic, ieee, friendly_name, type, vendor, model, description,
                                     power_source, interview_state, sw_version, disabled, available, link_quality,
                                     battery_level, last_seen_at, updated_at)
    SELECT $1, $2, given.*, now()
      FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                  $11::text[], $12::boolean[], $13::boolean[], $14::int[], $15::float8[], $16::timestamptz[]) AS given
    ON CONFLICT (tenant_id, base_topic, ieee) DO UPDATE
       SET friendly_name = excluded.friendly_name, type = excluded.type, vendor = excluded.vendor,
           model = excluded.model, description = excluded.description, power_source = excluded.power_source,
           interview_state = excluded.interview_state, sw_version = excluded.sw_version, disabled = excluded.disabled,
           available = excluded.available,
           link_quality = coalesce(excluded.link_quality, z.link_quality),
           battery_level = coalesce(excluded.battery_level, z.battery_level),
           last_seen_at = greatest(excluded.last_seen_at, z.last_seen_at), updated_at = now(), removed_at = NULL
"""
_REMOVE: Final = """
    UPDATE zigbee_devices SET removed_at = now()
     WHERE tenant_id = $1 AND base_topic = $2 AND removed_at IS NULL AND ieee <> ALL($3::text[])
"""
# Home Assistant's own device of it, by the identifier that Zigbee2MQTT announces it with.
_OF_DEVICE: Final = """
    SELECT z.ieee, z.friendly_name, z.type, z.vendor, z.model, z.description, z.power_source, z.interview_state,
           z.sw_version, z.disabled, z.available, z.link_quality, z.battery_level, z.last_seen_at
      FROM devices d
      JOIN zigbee_devices z ON z.tenant_id = d.tenant_id AND z.removed_at IS NULL
                           AND d.identifiers @> jsonb_build_array(jsonb_build_array('mqtt', 'zigbee2mqtt_' || z.ieee))
     WHERE d.tenant_id = $1 AND d.id = $2
     LIMIT 1
"""


async def save(conn: Conn, tenant_id: str, base_topic: str, facts: Sequence[ZigbeeFacts]) -> None:
    """Keep the facts of some devices."""
    rows = sorted(facts, key=lambda each: each.ieee)  # every writer locks rows in the same order
    await conn.execute(
        _SAVE,
        tenant_id,
        base_topic,
        *([getattr(row, name) for row in rows] for name in ZigbeeFacts.__struct_fields__[:-1]),
        [None if row.last_seen_us is None else moment(row.last_seen_us) for row in rows],
    )


async def keep_only(conn: Conn, tenant_id: str, base_topic: str, ieees: Sequence[str]) -> None:
    """Mark those that are in the network no more."""
    await conn.execute(_REMOVE, tenant_id, base_topic, ieees)


async def of_device(conn: Conn, tenant_id: str, device_id: str) -> Record | None:
    """Return what is told of one of Home Assistant's devices, None when it is none of the network."""
    return await conn.fetchrow(_OF_DEVICE, tenant_id, device_id)
