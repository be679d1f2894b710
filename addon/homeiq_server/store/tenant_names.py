"""Which tenants there are, for many at once."""

from collections.abc import Sequence
from typing import Final

from .pool import Conn

_EXISTING: Final = "SELECT tenant_id FROM tenants WHERE tenant_id = ANY($1::text[])"


async def existing(conn: Conn, tenant_ids: Sequence[str]) -> set[str]:
    """Return those of the tenants that there are, whatever their status.

    Args:
        conn: Of a worker.
        tenant_ids: At most some thousand.
    """
    return {row["tenant_id"] for row in await conn.fetch(_EXISTING, list(tenant_ids))}
