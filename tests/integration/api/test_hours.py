"""``/api/v1/hours`` over real HTTP, before a real database."""

import time
from collections.abc import Mapping

import pytest

from homeiq_server.insights.finding import Hour
from homeiq_server.store import hours
from homeiq_server.store.pool import Pool
from tests.integration.api.serving import Http, Json, ask, get
from tests.integration.store.rows import AT_US, HOME, HOUR_US, OTHER, SOURCE, add_tenant, hour
from tests.postgres import Database

THE_HOURS = {"source": SOURCE, "id": "power", "since_us": AT_US, "until_us": AT_US + 10 * HOUR_US}


async def add(pool: Pool, *given: Hour, tenant_id: str = HOME) -> None:
    async with pool.tenant(tenant_id) as conn:
        await hours.add(conn, tenant_id, SOURCE, given)


async def test_hours_are_answered_with_their_numbers_at_once(http: Http, pool: Pool) -> None:
    assert await get(http, "hours", **THE_HOURS) == {"hours": []}
    await add(pool, hour(1.5, 4, 2), hour(7, hour_us=AT_US + 3 * HOUR_US))
    await add(pool, hour(0, first_us=10_000_000))
    assert await get(http, "hours", **THE_HOURS) == {
        "hours": [
            {"start": "2026-11-18T11:06:40Z", "count": 4, "min": 0.0, "max": 4.0, "mean": 1.875, "last": 0.0},
            {"start": "2026-11-18T14:06:40Z", "count": 1, "min": 7.0, "max": 7.0, "mean": 7.0, "last": 7.0},
        ]
    }


async def test_the_end_is_not_within_and_the_beginning_is(http: Http, pool: Pool) -> None:
    await add(pool, *(hour(n, hour_us=AT_US + n * HOUR_US) for n in range(4)))
    shown = await get(http, "hours", **THE_HOURS | {"since_us": AT_US + HOUR_US, "until_us": AT_US + 3 * HOUR_US})
    assert [each["last"] for each in shown["hours"]] == [1, 2]


async def test_by_default_it_is_the_last_seven_days(http: Http, pool: Pool) -> None:
    now_us = time.time_ns() // 1_000
    await add(
        pool, hour(1, hour_us=now_us - 169 * HOUR_US), hour(2, hour_us=now_us - 167 * HOUR_US), hour(3, hour_us=now_us)
    )
    shown = await get(http, "hours", source=SOURCE, id="power")
    assert [each["last"] for each in shown["hours"]] == [2, 3]


async def test_another_entity_source_or_tenant_has_other_hours(http: Http, pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await add(pool, hour(1), tenant_id=OTHER)
    assert await get(http, "hours", **THE_HOURS) == {"hours": []}
    await add(pool, hour(1))
    for other in ({"id": "energy"}, {"source": "cottage"}):
        assert await get(http, "hours", **THE_HOURS | other) == {"hours": []}


REFUSED: Mapping[str, tuple[Json, str]] = {
    "no source": ({"id": "power"}, "source"),
    "no entity": ({"source": SOURCE}, "id"),
    "a beginning that is no number": (THE_HOURS | {"since_us": "monday"}, "since_us"),
    "an end before the beginning": (THE_HOURS | {"until_us": AT_US}, "until_us"),
    "more than a month": (THE_HOURS | {"until_us": AT_US + 751 * HOUR_US}, "since_us"),
    "an unknown parameter": (THE_HOURS | {"limit": 5}, "limit"),
    "a NUL": (THE_HOURS | {"id": "a\0"}, "id"),
}


@pytest.mark.parametrize(("parameters", "field"), REFUSED.values(), ids=REFUSED)
async def test_a_query_is_refused_by_the_name_of_its_fault(http: Http, parameters: Json, field: str) -> None:
    status, body = await ask(http, "hours", **parameters)
    assert (status, body["type"]) == (400, "about:blank#malformed")
    assert field in body["detail"]
