"""Requests with a key: what was done once is not done again, but answered again.

The row of the key is the first that a transaction writes, so that of two at once the second waits for the first one's
commit. A request that fails leaves no row: the same key may try again.
"""

import hashlib
from typing import Any, Final

from msgspec import Struct

from homeiq_server.errors import KeyReused

from .pool import Conn

_TAKE: Final = """
    INSERT INTO idempotency_keys (tenant_id, key, request_hash, status, response) VALUES ($1, $2, $3, 0, '{}')
    ON CONFLICT DO NOTHING RETURNING true
"""
_FIND: Final = "SELECT request_hash, status, response FROM idempotency_keys WHERE tenant_id = $1 AND key = $2"
_KEEP: Final = "UPDATE idempotency_keys SET status = $3, response = $4 WHERE tenant_id = $1 AND key = $2"


class Answered(Struct, frozen=True):
    """What the request was answered the first time.

    Attributes:
        status: Of HTTP.
        response: What became its body.
    """

    status: int
    response: dict[str, Any]


def fingerprint(operation: str, body: bytes) -> bytes:
    """Return what tells requests apart: what is asked for, with its address, and the body as it came."""
    return hashlib.sha256(operation.encode(errors="surrogatepass") + b"\n" + body).digest()


async def take(conn: Conn, tenant_id: str, key: str, request_hash: bytes) -> Answered | None:
    """Take a key for this transaction; waits while another one has it. Returns what was answered if it was used.

    Raises:
        KeyReused: It was, for another request.
    """
    if await conn.fetchval(_TAKE, tenant_id, key, request_hash):
        return None
    row = await conn.fetchrow(_FIND, tenant_id, key)
    if row is None:  # forgotten in between, after two days: then it is a fresh one
        return await take(conn, tenant_id, key, request_hash)
    if row["request_hash"] != request_hash:
        raise KeyReused("this Idempotency-Key was used for another request: give a fresh one for each")
    return Answered(row["status"], row["response"])


async def keep(conn: Conn, tenant_id: str, key: str, *, status: int, response: object) -> None:
    """Remember what the request of a key that was taken is answered."""
    await conn.execute(_KEEP, tenant_id, key, status, response)
