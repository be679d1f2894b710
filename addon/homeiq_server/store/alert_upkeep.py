"""Forgets alerts that are over for long, tenant by tenant."""

from datetime import datetime
from typing import Final

from . import alert_changes, alerts
from .pool import Conn, Workers

_TENANTS: Final = "SELECT tenant_id FROM tenants ORDER BY tenant_id"


async def prune(store: Workers, *, alerts_before: datetime, changes_before: datetime) -> None:
    """Forget alerts that were cleared before a time, and what became of alerts before another one.

    Raises:
        RetryLater: The store is away; a part of it may be done, and all of it can be done again.
    """
    async with store.worker() as conn:
        tenants = [row["tenant_id"] for row in await conn.fetch(_TENANTS)]
    for tenant_id in tenants:
        async with store.tenant(tenant_id) as conn:
            await _prune(conn, tenant_id, alerts_before, changes_before)


async def _prune(conn: Conn, tenant_id: str, alerts_before: datetime, changes_before: datetime) -> None:
    await alert_changes.prune(conn, tenant_id, changes_before)
    await alerts.prune(conn, tenant_id, alerts_before)
