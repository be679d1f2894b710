"""What the tests of tenants and their devices put into the store."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from homeiq_server.credentials import digest
from homeiq_server.store.provisioning import NewDevice
from tests.postgres import Database, as_owner

ACME: Final = "acme"
GLOBEX: Final = "globex"
KEY: Final = "hik_" + "k" * 43


async def add_customer(
    database: Database, tenant_id: str = ACME, *, limit: int | None = None, status: str = "ACTIVE", key: str = KEY
) -> UUID:
    """Add a tenant whose devices may register themselves with ``key``, and return the id of its main subscription."""
    async with as_owner(database) as owner:
        await owner.execute(
            "INSERT INTO tenants (tenant_id, name, auto_provision, provisioning_key_hash) VALUES ($1, $1, true, $2)",
            tenant_id,
            digest(key),
        )
    return await add_subscription(database, tenant_id, limit=limit, status=status)


async def add_subscription(  # noqa: PLR0913 - as many as the row has
    database: Database,
    tenant_id: str = ACME,
    *,
    limit: int | None = None,
    status: str = "ACTIVE",
    kind: str = "MAIN",
    parent: UUID | None = None,
) -> UUID:
    async with as_owner(database) as owner:
        found: UUID = await owner.fetchval(
            "INSERT INTO subscriptions (tenant_id, kind, status, device_limit, parent_id) VALUES ($1, $2, $3, $4, $5)"
            " RETURNING id",
            tenant_id,
            kind,
            status,
            limit,
            parent,
        )
    return found


async def as_it_is(database: Database, tenant_id: str, device_id: str) -> dict[str, Any]:
    """Return the row of a device that is there."""
    async with as_owner(database) as owner:
        row = await owner.fetchrow(
            "SELECT * FROM ingest_devices WHERE tenant_id = $1 AND device_id = $2", tenant_id, device_id
        )
    assert row
    return dict(row)


async def change(database: Database, statement: str, *values: object) -> None:
    async with as_owner(database) as owner:
        await owner.execute(statement, *values)


async def count(database: Database, statement: str, *values: object) -> int:
    async with as_owner(database) as owner:
        return int(await owner.fetchval(statement, *values))


def new(*device_ids: str, site_id: str = "home") -> Sequence[NewDevice]:
    return [NewDevice(device_id=device_id, site_id=site_id) for device_id in device_ids]


async def in_another_process(program: str, *arguments: str) -> asyncio.subprocess.Process:
    """Start a program of this folder; it waits for a line on its standard input before it begins."""
    path = Path(__file__).with_name(program)
    return await asyncio.create_subprocess_exec(
        sys.executable, str(path), *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
