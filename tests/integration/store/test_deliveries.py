"""Which alerts are told to whom: routes, as the database matches them in the transaction of the change."""

from contextlib import suppress
from typing import Any

import pytest

from homeiq_server.store.deliveries import enqueue
from homeiq_server.store.pool import Pool
from tests.integration.delivery.outbox_rows import (
    HOME,
    OTHER,
    add_integration,
    add_route,
    change,
    deliveries,
    execute,
    tell,
)
from tests.integration.store.rows import add_tenant
from tests.postgres import Database


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("severities", [[1, 2, 3, 4, 5], [2, 3, 4, 5], [3, 4, 5], [4, 5], [5], [1], [1, 3]])
async def test_a_route_tells_of_its_severities_alone(pool: Pool, severities: list[int], severity: int) -> None:
    await add_route(pool, await add_integration(pool), severities=severities)
    assert await tell(pool, change(severity=severity)) == (severity in severities)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"kinds": ["THRESHOLD", "INSIGHT"]}, True),
        ({"kinds": ["INSIGHT"]}, False),
        ({"site_ids": ["home"]}, True),
        ({"site_ids": ["cabin"]}, False),
        ({"device_ids": ["boiler"]}, True),
        ({"device_ids": ["boil*"]}, True),
        ({"device_ids": ["*"]}, True),
        ({"device_ids": ["boil"]}, False),
        ({"device_ids": ["boiler-*"]}, False),
        ({"device_ids": ["b%", "b_iler", "pump", "boilers*"]}, False),
        ({"deliver_on": ["cleared", "opened"]}, True),
        ({"deliver_on": ["cleared"]}, False),
        ({"enabled": False}, False),
        ({"kinds": ["THRESHOLD"], "site_ids": ["cabin"]}, False),
    ],
)
async def test_a_route_tells_of_what_passes_all_its_lists(pool: Pool, wanted: dict[str, Any], *, told: bool) -> None:
    await add_route(pool, await add_integration(pool), **wanted)
    assert await tell(pool, change()) == told


@pytest.mark.parametrize("name", ["opened", "raised", "acknowledged", "unacknowledged", "cleared"])
@pytest.mark.parametrize("deliver_on", [["opened"], ["cleared"], ["opened", "cleared"], ["raised", "unacknowledged"]])
async def test_a_route_tells_of_the_changes_that_it_names_alone(pool: Pool, deliver_on: list[str], name: str) -> None:
    await add_route(pool, await add_integration(pool), deliver_on=deliver_on)
    assert await tell(pool, change(change=name)) == (name in deliver_on)


async def test_an_alert_about_no_device_passes_no_list_of_devices(pool: Pool) -> None:
    integration = await add_integration(pool)
    await add_route(pool, integration, device_ids=["*"])
    await add_route(pool, integration, site_ids=["home"])
    assert await tell(pool, change(device_id=None, site_id=None)) == 0


async def test_nothing_is_told_to_an_integration_that_is_switched_off(pool: Pool) -> None:
    await add_route(pool, await add_integration(pool, enabled=False))
    assert await tell(pool, change()) == 0


async def test_the_same_change_is_told_once_however_often_it_is_written(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    told = change()
    assert await tell(pool, told) == 1
    assert await tell(pool, told, told) == 0
    assert len(await deliveries(database)) == 1


async def test_each_route_that_wants_a_change_tells_of_it_with_the_whole_payload(
    pool: Pool, database: Database
) -> None:
    integration = await add_integration(pool)
    routes = {await add_route(pool, integration), await add_route(pool, integration)}
    told = change(payload={"summary": 'Größe "x"', "details": {"value": 1.5}})
    assert await tell(pool, told) == 2
    rows = await deliveries(database)
    assert {row["route_id"] for row in rows} == routes
    assert [row["payload"] for row in rows] == 2 * [told.payload]
    assert {row["state"] for row in rows} == {"PENDING"}


async def test_what_is_told_vanishes_with_the_change_when_its_transaction_fails(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    with suppress(ZeroDivisionError):
        async with pool.tenant(HOME) as conn:
            assert await enqueue(conn, HOME, [change()]) == 1
            raise ZeroDivisionError
    assert await deliveries(database) == []


async def test_no_route_of_another_tenant_tells_of_it(pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await add_route(pool, await add_integration(pool, tenant_id=OTHER), tenant_id=OTHER)
    assert await tell(pool, change()) == 0


async def test_what_a_paused_route_has_to_tell_waits_for_the_end_of_its_pause(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool))
    await execute(database, "UPDATE alert_routes SET failures = 5, paused_until = now() + interval '1 hour'")
    await tell(pool, change())
    [row] = await deliveries(database)
    assert (row["next_at"] - row["created_at"]).total_seconds() == pytest.approx(3600, abs=60)
