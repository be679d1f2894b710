"""What devices prove themselves with: tokens, and codes that are good for one. Kept as digests alone.

Each change is one statement, so that of two at once exactly one finds what it asks for.
"""

from datetime import datetime
from typing import Final

from asyncpg import Record

from .pool import Conn

_SET: Final = """
    UPDATE ingest_devices
       SET status = CASE status WHEN 'PENDING' THEN 'ACTIVE' ELSE status END, token_hash = $3,
           activation_hash = NULL, activation_expires_at = NULL, activated_at = coalesce(activated_at, now()),
           version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND device_id = $2
"""
_ROTATE: Final = f"{_SET} AND status IN ('PENDING', 'ACTIVE', 'INACTIVE') RETURNING *"
_REPLACE: Final = f"{_SET} AND status = 'ACTIVE' AND token_hash IS NOT DISTINCT FROM $4 RETURNING device_id"
_ACTIVATE: Final = f"""
    {_SET} AND status IN ('PENDING', 'ACTIVE') AND activation_hash = $4 AND activation_expires_at > now()
       AND EXISTS (SELECT FROM tenants WHERE tenant_id = $1 AND status = 'ACTIVE')
    RETURNING device_id
"""
_OPEN: Final = """
    UPDATE ingest_devices
       SET activation_hash = $3, activation_expires_at = $4, version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND device_id = $2 AND status IN ('PENDING', 'ACTIVE')
    RETURNING *
"""


async def rotate(conn: Conn, tenant_id: str, device_id: str, token_hash: bytes) -> Record | None:
    """Give a device a token in place of whatever it had; None when there is none that may have one."""
    return await conn.fetchrow(_ROTATE, tenant_id, device_id, token_hash)


async def replace(conn: Conn, tenant_id: str, device_id: str, old: bytes | None, new: bytes) -> bool:
    """Give an active device a token in place of ``old``; False when it has another by now."""
    return await conn.fetchval(_REPLACE, tenant_id, device_id, new, old) is not None


async def open_activation(
    conn: Conn, tenant_id: str, device_id: str, code_hash: bytes, expires_at: datetime
) -> Record | None:
    """Let a code be good for a token; None when there is no device that may have one. Its token is good until then."""
    return await conn.fetchrow(_OPEN, tenant_id, device_id, code_hash, expires_at)


async def activate(conn: Conn, tenant_id: str, device_id: str, code_hash: bytes, token_hash: bytes) -> bool:
    """Give the device a token for its code, which is used up by that; False when the code is not good."""
    return await conn.fetchval(_ACTIVATE, tenant_id, device_id, token_hash, code_hash) is not None
