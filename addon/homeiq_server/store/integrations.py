"""Where a tenant's alerts can go."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from . import circuits
from .pool import Conn

# The secrets are read by what signs with them, and by nothing else.
_COLUMNS: Final = """
    id, name, kind, enabled, config, cardinality(secrets) AS secrets, version, created_at, updated_at
"""
_PAGE: Final = f"""
    SELECT {_COLUMNS} FROM integrations
     WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM integrations WHERE tenant_id = $1 AND id = $2"
_LOCK_ONE: Final = f"{_ONE} FOR UPDATE"
_LOCK_ALL: Final = "SELECT pg_advisory_xact_lock(hashtextextended('integrations of ' || $1, 0))"
_COUNT: Final = "SELECT count(*) FROM integrations WHERE tenant_id = $1"
_ADD: Final = f"""
    INSERT INTO integrations (tenant_id, name, kind, enabled, config, secrets) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING {_COLUMNS}
"""
_CHANGE: Final = f"""
    UPDATE integrations SET name = $3, enabled = $4, config = $5, version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_ROUTES: Final = "SELECT id FROM alert_routes WHERE tenant_id = $1 AND integration_id = $2"
_ROTATE: Final = f"""
    UPDATE integrations SET secrets = ARRAY[$3] || secrets[1:1], version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_RETIRE: Final = f"""
    UPDATE integrations SET secrets = secrets[1:1], version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_SECRETS: Final = "SELECT secrets FROM integrations WHERE tenant_id = $1 AND id = $2"
_DELETE: Final = "DELETE FROM integrations WHERE tenant_id = $1 AND id = $2 RETURNING id"


class IntegrationFields(Struct, frozen=True, kw_only=True):
    """What a person sets of an integration.

    Attributes:
        kind: Never changes.
        config: As the kind wants it; without secrets.
    """

    name: str
    kind: str
    enabled: bool
    config: dict[str, Any]


class Integration(IntegrationFields, frozen=True, kw_only=True):
    """An integration as it is kept.

    Attributes:
        secrets: How many of its signing secrets are active, 0 to 2.
    """

    id: UUID
    secrets: int
    version: int
    created_at: datetime
    updated_at: datetime


async def page(conn: Conn, tenant_id: str, after: tuple[datetime, UUID] | None, *, limit: int) -> list[Integration]:
    """Return integrations, oldest first, behind the one with this moment of creation and id."""
    created_at, integration_id = after or (None, None)
    return [_integration(row) for row in await conn.fetch(_PAGE, tenant_id, created_at, integration_id, limit)]


async def one(conn: Conn, tenant_id: str, integration_id: UUID, *, locked: bool = False) -> Integration | None:
    """Return an integration, None when there is none; ``locked``: nobody else changes it until the transaction ends."""
    row = await conn.fetchrow(_LOCK_ONE if locked else _ONE, tenant_id, integration_id)
    return None if row is None else _integration(row)


async def count(conn: Conn, tenant_id: str) -> int:
    """Return how many there are; none is added by others until the transaction ends."""
    await conn.execute(_LOCK_ALL, tenant_id)
    number: int = await conn.fetchval(_COUNT, tenant_id)
    return number


async def add(conn: Conn, tenant_id: str, fields: IntegrationFields, secrets: list[str]) -> Integration:
    """Make an integration."""
    row = await conn.fetchrow(_ADD, tenant_id, fields.name, fields.kind, fields.enabled, fields.config, secrets)
    return _made(row)


async def change(conn: Conn, tenant_id: str, integration_id: UUID, fields: IntegrationFields) -> Integration:
    """Let an integration that was locked be this; its kind stays. What failed before may work now, and is tried."""
    row = await conn.fetchrow(_CHANGE, tenant_id, integration_id, fields.name, fields.enabled, fields.config)
    routes = await conn.fetch(_ROUTES, tenant_id, integration_id)
    await circuits.close(conn, tenant_id, [route["id"] for route in routes])
    return _made(row)


async def rotate(conn: Conn, tenant_id: str, integration_id: UUID, secret: str) -> Integration:
    """Let this secret be the first of one that was locked; the one that was first stays active as the second."""
    return _made(await conn.fetchrow(_ROTATE, tenant_id, integration_id, secret))


async def retire(conn: Conn, tenant_id: str, integration_id: UUID) -> Integration:
    """Let the first secret be the only one, of an integration that was locked."""
    return _made(await conn.fetchrow(_RETIRE, tenant_id, integration_id))


async def secrets_of(conn: Conn, tenant_id: str, integration_id: UUID) -> list[str]:
    """Return the active secrets, the newest first: for signing, never for an answer."""
    return list(await conn.fetchval(_SECRETS, tenant_id, integration_id) or ())


async def delete(conn: Conn, tenant_id: str, integration_id: UUID) -> bool:
    """Delete an integration with its routes and deliveries; False when there was none."""
    return await conn.fetchval(_DELETE, tenant_id, integration_id) is not None


def _made(row: Record | None) -> Integration:
    assert row is not None  # noqa: S101 - it was inserted, or is locked
    return _integration(row)


def _integration(row: Record) -> Integration:
    return Integration(**dict(row))
