"""Integrations, routes and deliveries that tests put into the store, and looks at what became of them."""

from itertools import count
from typing import Any, Final
from uuid import UUID

from homeiq_server.store import alert_routes, integrations
from homeiq_server.store.alert_routes import RouteFields
from homeiq_server.store.deliveries import AlertChange, enqueue
from homeiq_server.store.integrations import IntegrationFields
from homeiq_server.store.pool import Pool
from tests.postgres import Database, as_owner
from tests.unit.homeiq_server.delivery.messages import payload

type Json = dict[str, Any]

HOME: Final = "home"
OTHER: Final = "other"
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_CURSORS: Final = count(1)


def change(**fields: Any) -> AlertChange:  # noqa: ANN401 - each field has its own type
    """Return what became of an alert: with a cursor that none had before."""
    values: Json = {
        "cursor": next(_CURSORS),
        "alert_id": 7,
        "change": "opened",
        "kind": "THRESHOLD",
        "severity": 3,
        "device_id": "boiler",
        "site_id": "home",
    }
    values |= fields
    told = payload(change=values["change"], severity=values["severity"], id=values["alert_id"])
    return AlertChange(**{"payload": told, **values})


async def add_integration(
    pool: Pool,
    kind: str = "webhook",
    config: Json | None = None,
    *,
    tenant_id: str = HOME,
    enabled: bool = True,
) -> UUID:
    fields = IntegrationFields(name="There", kind=kind, enabled=enabled, config=config or {})
    async with pool.tenant(tenant_id) as conn:
        return (await integrations.add(conn, tenant_id, fields, [SECRET])).id


async def add_route(pool: Pool, integration_id: UUID, *, tenant_id: str = HOME, **fields: Any) -> UUID:  # noqa: ANN401
    values: Json = {
        "name": "All",
        "enabled": True,
        "severities": [1, 2, 3, 4, 5],
        "kinds": None,
        "site_ids": None,
        "device_ids": None,
        "deliver_on": ["opened"],
    }
    async with pool.tenant(tenant_id) as conn:
        made = await alert_routes.add(conn, tenant_id, RouteFields(integration_id=integration_id, **values | fields))
    return made.id


async def tell(pool: Pool, *changes: AlertChange, tenant_id: str = HOME) -> int:
    """Write changes of alerts into the outbox; return how many deliveries that makes."""
    async with pool.tenant(tenant_id) as conn:
        return await enqueue(conn, tenant_id, changes)


async def deliveries(database: Database) -> list[Json]:
    """Return all deliveries of all tenants, in order."""
    async with as_owner(database) as owner:
        return [dict(row) for row in await owner.fetch("SELECT * FROM deliveries ORDER BY id")]


async def attempts(database: Database) -> list[Json]:
    async with as_owner(database) as owner:
        return [dict(row) for row in await owner.fetch("SELECT * FROM delivery_attempts ORDER BY delivery_id, number")]


async def route(database: Database) -> Json:
    """Return the only route."""
    async with as_owner(database) as owner:
        [row] = await owner.fetch("SELECT * FROM alert_routes")
        return dict(row)


async def execute(database: Database, statement: str, *values: object) -> None:
    """Do something that no part of the server does, such as letting time pass."""
    async with as_owner(database) as owner:
        await owner.execute(statement, *values)
