"""Tenants: who owns devices, and what the operator grants them."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Mapping
from typing import Final

from asyncpg import Record
from msgspec import Struct

from homeiq_server.errors import Outdated

from .assignments import assignments
from .pool import Conn

NOBODY: Final = "-"
"""Who refused messages of nobody belong to; no tenant, and listed with none."""

USABLE: Final = "('TRIAL', 'ACTIVE', 'GRACE')"
PLACED: Final = "('PENDING', 'ACTIVE')"
"""The states of a subscription with which devices may send, and those of a device with which it takes a place."""

_COLUMNS: Final = """t.tenant_id, t.name, t.status, t.contact, t.auto_provision,
    t.provisioning_key_hash IS NOT NULL AS has_provisioning_key, t.messages_per_second, t.messages_burst, t.version,
    t.created_at, t.updated_at"""
_OWN: Final = f"SELECT {_COLUMNS} FROM tenants t WHERE t.tenant_id = $1"
_SUMMARY: Final = f"""
    SELECT t.*, s.subscriptions, s.device_limit, s.term_end, d.devices
      FROM (SELECT {_COLUMNS} FROM tenants t WHERE %s) t
     CROSS JOIN LATERAL (
           SELECT count(*) AS subscriptions, min(term_end) AS term_end,
                  CASE WHEN bool_or(device_limit IS NULL) THEN NULL ELSE coalesce(sum(device_limit), 0) END
                      AS device_limit
             FROM subscriptions WHERE tenant_id = t.tenant_id AND status IN {USABLE}) s
     CROSS JOIN LATERAL (
           SELECT count(*) AS devices FROM ingest_devices WHERE tenant_id = t.tenant_id AND status IN {PLACED}) d
     ORDER BY t.tenant_id
"""
_ONE: Final = _SUMMARY % "t.tenant_id = $1"
_PAGE: Final = _SUMMARY % (
    "t.tenant_id > $1 AND t.tenant_id <> $3 AND ($4::text IS NULL OR t.status = $4) ORDER BY t.tenant_id LIMIT $2"
)
_CREATE: Final = """
    INSERT INTO tenants (tenant_id, name, contact, messages_per_second, messages_burst) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING RETURNING true
"""
_LOCK: Final = "SELECT version FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE"
_CHANGE: Final = "UPDATE tenants SET %supdated_at = now(), version = version + 1 WHERE tenant_id = $1"
_DELETE: Final = """
    UPDATE tenants SET status = 'DELETED', auto_provision = false, provisioning_key_hash = NULL, updated_at = now(),
           version = version + 1
     WHERE tenant_id = $1 AND status <> 'DELETED' RETURNING true
"""
_NO_TOKENS: Final = "UPDATE api_tokens SET revoked_at = now() WHERE tenant_id = $1 AND revoked_at IS NULL"
_SET_KEY: Final = """
    UPDATE tenants SET provisioning_key_hash = $2, updated_at = now(), version = version + 1 WHERE tenant_id = $1
"""
_NO_KEY: Final = """
    UPDATE tenants SET provisioning_key_hash = NULL, auto_provision = false, updated_at = now(), version = version + 1
     WHERE tenant_id = $1 AND provisioning_key_hash IS NOT NULL RETURNING true
"""


class NewTenant(Struct, frozen=True, kw_only=True):
    """A tenant that is to be made.

    Attributes:
        messages_per_second: What all its devices together may send; None: as the options say.
        messages_burst: What they may send at once; the same.
    """

    tenant_id: str
    name: str
    contact: str | None = None
    messages_per_second: float | None = None
    messages_burst: int | None = None


async def create(conn: Conn, tenant: NewTenant) -> bool:
    """Make a tenant without subscription; False when there is one with this id, deleted ones among them."""
    values = (tenant.tenant_id, tenant.name, tenant.contact, tenant.messages_per_second, tenant.messages_burst)
    return await conn.fetchval(_CREATE, *values) is not None


async def own(conn: Conn, tenant_id: str) -> Record | None:
    """Return a tenant's settings."""
    return await conn.fetchrow(_OWN, tenant_id)


async def one(conn: Conn, tenant_id: str) -> Record | None:
    """Return a tenant with its numbers; as a worker, or as the tenant itself."""
    return await conn.fetchrow(_ONE, tenant_id)


async def page(conn: Conn, after: str, *, limit: int, status: str | None = None) -> list[Record]:
    """Return tenants with their numbers by their ids, those behind ``after``; as a worker."""
    return await conn.fetch(_PAGE, after, limit, NOBODY, status)


async def lock(conn: Conn, tenant_id: str, *, version: int | None = None) -> bool:
    """Let nobody else change the tenant or count its tokens until the transaction ends; False when there is none.

    Raises:
        Outdated: It has another version than the one that is given.
    """
    present = await conn.fetchval(_LOCK, tenant_id)
    if present is not None and version not in (None, present):
        raise Outdated(f"the tenant has version {present} now: fetch it again")
    return present is not None


async def change(conn: Conn, tenant_id: str, given: Mapping[str, object]) -> None:
    """Set columns of a tenant that is locked; without any nothing is changed."""
    if given:
        await conn.execute(_CHANGE % assignments(given, first=2), tenant_id, *given.values())


async def delete(conn: Conn, tenant_id: str) -> bool:
    """Let a tenant be deleted, and its tokens be dead; its rows stay. False when it is, or when there is none."""
    if await conn.fetchval(_DELETE, tenant_id) is None:
        return False
    await conn.execute(_NO_TOKENS, tenant_id)
    return True


async def set_provisioning_key(conn: Conn, tenant_id: str, key_hash: bytes) -> None:
    """Let this be the key with which devices register themselves; the one before is dead."""
    await conn.execute(_SET_KEY, tenant_id, key_hash)


async def delete_provisioning_key(conn: Conn, tenant_id: str) -> bool:
    """Let no device register itself any more; False when there is no key."""
    return await conn.fetchval(_NO_KEY, tenant_id) is not None
