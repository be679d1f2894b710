"""``/tenant/v1/usage`` over real HTTP: what was sent is counted, with what there may be."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.store import ingest_counts
from homeiq_server.store.ingest_counts import Count
from homeiq_server.store.moments import moment_us
from homeiq_server.store.pool import Pool
from tests.integration.api.ingest_served import Sending, add_device, message, sending
from tests.integration.store.tenant_rows import ACME, GLOBEX, add_customer, add_subscription, change
from tests.postgres import Database

PATH = "/tenant/v1/usage"
MIDNIGHT = datetime(2026, 3, 28, tzinfo=UTC)
NOTHING = {"messages": 0, "accepted": 0, "refused": 0, "metrics": 0, "bytes": 0, "outcomes": {}}


@pytest.fixture
async def http(pool: Pool, database: Database, tmp_path: Path) -> AsyncIterator[Sending]:
    """A server of the tenants ``acme`` and ``globex``."""
    await add_customer(database, limit=10)
    await add_customer(database, GLOBEX)
    async with sending(pool, tmp_path) as http:
        yield http


async def add(pool: Pool, hours: float, outcome: str = "ACCEPTED", *, messages: int = 1, tenant_id: str = ACME) -> None:
    """Count messages with two metrics and ten bytes each, some hours after midnight."""
    counted = Count(
        tenant_id=tenant_id,
        hour_us=moment_us(MIDNIGHT + timedelta(hours=hours)),
        outcome=outcome,
        messages=messages,
        metrics=2 * messages if outcome == "ACCEPTED" else 0,
        size=10 * messages,
    )
    async with pool.worker() as conn:
        await ingest_counts.add(conn, [counted])


async def used(http: Sending, tenant_id: str = ACME, **query: str) -> Any:  # noqa: ANN401 - any JSON value
    named = {"from": query.pop("since", None), "to": query.pop("until", None)}
    answer = await http.tenant(
        "GET", PATH, tenant_id=tenant_id, **query, **{name: given for name, given in named.items() if given}
    )
    assert answer.status == 200, answer.body
    return answer.body


def at(hours: float) -> str:
    return (MIDNIGHT + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


async def test_what_was_sent_is_counted_by_its_outcome(http: Sending, database: Database) -> None:
    await add_device(database)
    body = {"messages": [message(), message(metrics={"t": 1, "u": 2}), message(metrics={"t": None}), message("nobody")]}
    assert (await http.batch(body)).body["accepted"] == 2
    await http.counts.flush()
    answer = await used(http)
    assert {name: answer["total"][name] for name in ("messages", "accepted", "refused", "metrics")} == {
        "messages": 4,
        "accepted": 2,
        "refused": 2,
        "metrics": 3,
    }
    assert {name: each["messages"] for name, each in answer["total"]["outcomes"].items()} == {
        "ACCEPTED": 2,
        "METRIC_VALUE_INVALID": 1,
        "TOKEN_INVALID": 1,
    }
    assert answer["total"]["bytes"] > 200
    assert [each["usage"] for each in answer["usage"]] == [answer["total"]]
    assert (await used(http, GLOBEX))["total"] == NOTHING


async def test_hours_without_messages_are_left_out_and_the_others_come_in_order(http: Sending, pool: Pool) -> None:
    await add(pool, 5, messages=2)
    await add(pool, 3, messages=3)
    await add(pool, 3, "INVALID_JSON")
    await add(pool, 4, tenant_id=GLOBEX)
    answer = await used(http, since=at(0), until=at(24))
    assert [(each["at"], each["usage"]["messages"], each["usage"]["metrics"]) for each in answer["usage"]] == [
        (at(3), 4, 6),
        (at(5), 2, 4),
    ]
    assert answer["total"] == {
        "messages": 6,
        "accepted": 5,
        "refused": 1,
        "metrics": 10,
        "bytes": 60,
        "outcomes": {
            "ACCEPTED": {"messages": 5, "metrics": 10, "bytes": 50},
            "INVALID_JSON": {"messages": 1, "metrics": 0, "bytes": 10},
        },
    }


async def test_hours_within_the_time_that_is_asked_for_count_and_the_first_one_in_full(
    http: Sending, pool: Pool
) -> None:
    for hour in range(6):
        await add(pool, hour)
    answer = await used(http, since=at(1.5), until=at(4))
    assert [each["at"] for each in answer["usage"]] == [at(1), at(2), at(3)]
    assert (answer["from"], answer["to"]) == (at(1), at(4))


async def test_days_are_those_of_utc_whatever_the_zone_of_who_asks(http: Sending, pool: Pool) -> None:
    for hour in (-1, 0, 23, 24):
        await add(pool, hour)
    answer = await used(http, by="day", since="2026-03-27T23:30:00-01:00", until="2026-03-30T02:00:00+02:00")
    assert [(each["at"], each["usage"]["messages"]) for each in answer["usage"]] == [(at(0), 2), (at(24), 1)]


async def test_the_limits_are_those_of_now(http: Sending, database: Database) -> None:
    assert (await used(http))["limits"] == {
        "devices": 0,
        "device_limit": 10,
        "messages_per_second": 1000.0,
        "messages_burst": 5000,
    }
    for device_id, status in (("a", "ACTIVE"), ("b", "PENDING"), ("c", "INACTIVE"), ("d", "REVOKED"), ("e", "DELETED")):
        await add_device(database, device_id, status=status)
    await add_device(database, tenant_id=GLOBEX)
    await add_subscription(database, limit=5, kind="TRIAL", status="TRIAL")
    await add_subscription(database, limit=100, kind="TEMPORARY", status="EXPIRED")
    await change(
        database, "UPDATE tenants SET messages_per_second = 2.5, messages_burst = 7 WHERE tenant_id = $1", ACME
    )
    assert (await used(http))["limits"] == {
        "devices": 2,
        "device_limit": 15,
        "messages_per_second": 2.5,
        "messages_burst": 7,
    }
    await add_subscription(database, kind="TEMPORARY")
    assert (await used(http))["limits"]["device_limit"] is None


async def test_without_a_subscription_in_force_there_is_no_place(http: Sending, database: Database) -> None:
    await change(
        database, "UPDATE subscriptions SET status = 'SUSPENDED', device_limit = NULL WHERE tenant_id = $1", ACME
    )
    assert (await used(http))["limits"]["device_limit"] == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"by": "week"}, "by"),
        ({"from": at(1), "to": at(1)}, "earlier"),
        ({"from": at(2), "to": at(1)}, "earlier"),
        ({"from": at(0), "to": at(31 * 24 + 1)}, "31 days"),
        ({"from": at(0), "to": at(401 * 24), "by": "day"}, "400 days"),
        ({"from": "2026-03-28"}, "from"),
        ({"from": "2026-03-28T00:00:00"}, "from"),
        ({"from": "0001-01-01T00:00:00Z"}, "between"),
        ({"to": "9999-12-31T23:59:59Z"}, "between"),
        ({"to": "2000-01-01T00:00:00Z", "x": "1"}, "x"),
    ],
)
async def test_a_time_that_cannot_be_asked_for_is_refused(http: Sending, query: dict[str, str], words: str) -> None:
    answer = await http.tenant("GET", PATH, **query)
    assert answer.status == 400
    assert words in answer.body["detail"]


async def test_the_earliest_time_that_can_be_asked_for_is_answered(http: Sending) -> None:
    assert (await used(http, until="2000-01-01T00:00:00Z"))["usage"] == []
    assert (await used(http, by="day", until="2000-01-01T00:00:00Z"))["usage"] == []
