"""Which alerts of a tenant go where."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct, structs

from . import circuits
from .pool import Conn

_COLUMNS: Final = """
    id, integration_id, name, enabled, severities, kinds, site_ids, device_ids, deliver_on, failures, paused_until,
    version, created_at, updated_at
"""
_PAGE: Final = f"""
    SELECT {_COLUMNS} FROM alert_routes
     WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
       AND ($5::uuid IS NULL OR integration_id = $5)
     ORDER BY created_at, id LIMIT $4
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM alert_routes WHERE tenant_id = $1 AND id = $2"
_LOCK_ONE: Final = f"{_ONE} FOR UPDATE"
_LOCK_ALL: Final = "SELECT pg_advisory_xact_lock(hashtextextended('alert routes of ' || $1, 0))"
_COUNT: Final = "SELECT count(*) FROM alert_routes WHERE tenant_id = $1"
_ADD: Final = f"""
    INSERT INTO alert_routes (tenant_id, integration_id, name, enabled, severities, kinds, site_ids, device_ids,
                              deliver_on)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING {_COLUMNS}
"""
_CHANGE: Final = f"""
    UPDATE alert_routes
       SET integration_id = $3, name = $4, enabled = $5, severities = $6, kinds = $7, site_ids = $8, device_ids = $9,
           deliver_on = $10, version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_DELETE: Final = "DELETE FROM alert_routes WHERE tenant_id = $1 AND id = $2 RETURNING id"
_DISCARD: Final = """
    UPDATE deliveries SET state = 'DISCARDED', finished_at = now(), last_error = 'its route is gone'
     WHERE tenant_id = $1 AND route_id = $2 AND state = 'PENDING'
"""


class RouteFields(Struct, frozen=True, kw_only=True):
    """What a person sets of a route. Lists that are None mean any.

    Attributes:
        severities: 1 info to 5 critical; never empty.
        device_ids: What ends with ``*`` is a prefix.
        deliver_on: Which changes of an alert are told.
    """

    integration_id: UUID
    name: str
    enabled: bool
    severities: list[int]
    kinds: list[str] | None
    site_ids: list[str] | None
    device_ids: list[str] | None
    deliver_on: list[str]


class Route(RouteFields, frozen=True, kw_only=True):
    """A route as it is kept.

    Attributes:
        failures: How many deliveries failed in a row.
        paused_until: Nothing goes there before, because too many failed.
    """

    id: UUID
    failures: int
    paused_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


async def page(
    conn: Conn,
    tenant_id: str,
    after: tuple[datetime, UUID] | None,
    *,
    integration_id: UUID | None = None,
    limit: int,
) -> list[Route]:
    """Return routes, all or those of an integration, oldest first, behind the one with this moment and id."""
    created_at, route_id = after or (None, None)
    rows = await conn.fetch(_PAGE, tenant_id, created_at, route_id, limit, integration_id)
    return [_route(row) for row in rows]


async def one(conn: Conn, tenant_id: str, route_id: UUID, *, locked: bool = False) -> Route | None:
    """Return a route, None when there is none; ``locked``: nobody else changes it until the transaction ends."""
    row = await conn.fetchrow(_LOCK_ONE if locked else _ONE, tenant_id, route_id)
    return None if row is None else _route(row)


async def count(conn: Conn, tenant_id: str) -> int:
    """Return how many there are; none is added by others until the transaction ends."""
    await conn.execute(_LOCK_ALL, tenant_id)
    number: int = await conn.fetchval(_COUNT, tenant_id)
    return number


async def add(conn: Conn, tenant_id: str, fields: RouteFields) -> Route:
    """Make a route; its integration was looked up in the same transaction."""
    return _made(await conn.fetchrow(_ADD, tenant_id, *structs.astuple(fields)))


async def change(conn: Conn, tenant_id: str, route_id: UUID, fields: RouteFields) -> Route:
    """Let a route that was locked be this. What is told from now on follows it; a pause ends."""
    await circuits.close(conn, tenant_id, [route_id])
    return _made(await conn.fetchrow(_CHANGE, tenant_id, route_id, *structs.astuple(fields)))


async def delete(conn: Conn, tenant_id: str, route_id: UUID) -> bool:
    """Delete a route and discard what waits for it; False when there was none."""
    if await conn.fetchval(_DELETE, tenant_id, route_id) is None:
        return False
    await conn.execute(_DISCARD, tenant_id, route_id)
    return True


def _made(row: Record | None) -> Route:
    assert row is not None  # noqa: S101 - it was inserted, or is locked
    return _route(row)


def _route(row: Record) -> Route:
    return Route(**dict(row))
