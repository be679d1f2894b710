"""What a decision about a device's message needs to know of its tenant and of it, in one statement."""

from collections.abc import Sequence
from typing import Final, Literal

from asyncpg import Record
from msgspec import Struct

from .pool import Conn

type DeviceStatus = Literal["PENDING", "ACTIVE", "INACTIVE", "REVOKED", "DELETED"]
type ProvisionedBy = Literal["api", "key"]

_LOAD: Final = """
    SELECT t.status AS tenant_status, t.auto_provision, t.provisioning_key_hash, t.messages_per_second,
           t.messages_burst, d.device_id, d.site_id, d.status, d.token_hash, d.provisioned_by, d.heartbeat_s,
           s.status AS subscription_status
      FROM tenants t
           LEFT JOIN (unnest($2::text[]) AS asked (device_id) JOIN ingest_devices d USING (device_id))
                  ON d.tenant_id = t.tenant_id
           LEFT JOIN subscriptions s ON s.tenant_id = d.tenant_id AND s.id = d.subscription_id
     WHERE t.tenant_id = $1
"""


class KnownTenant(Struct, frozen=True, kw_only=True, gc=False):
    """A tenant, as far as messages of its devices are concerned.

    Attributes:
        status: ``ACTIVE``, ``SUSPENDED`` or ``DELETED``.
        auto_provision: Whether its devices may register themselves, with the provisioning key as proof.
        provisioning_key_hash: The digest of that key; never None while ``auto_provision``.
        messages_per_second: What all its devices may send; None: as the options say.
        messages_burst: What they may send at once; None: as the options say.
    """

    tenant_id: str
    status: str
    auto_provision: bool
    provisioning_key_hash: bytes | None
    messages_per_second: float | None
    messages_burst: int | None


class KnownDevice(Struct, frozen=True, kw_only=True, gc=False):
    """A device, as far as its messages are concerned.

    Attributes:
        token_hash: The digest of its own token; None when it has none.
        provisioned_by: ``key``: as long as it has no token, the tenant's provisioning key is its proof.
        subscription_status: Of the subscription whose place it takes; None when it has none.
        heartbeat_s: How often it promises to be heard of, in seconds; None when it does not.
    """

    tenant_id: str
    device_id: str
    site_id: str
    status: DeviceStatus
    token_hash: bytes | None
    provisioned_by: ProvisionedBy
    subscription_status: str | None
    heartbeat_s: int | None


async def load(
    conn: Conn, tenant_id: str, device_ids: Sequence[str]
) -> tuple[KnownTenant | None, dict[str, KnownDevice]]:
    """Return the tenant, None when there is none, and those of the devices that are registered, whatever their status.

    Args:
        conn: Of the tenant, or of a worker.
        tenant_id: The tenant.
        device_ids: At most some thousand; twice the same one is once.
    """
    rows = await conn.fetch(_LOAD, tenant_id, list(device_ids))
    if not rows:
        return None, {}
    first = rows[0]
    tenant = KnownTenant(
        tenant_id=tenant_id,
        status=first["tenant_status"],
        auto_provision=first["auto_provision"],
        provisioning_key_hash=first["provisioning_key_hash"],
        messages_per_second=first["messages_per_second"],
        messages_burst=first["messages_burst"],
    )
    found = (device_of(tenant_id, row, row["subscription_status"]) for row in rows if row["device_id"] is not None)
    return tenant, {device.device_id: device for device in found}


def device_of(tenant_id: str, row: Record, subscription_status: str | None) -> KnownDevice:
    """Return what a row of ``ingest_devices`` tells."""
    return KnownDevice(
        tenant_id=tenant_id,
        device_id=row["device_id"],
        site_id=row["site_id"],
        status=row["status"],
        token_hash=row["token_hash"],
        provisioned_by=row["provisioned_by"],
        subscription_status=subscription_status,
        heartbeat_s=row["heartbeat_s"],
    )
