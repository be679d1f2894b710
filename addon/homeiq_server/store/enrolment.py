"""Registers devices, whoever asks for it, as far as there are places for them."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from asyncpg import Record
from msgspec import Struct, field

from .known import DeviceStatus, ProvisionedBy
from .places import FREE, Places
from .pool import Conn

# $3: a device that was deleted may be made again.
_INSERT: Final = f"""
    WITH free AS MATERIALIZED (
        {FREE}
    ), places AS (
        SELECT id, sum(places) OVER (ORDER BY n) - places AS above, sum(places) OVER (ORDER BY n) AS up_to FROM free
    ), wanted AS (
        SELECT w.*, row_number() OVER (ORDER BY w.n) AS place
          FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[],
                      $11::timestamptz[], $12::int[], $13::text[], $14::text[], $15::text[], $16::jsonb[])
               WITH ORDINALITY AS w (device_id, site_id, name, status, provisioned_by, token_hash, activation_hash,
                                     activation_expires_at, heartbeat_s, manufacturer, model, sw_version, metadata, n)
         WHERE w.device_id NOT IN (
               SELECT d.device_id FROM unnest($4::text[]) AS asked (device_id) JOIN ingest_devices d USING (device_id)
                WHERE d.tenant_id = $1 AND NOT ($3 AND d.status = 'DELETED'))
    )
    INSERT INTO ingest_devices AS d (
           tenant_id, device_id, site_id, name, status, provisioned_by, token_hash, activation_hash,
           activation_expires_at, heartbeat_s, manufacturer, model, sw_version, metadata, subscription_id, activated_at)
    SELECT $1, w.device_id, w.site_id, w.name, w.status, w.provisioned_by, w.token_hash, w.activation_hash,
           w.activation_expires_at, w.heartbeat_s, w.manufacturer, w.model, w.sw_version, w.metadata, p.id,
           CASE w.status WHEN 'ACTIVE' THEN now() END
      FROM wanted w JOIN places p ON w.place > p.above AND w.place <= p.up_to
     ORDER BY w.device_id
    ON CONFLICT (tenant_id, device_id) DO UPDATE
       SET (site_id, name, status, provisioned_by, token_hash, activation_hash, activation_expires_at, heartbeat_s,
            manufacturer, model, sw_version, metadata, subscription_id, activated_at, version, created_at, updated_at)
         = (excluded.site_id, excluded.name, excluded.status, excluded.provisioned_by, excluded.token_hash,
            excluded.activation_hash, excluded.activation_expires_at, excluded.heartbeat_s, excluded.manufacturer,
            excluded.model, excluded.sw_version, excluded.metadata, excluded.subscription_id, excluded.activated_at,
            d.version + 1, now(), now())
     WHERE $3 AND d.status = 'DELETED'
    RETURNING d.*
"""


class Enrolment(Struct, frozen=True, kw_only=True):
    """A device that is to be registered.

    Attributes:
        status: ``PENDING`` or ``ACTIVE``.
        token_hash: The digest of its token.
        activation_hash: The digest of the code that it can get one with, until ``activation_expires_at``.
        heartbeat_s: How often it promises to be heard of, in seconds.
        metadata: A flat map of the tenant's own.
    """

    device_id: str
    site_id: str
    name: str | None = None
    status: DeviceStatus = "ACTIVE"
    provisioned_by: ProvisionedBy
    token_hash: bytes | None = None
    activation_hash: bytes | None = None
    activation_expires_at: datetime | None = None
    heartbeat_s: int | None = None
    manufacturer: str | None = None
    model: str | None = None
    sw_version: str | None = None
    metadata: dict[str, object] = field(default_factory=dict)


async def enrol(
    conn: Conn, tenant_id: str, places: Places, wanted: Sequence[Enrolment], *, again: bool = False
) -> dict[str, Record]:
    """Register devices as far as there are places, the first ones first, and return the rows of those that are new.

    Args:
        conn: In a transaction of the tenant.
        tenant_id: The tenant.
        places: Where; locked in this transaction. Without any nothing is done.
        wanted: No device twice. One that is there already stays as it is and takes no place.
        again: One that was deleted is not there, but made afresh.
    """
    if not places.statuses or not wanted:
        return {}
    rows = await conn.fetch(
        _INSERT,
        tenant_id,
        list(places.statuses),
        again,
        [each.device_id for each in wanted],
        [each.site_id for each in wanted],
        [each.name for each in wanted],
        [each.status for each in wanted],
        [each.provisioned_by for each in wanted],
        [each.token_hash for each in wanted],
        [each.activation_hash for each in wanted],
        [each.activation_expires_at for each in wanted],
        [each.heartbeat_s for each in wanted],
        [each.manufacturer for each in wanted],
        [each.model for each in wanted],
        [each.sw_version for each in wanted],
        [each.metadata for each in wanted],
    )
    return {row["device_id"]: row for row in rows}
