"""Tokens of tenants' programs: kept as digests, revoked for ever."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from .moments import moment
from .pool import Conn

_SHOWN: Final = "id, name, shown, scopes, created_at, expires_at, last_used_at"
_PAGE: Final = f"""
    SELECT {_SHOWN} FROM api_tokens
     WHERE tenant_id = $1 AND revoked_at IS NULL AND (created_at, id) > ($2, $3)
     ORDER BY created_at, id LIMIT $4
"""  # noqa: S608 - of a constant
_COUNT: Final = """
    SELECT count(*) FROM api_tokens
     WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
_CREATE: Final = f"""
    INSERT INTO api_tokens (tenant_id, name, shown, token_hash, scopes, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING {_SHOWN}
"""  # noqa: S608 - of a constant
_REVOKE: Final = """
    UPDATE api_tokens SET revoked_at = now() WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING true
"""
_FIND: Final = """
    SELECT a.id, a.shown, a.scopes, a.expires_at, t.status AS tenant_status
      FROM api_tokens a JOIN tenants t ON t.tenant_id = a.tenant_id
     WHERE a.tenant_id = $1 AND a.token_hash = $2 AND a.revoked_at IS NULL AND t.status <> 'DELETED'
"""
# Once a minute and not at each use, because each time costs a commit.
_USED: Final = """
    UPDATE api_tokens SET last_used_at = now()
     WHERE tenant_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""


class NewToken(Struct, frozen=True, kw_only=True):
    """A token that is to be kept.

    Attributes:
        shown: How its secret begins, by which people know it again.
        token_hash: Its digest.
    """

    name: str
    shown: str
    token_hash: bytes
    scopes: Sequence[str]
    expires_at: datetime | None = None


async def page(conn: Conn, tenant_id: str, after: tuple[int, UUID] | None, *, limit: int) -> list[Record]:
    """Return tokens that are not revoked, oldest first, behind one's time of creation (µs) and id."""
    created_us, token_id = after or (0, UUID(int=0))
    return await conn.fetch(_PAGE, tenant_id, moment(created_us), token_id, limit)


async def count(conn: Conn, tenant_id: str) -> int:
    """Return how many can be used; exact while ``tenants.lock`` is held."""
    return int(await conn.fetchval(_COUNT, tenant_id))


async def create(conn: Conn, tenant_id: str, token: NewToken) -> Record:
    """Keep a token."""
    row = await conn.fetchrow(
        _CREATE, tenant_id, token.name, token.shown, token.token_hash, list(token.scopes), token.expires_at
    )
    assert row is not None  # noqa: S101 - it returns what it inserts
    return row


async def revoke(conn: Conn, tenant_id: str, token_id: UUID) -> bool:
    """Let a token be dead; False when it is, or when there is none."""
    return await conn.fetchval(_REVOKE, tenant_id, token_id) is not None


async def find(conn: Conn, tenant_id: str, token_hash: bytes) -> Record | None:
    """Return what a token allows, None when it is revoked or unknown; note that it was used."""
    found = await conn.fetchrow(_FIND, tenant_id, token_hash)
    if found is not None:
        await conn.execute(_USED, tenant_id, found["id"])
    return found
