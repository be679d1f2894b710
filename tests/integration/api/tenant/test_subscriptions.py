"""Subscriptions: what is taken is counted, a term is renewed once, and whatever changes is in the audit."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from homeiq_server.store.pool import Pool
from homeiq_server.store.provisioning import NewDevice, provision
from tests.integration.api.tenant.tenants_served import (
    TENANTS,
    Answer,
    Json,
    TenantApi,
    add_devices,
    audit,
    statuses,
)
from tests.postgres import Database, as_owner

_OWN = "/tenant/v1/subscriptions"
_DAY = timedelta(days=1)


async def _customer(api: TenantApi, *, limit: int | None = 5, days: int = 100) -> tuple[str, Json]:
    """Make a tenant; return its token and its subscription."""
    await api.tenant(subscription={"kind": "MAIN", "device_limit": limit, "term_days": days, "plan": "basic"})
    return await api.token(), await api.subscription()


async def _renew(
    api: TenantApi, token: str, subscription: Json, key: str = "k1", /, *, without: Sequence[str] = (), **fields: object
) -> Answer:
    body = {"expected_term_end": subscription["term_end"], "devices_to_deactivate": without} | fields
    path = f"{_OWN}/{subscription['id']}/renewals"
    return await api.ask("POST", path, body, token=token, Idempotency_Key=key)


def _end(subscription: Json) -> datetime:
    return datetime.fromisoformat(subscription["term_end"])


async def test_places_are_counted_from_the_devices(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    await add_devices(database, "acme", subscription["id"], ["a", "b", "c"])
    async with as_owner(database) as owner:
        await owner.execute("UPDATE ingest_devices SET status = 'INACTIVE' WHERE device_id = 'c'")
        await owner.execute("UPDATE ingest_devices SET status = 'PENDING' WHERE device_id = 'b'")
    found = await api.get(_OWN, token=token)
    assert [(each["taken"], each["free"]) for each in found["subscriptions"]] == [(2, 3)]
    assert found["summary"] == {
        "subscriptions": 1,
        "device_limit": 5,
        "taken": 2,
        "free": 3,
        "term_end": subscription["term_end"],
        "days_left": 100,
    }
    assert await api.get(f"{_OWN}/{subscription['id']}", token=token) == found["subscriptions"][0]


async def test_the_home_has_a_subscription_without_limit_and_end(api: TenantApi) -> None:
    found = await api.get(_OWN)
    assert [(each["device_limit"], each["term_end"]) for each in found["subscriptions"]] == [(None, None)]
    assert (found["summary"]["free"], found["summary"]["days_left"]) == (None, None)


async def test_a_renewed_term_begins_where_the_present_one_ends(api: TenantApi) -> None:
    token, subscription = await _customer(api)
    answer = await _renew(api, token, subscription, term_days=30)
    assert answer.status == 200
    renewed = answer.body["subscription"]
    assert _end(renewed) == _end(subscription) + 30 * _DAY
    assert (renewed["term_start"], renewed["device_limit"]) == (subscription["term_start"], 5)
    assert answer.headers["ETag"] == f'"{renewed["version"]}"' != f'"{subscription["version"]}"'


async def test_a_term_that_is_over_is_renewed_from_now_on(api: TenantApi) -> None:
    token, subscription = await _customer(api)
    api.clock.forward(days=150)
    renewed = (await _renew(api, token, subscription)).body["subscription"]
    assert _end(renewed) == api.clock.now + 365 * _DAY
    assert datetime.fromisoformat(renewed["term_start"]) == api.clock.now


async def test_an_upgrade_with_months_left_works(api: TenantApi) -> None:
    token, subscription = await _customer(api, days=300)
    first = (await _renew(api, token, subscription, "k1")).body["subscription"]
    second = await _renew(api, token, first, "k2", device_limit=50, plan="large")
    assert (second.status, second.body["subscription"]["device_limit"]) == (200, 50)
    assert second.body["subscription"]["plan"] == "large"
    assert _end(second.body["subscription"]) == _end(subscription) + 730 * _DAY


@pytest.mark.parametrize("status", ["SUSPENDED", "EXPIRED", "GRACE", "TRIAL"])
async def test_whatever_is_renewed_is_active(api: TenantApi, status: str) -> None:
    token, subscription = await _customer(api)
    await api.ask("PATCH", f"{TENANTS}/acme/subscriptions/{subscription['id']}", {"status": status})
    assert (await _renew(api, token, subscription)).body["subscription"]["status"] == "ACTIVE"


async def test_of_many_renewals_with_one_key_at_once_one_is_done(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    await add_devices(database, "acme", subscription["id"], ["a", "b", "c"])
    answers = await asyncio.gather(
        *(_renew(api, token, subscription, device_limit=1, without=["a", "b"]) for _ in range(6))
    )
    assert [answer.status for answer in answers] == [200] * 6
    assert all(answer.body == answers[0].body for answer in answers)
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None] + ["true"] * 5
    assert len(await audit(database, "acme", "RENEWED")) == 1
    assert await statuses(database, "acme") == {"a": "INACTIVE", "b": "INACTIVE", "c": "ACTIVE"}
    assert _end(await api.subscription()) == _end(subscription) + 365 * _DAY
    async with as_owner(database) as owner:
        versions = await owner.fetch("SELECT version FROM ingest_devices ORDER BY device_id")
    assert [row["version"] for row in versions] == [2, 2, 1]


async def test_of_many_renewals_with_keys_of_their_own_one_is_done(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    answers = await asyncio.gather(*(_renew(api, token, subscription, f"k{n}") for n in range(6)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 5
    assert len(await audit(database, "acme", "RENEWED")) == 1
    refused = next(answer for answer in answers if answer.status == 409)
    assert (await api.subscription())["term_end"].rstrip("Z")[:19] in refused.body["detail"]


async def test_a_key_is_for_one_request(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    await _renew(api, token, subscription)
    other = await _renew(api, token, subscription, term_days=30)
    assert (other.status, other.body["type"]) == (422, "about:blank#key-reused")
    elsewhere = await _renew(api, token, subscription | {"id": str(uuid4())})
    assert elsewhere.status == 422
    assert len(await audit(database, "acme", "RENEWED")) == 1


async def test_a_key_of_another_tenant_is_another_key(api: TenantApi) -> None:
    token, subscription = await _customer(api)
    await api.tenant("other", subscription={"kind": "MAIN", "term_days": 10})
    assert (await _renew(api, token, subscription)).status == 200
    answer = await _renew(api, await api.token("other"), await api.subscription("other"))
    assert (answer.status, answer.headers.get("Idempotency-Replayed")) == (200, None)


async def test_a_request_that_failed_may_try_again_with_its_key(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    await add_devices(database, "acme", subscription["id"], ["a", "b"])
    assert (await _renew(api, token, subscription, device_limit=1)).status == 409
    assert (await _renew(api, token, subscription, device_limit=1, without=["a"])).status == 200


@pytest.mark.parametrize("key", ["", " ", "ä", "x" * 256])
async def test_a_renewal_without_a_key_is_refused(api: TenantApi, key: str) -> None:
    token, subscription = await _customer(api)
    assert (await _renew(api, token, subscription, key)).status == 400
    body = {"expected_term_end": subscription["term_end"]}
    assert (await api.ask("POST", f"{_OWN}/{subscription['id']}/renewals", body, token=token)).status == 400


@pytest.mark.parametrize("listed", [[], ["a"], ["a", "a"], ["a", "gone"], ["a", "foreign"], ["a", "idle"], ["a", "x"]])
async def test_there_are_not_fewer_places_than_are_taken(api: TenantApi, database: Database, listed: list[str]) -> None:
    token, subscription = await _customer(api)
    await add_devices(database, "acme", subscription["id"], ["a", "b", "c", "idle"])
    extra = await api.make(f"{TENANTS}/acme/subscriptions", {"kind": "MAIN"})
    await add_devices(database, "acme", extra["id"], ["x"])
    await api.tenant("other")
    await add_devices(database, "other", (await api.subscription("other"))["id"], ["a", "foreign"])
    async with as_owner(database) as owner:
        await owner.execute("UPDATE ingest_devices SET status = 'REVOKED' WHERE device_id = 'idle'")
    before = await statuses(database, "acme")
    answer = await _renew(api, token, subscription, device_limit=1, without=listed)
    assert answer.status == 409
    assert await statuses(database, "acme") == before
    assert await statuses(database, "other") == {"a": "ACTIVE", "foreign": "ACTIVE"}
    assert (await api.subscription())["version"] == subscription["version"]


async def test_a_device_of_the_same_name_of_another_tenant_keeps_its_place(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    await api.tenant("other")
    await add_devices(database, "acme", subscription["id"], ["a", "b"])
    await add_devices(database, "other", (await api.subscription("other"))["id"], ["a", "b"])
    answer = await _renew(api, token, subscription, device_limit=1, without=["a"])
    assert (answer.status, answer.body["devices_deactivated"]) == (200, ["a"])
    assert answer.body["subscription"]["taken"] == 1
    assert await statuses(database, "other") == {"a": "ACTIVE", "b": "ACTIVE"}


async def test_the_refusal_tells_how_many_places_are_missing(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    await add_devices(database, "acme", subscription["id"], ["a", "b", "c", "d"])
    answer = await _renew(api, token, subscription, device_limit=1, without=["d"])
    assert "3 places would be taken, 2 more than there are" in answer.body["detail"]


async def test_nobody_comes_between_the_count_and_the_renewal(api: TenantApi, database: Database) -> None:
    token, subscription = await _customer(api)
    async with as_owner(database) as owner:
        async with owner.transaction():
            await owner.fetch("SELECT FROM subscriptions WHERE tenant_id = 'acme' FOR UPDATE")
            await owner.execute(
                "INSERT INTO ingest_devices (tenant_id, device_id, subscription_id, status, provisioned_by)"
                " SELECT 'acme', n::text, $1, 'ACTIVE', 'key' FROM generate_series(1, 3) AS n",
                subscription["id"],
            )
            waiting = asyncio.create_task(_renew(api, token, subscription, device_limit=2), name="renewal")
            async with asyncio.timeout(10):
                while not await _somebody_waits(database):  # noqa: ASYNC110 - of the database
                    await asyncio.sleep(0.01)
        assert (await waiting).status == 409


async def _somebody_waits(database: Database) -> bool:
    async with as_owner(database) as owner:
        return bool(await owner.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))


@pytest.mark.parametrize(
    "fields",
    [
        {"term_days": 0},
        {"term_days": 4_000},
        {"term_days": 30, "term_end": "2060-01-01T00:00:00Z"},
        {"term_end": "2001-01-01T00:00:00Z"},
        {"term_end": "9999-12-31T00:00:00Z"},
        {"term_end": None, "expected_term_end": None},
        {"expected_term_end": "0001-01-01T00:00:00+23:00"},
        {"expected_term_end": "2199-12-31T00:00:00Z"},
        {"device_limit": -1},
        {"device_limit": None},
        {"devices_to_deactivate": ["a\n"]},
        {"devices_to_deactivate": ["a\x00"]},
        {"more": 1},
    ],
)
async def test_what_is_no_renewal_is_refused(api: TenantApi, fields: dict[str, object]) -> None:
    token, subscription = await _customer(api)
    body = {"expected_term_end": subscription["term_end"]} | fields
    path = f"{_OWN}/{subscription['id']}/renewals"
    assert (await api.ask("POST", path, body, token=token, Idempotency_Key="k")).status == 400


async def test_what_never_ends_is_not_renewed(api: TenantApi) -> None:
    home = (await api.get(_OWN))["subscriptions"][0]
    body = {"expected_term_end": "2030-01-01T00:00:00Z"}
    answer = await api.ask("POST", f"{_OWN}/{home['id']}/renewals", body, Idempotency_Key="k")
    assert answer.status == 409


async def test_another_tenant_s_subscription_is_not_found(api: TenantApi) -> None:
    token, _ = await _customer(api)
    home = (await api.get(_OWN))["subscriptions"][0]
    for found in (home["id"], str(uuid4()), "x"):
        assert (await api.ask("GET", f"{_OWN}/{found}", token=token)).status == 404
        assert (await api.ask("GET", f"{_OWN}/{found}/audit", token=token)).status == 404
        assert (await _renew(api, token, {"id": found, "term_end": "2030-01-01T00:00:00Z"})).status == 404


async def test_an_addon_ends_with_its_parent(api: TenantApi, database: Database) -> None:
    token, parent = await _customer(api)
    body = {"kind": "ADDON", "parent_id": parent["id"], "device_limit": 2}
    addon = await api.make(f"{TENANTS}/acme/subscriptions", body)
    assert addon["term_end"] == parent["term_end"]
    assert (await _renew(api, token, addon)).status == 409
    await api.ask("PATCH", f"{TENANTS}/acme/subscriptions/{addon['id']}", {"status": "SUSPENDED"})
    renewed = (await _renew(api, token, parent, "k2")).body["subscription"]
    shown = await api.get(f"{_OWN}/{addon['id']}", token=token)
    assert (shown["term_end"], shown["status"]) == (renewed["term_end"], "ACTIVE")
    assert [row["actor"].partition(":")[0] for row in await audit(database, "acme", "INHERITED")] == ["token"]
    later = (_end(renewed) + _DAY).isoformat()
    await api.ask("PATCH", f"{TENANTS}/acme/subscriptions/{parent['id']}", {"term_end": later})
    assert _end(await api.get(f"{_OWN}/{addon['id']}", token=token)) == _end(renewed) + _DAY
    summary = (await api.get(_OWN, token=token))["summary"]
    assert (summary["subscriptions"], summary["device_limit"]) == (2, 7)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "ADDON"}, 400),
        ({"kind": "ADDON", "parent_id": "11111111-1111-1111-1111-111111111111"}, 400),
        ({"kind": "MAIN", "parent_id": "11111111-1111-1111-1111-111111111111"}, 400),
        ({"kind": "TRIAL", "term_end": "2001-01-01T00:00:00Z"}, 409),
        ({"kind": "OTHER"}, 400),
        ({"kind": "MAIN", "grace_days": 366}, 400),
        ({"kind": "MAIN", "device_limit": 2**31}, 400),
    ],
)
async def test_what_is_no_subscription_is_refused(api: TenantApi, body: object, status: int) -> None:
    assert (await api.ask("POST", f"{TENANTS}/home/subscriptions", body)).status == status


@pytest.mark.parametrize("status", ["ACTIVE", "SUSPENDED"])
async def test_an_addon_s_parent_is_the_tenant_s_own(api: TenantApi, status: str) -> None:
    await _customer(api)
    await api.ask("PATCH", f"{TENANTS}/acme", {"status": status})
    home = (await api.get(_OWN))["subscriptions"][0]
    answer = await api.ask(
        "POST", f"{TENANTS}/acme/subscriptions", {"kind": "ADDON", "parent_id": home["id"], "device_limit": 2}
    )
    assert answer.status == 400


async def test_the_operator_takes_no_places_that_are_taken(api: TenantApi, database: Database) -> None:
    _, subscription = await _customer(api)
    await add_devices(database, "acme", subscription["id"], ["a", "b", "c"])
    path = f"{TENANTS}/acme/subscriptions/{subscription['id']}"
    refused = await api.ask("PATCH", path, {"device_limit": 2})
    assert (refused.status, "3 places are taken, 1 more" in refused.body["detail"]) == (409, True)
    assert (await api.ask("PATCH", path, {"device_limit": 3})).body["free"] == 0
    assert (await api.ask("PATCH", path, {"device_limit": None})).body["free"] is None


async def test_the_operator_s_change_wants_the_version_that_was_seen(api: TenantApi) -> None:
    _, subscription = await _customer(api)
    path = f"{TENANTS}/acme/subscriptions/{subscription['id']}"
    changed = await api.ask("PATCH", path, {"plan": "x"}, If_Match=f'"{subscription["version"]}"')
    assert (changed.status, changed.headers["ETag"]) == (200, f'"{subscription["version"] + 1}"')
    assert (await api.ask("PATCH", path, {"plan": "y"}, If_Match=f'"{subscription["version"]}"')).status == 412
    assert (await api.ask("PATCH", path, {}, If_Match=changed.headers["ETag"])).body == changed.body
    assert (await api.ask("PATCH", path, {"term_end": "2001-01-01T00:00:00Z"})).status == 400


async def test_every_change_is_in_the_audit_with_who_did_it(api: TenantApi) -> None:
    token, subscription = await _customer(api)
    await _renew(api, token, subscription, device_limit=9)
    await api.ask("PATCH", f"{TENANTS}/acme/subscriptions/{subscription['id']}", {"status": "SUSPENDED"})
    path = f"{_OWN}/{subscription['id']}/audit"
    newest = await api.get(f"{path}?limit=2", token=token)
    oldest = await api.get(f"{path}?limit=2&cursor={newest['next_cursor']}", token=token)
    entries = newest["audit"] + oldest["audit"]
    begins = (await api.get("/tenant/v1/tokens", token=token))["tokens"][0]["begins"].rpartition(".")[2]
    assert [(each["event"], each["actor"]) for each in entries] == [
        ("CHANGED", "app"),
        ("RENEWED", f"token:{begins}"),
        ("CREATED", "app"),
    ]
    changed, renewed, created = entries
    assert (created["before"], created["after"]["device_limit"]) == (None, 5)
    assert (renewed["before"]["device_limit"], renewed["after"]["device_limit"]) == (5, 9)
    assert (changed["before"]["status"], changed["after"]["status"]) == ("ACTIVE", "SUSPENDED")
    assert oldest["next_cursor"] is None


async def test_pages_of_subscriptions_have_each_once(api: TenantApi) -> None:
    await _customer(api)
    for _ in range(4):
        await api.make(f"{TENANTS}/acme/subscriptions", {"kind": "TEMPORARY", "term_days": 3, "device_limit": 1})
    token, found, cursor = await api.token(), [], ""
    while True:
        page = await api.get(f"{_OWN}?limit=2" + (f"&cursor={cursor}" if cursor else ""), token=token)
        found += [each["id"] for each in page["subscriptions"]]
        assert (page["summary"]["subscriptions"], page["summary"]["days_left"]) == (5, 3)
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(found) == len(set(found)) == 5


async def test_renewals_and_first_messages_at_once_neither_block_nor_oversell(
    api: TenantApi, pool: Pool, database: Database
) -> None:
    token, parent = await _customer(api, limit=20)
    for _ in range(2):
        await api.make(f"{TENANTS}/acme/subscriptions", {"kind": "ADDON", "parent_id": parent["id"], "device_limit": 5})

    async def register(number: int) -> None:
        async with pool.tenant("acme") as conn:
            await provision(conn, "acme", [NewDevice(device_id=f"d{number}", site_id="home")])

    async def renew(number: int) -> int:
        present = await api.subscription()
        return (await _renew(api, token, present, f"k{number}", device_limit=10)).status

    renewals = [renew(number) for number in range(10)]
    await asyncio.gather(*(register(number) for number in range(40)), *renewals)
    found = (await api.get(_OWN, token=token))["subscriptions"]
    limits = [each["device_limit"] for each in found]
    assert all(each["taken"] <= each["device_limit"] for each in found)
    assert sum(each["taken"] for each in found) == len(await statuses(database, "acme")) == sum(limits)
    assert len({each["term_end"] for each in found}) == 1
