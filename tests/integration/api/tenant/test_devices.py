"""Devices in the tenant API."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from homeiq_server.api.cursor import cursor_of
from homeiq_server.api.tenant.caller import Scope
from homeiq_server.credentials import digest
from homeiq_server.store.known import load
from homeiq_server.store.pool import Pool
from tests.integration.api.device_serving import Asking, served
from tests.integration.store.tenant_rows import (
    ACME,
    GLOBEX,
    add_customer,
    add_subscription,
    as_it_is,
    change,
    count,
)
from tests.postgres import Database

type Client = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ACTIONS = ("revoke", "suspend", "reactivate", "rotate-token", "activation-code")
TAKEN = "SELECT count(*) FROM ingest_devices WHERE tenant_id = $1 AND status IN ('PENDING', 'ACTIVE')"


@pytest.fixture
async def acme(database: Database, pool: Pool, aiohttp_client: Client) -> Asking:
    """A client of a tenant with five places."""
    await add_customer(database, limit=5)
    return Asking(await aiohttp_client(served(pool)))


async def status_of(acme: Asking, device_id: str = "meter") -> str:
    return str((await acme.get(f"/{device_id}")).body["status"])


async def test_a_device_is_pending_with_a_code_until_it_fetches_its_token(acme: Asking, database: Database) -> None:
    made = await acme.post(body={"device_id": "meter", "site_id": "cellar", "name": "Meter", "heartbeat_s": 60})
    assert made.status == 201
    assert made.headers["Location"] == "/tenant/v1/devices/meter"
    assert made.headers["Cache-Control"] == "no-store"
    device = made.body["device"]
    assert (device["status"], device["site_id"], device["name"], device["has_token"]) == (
        "PENDING",
        "cellar",
        "Meter",
        False,
    )
    assert made.body["token"] is None
    ends = datetime.fromisoformat(device["activation_expires_at"])
    assert 59 * 60 < (ends - datetime.now(UTC)).total_seconds() <= 60 * 60
    code = made.body["activation_code"]
    assert (await as_it_is(database, ACME, "meter"))["activation_hash"] == digest(code)
    assert code not in str((await acme.get("/meter")).body)
    token = (await acme.activate("meter", code)).body["token"]
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(token)
    shown = (await acme.get("/meter")).body
    assert (shown["status"], shown["has_token"], shown["activation_expires_at"]) == ("ACTIVE", True, None)


async def test_a_device_with_a_token_is_active_at_once_and_its_token_is_shown_once(
    acme: Asking, database: Database
) -> None:
    made = await acme.post(body={"device_id": "meter", "token": True})
    assert (made.status, made.body["device"]["status"]) == (201, "ACTIVE")
    assert made.body["activation_code"] is None
    token = made.body["token"]
    row = await as_it_is(database, ACME, "meter")
    assert (row["token_hash"], row["provisioned_by"]) == (digest(token), "api")
    for path in ("/meter", ""):
        assert token not in str((await acme.get(path)).body)


async def test_an_id_that_is_taken_is_refused_and_what_is_there_is_left_alone(acme: Asking) -> None:
    first = await acme.post(body={"device_id": "meter", "name": "First", "token": True})
    again = await acme.post(body={"device_id": "meter", "name": "Second", "token": True})
    assert (again.status, "CONFLICT" in again.body["detail"]) == (409, True)
    assert (await acme.get("/meter")).body["name"] == "First"
    assert first.body["token"] not in str(again.body)


async def test_there_are_never_more_devices_than_places(acme: Asking, database: Database) -> None:
    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(acme.post(body={"device_id": f"meter-{n}"})) for n in range(12)]
    answers = [task.result() for task in made]
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 7
    assert all("NO_SUBSCRIPTION_CAPACITY" in answer.body["detail"] for answer in answers if answer.status == 409)
    assert await count(database, TAKEN, ACME) == 5


async def test_a_deleted_device_is_gone_once_and_its_place_is_free_once(acme: Asking, database: Database) -> None:
    for n in range(5):
        await acme.post(body={"device_id": f"meter-{n}"})
    assert (await acme.delete("meter-0")).status == 204
    assert (await acme.delete("meter-0")).status == 404
    assert (await acme.get("/meter-0")).status == 404
    assert [(await acme.post(body={"device_id": f"new-{n}"})).status for n in range(2)] == [201, 409]
    assert await count(database, TAKEN, ACME) == 5


async def test_a_deleted_device_can_be_made_again_with_nothing_of_what_it_was(acme: Asking, database: Database) -> None:
    old = await acme.post(body={"device_id": "meter", "name": "Old", "metadata": {"floor": 1}, "token": True})
    await change(
        database,
        "INSERT INTO device_states (tenant_id, device_id, last_seen_at) VALUES ($1, 'meter', now())",
        ACME,
    )
    await acme.delete("meter")
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] is None
    assert [each["device_id"] for each in (await acme.get("?status=DELETED")).body["devices"]] == ["meter"]
    new = await acme.post(body={"device_id": "meter"})
    assert new.status == 201
    device = new.body["device"]
    assert (device["name"], device["metadata"], device["status"], device["has_token"]) == (None, {}, "PENDING", False)
    assert device["created_at"] > old.body["device"]["created_at"]
    assert device["version"] > old.body["device"]["version"]
    assert (await acme.get("/meter")).body["last_seen_at"] is None


async def test_several_are_made_as_far_as_there_are_places_each_with_its_own_result(
    acme: Asking, database: Database
) -> None:
    await acme.post(body={"device_id": "b"})
    wanted = [{"device_id": device_id} for device_id in ("a", "b", "c", "a", "d", "e", "f")]
    done = await acme.post("/batch", {"devices": wanted, "token": True})
    assert (done.status, done.body["created"]) == (200, 4)
    results = done.body["results"]
    assert [(each["index"], each["device_id"], each["status"]) for each in results] == [
        (0, "a", "CREATED"),
        (1, "b", "CONFLICT"),
        (2, "c", "CREATED"),
        (3, "a", "CONFLICT"),
        (4, "d", "CREATED"),
        (5, "e", "CREATED"),
        (6, "f", "NO_SUBSCRIPTION_CAPACITY"),
    ]
    assert [each["token"] is not None for each in results] == [True, False, True, False, True, True, False]
    for each in results:
        if each["status"] == "CREATED":
            assert (await as_it_is(database, ACME, each["device_id"]))["token_hash"] == digest(each["token"])


async def test_codes_of_a_batch_are_good(acme: Asking) -> None:
    done = await acme.post("/batch", {"devices": [{"device_id": "a"}, {"device_id": "b"}]})
    for each in done.body["results"]:
        assert each["activation_expires_at"] is not None
        assert (await acme.activate(each["device_id"], each["activation_code"])).status == 200


async def test_a_place_can_be_asked_of_one_subscription(acme: Asking, database: Database) -> None:
    trial = await add_subscription(database, kind="TRIAL", status="TRIAL", limit=1)
    over = await add_subscription(database, kind="TEMPORARY", status="EXPIRED")
    await add_customer(database, GLOBEX)
    foreign = await add_subscription(database, GLOBEX)
    made = await acme.post(body={"device_id": "a", "subscription_id": str(trial)})
    assert made.body["device"]["subscription_id"] == str(trial)
    for subscription, status, word in (
        (trial, 409, "NO_SUBSCRIPTION_CAPACITY"),
        (over, 409, "SUBSCRIPTION_EXPIRED"),
        (foreign, 404, "no such subscription"),
        (UNKNOWN, 404, "no such subscription"),
    ):
        refused = await acme.post(body={"device_id": "b", "subscription_id": str(subscription)})
        assert (refused.status, word in refused.body["detail"]) == (status, True)
    listed = await acme.get(f"?subscription_id={trial}")
    assert [each["device_id"] for each in listed.body["devices"]] == ["a"]


async def test_pages_have_each_device_once_and_filters_leave_what_they_name(acme: Asking, database: Database) -> None:
    await change(database, "UPDATE subscriptions SET device_limit = NULL")
    wanted = [
        {"device_id": f"meter-{n:02}", "site_id": "cellar" if n % 2 else "roof", "name": f"Number {n}%"}
        for n in range(25)
    ]
    await acme.post("/batch", {"devices": wanted})
    pages, cursor = [], ""
    while cursor is not None:
        page = (await acme.get(f"?limit=10{cursor and f'&cursor={cursor}'}")).body
        pages.append([each["device_id"] for each in page["devices"]])
        cursor = page["next_cursor"]
    assert [len(page) for page in pages] == [10, 10, 5]
    ids = [device_id for page in pages for device_id in page]
    assert all(one < other for one, other in pairwise(ids))

    async def found(query: str) -> int:
        return len((await acme.get(f"?{query}")).body["devices"])

    assert await found("site_id=cellar") == 12
    assert await found("search=METER-1") == 10
    assert await found("search=number%202") == 6
    assert await found("search=%25") == 25
    assert await found("search=_") == 0
    await acme.delete("meter-00")
    assert (await found("status=DELETED"), await found("status=PENDING"), await found("")) == (1, 24, 24)
    for cursor in ("nonsense", cursor_of("meter"), cursor_of(("\x00",))):
        assert (await acme.get(f"?cursor={cursor}")).status == 400


async def test_a_patch_changes_what_it_names_and_nothing_else(acme: Asking) -> None:
    made = await acme.post(
        body={"device_id": "meter", "name": "Meter", "model": "M1", "heartbeat_s": 60, "metadata": {"a": 1}}
    )
    done = await acme.patch("meter", {"name": None, "heartbeat_s": 30, "metadata": {"b": [True, 2.5, "x"][1]}})
    assert done.status == 200
    body = done.body
    assert (body["name"], body["model"], body["heartbeat_s"], body["metadata"]) == (None, "M1", 30, {"b": 2.5})
    assert body["version"] == made.body["device"]["version"] + 1
    assert (await acme.get("/meter")).headers["ETag"] == done.headers["ETag"]
    assert (await acme.patch("meter", {})).status == 400


async def test_a_change_on_an_outdated_version_is_refused(acme: Asking) -> None:
    etag = (await acme.post(body={"device_id": "meter"})).headers["ETag"]
    assert (await acme.patch("meter", {"name": "One"}, If_Match=etag)).status == 200
    assert (await acme.patch("meter", {"name": "Two"}, If_Match=etag)).status == 412
    assert (await acme.delete("meter", If_Match=etag)).status == 412
    now = (await acme.get("/meter")).headers["ETag"]
    assert (await acme.delete("meter", If_Match=now)).status == 204


async def test_of_two_changes_of_one_version_exactly_one_is_made(acme: Asking) -> None:
    etag = (await acme.post(body={"device_id": "meter"})).headers["ETag"]
    answers = await asyncio.gather(*(acme.patch("meter", {"name": str(n)}, If_Match=etag) for n in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [412] * 7


async def test_a_revoked_device_has_no_token_and_takes_no_place(acme: Asking, database: Database) -> None:
    await acme.post(body={"device_id": "meter", "token": True})
    revoked = await acme.post("/meter/revoke")
    assert (revoked.status, revoked.body["status"], revoked.body["has_token"]) == (200, "REVOKED", False)
    again = await acme.post("/meter/revoke")
    assert (again.status, again.body["version"]) == (200, revoked.body["version"])
    assert await count(database, TAKEN, ACME) == 0
    for action in ("suspend", "rotate-token", "activation-code"):
        assert (await acme.post(f"/meter/{action}")).status == 409
    assert await status_of(acme) == "REVOKED"


async def test_a_revoked_device_that_is_taken_in_again_must_prove_itself_anew(acme: Asking) -> None:
    await acme.post(body={"device_id": "meter", "token": True})
    await acme.post("/meter/revoke")
    back = await acme.post("/meter/reactivate")
    assert (back.body["status"], back.body["has_token"]) == ("PENDING", False)
    code = (await acme.post("/meter/activation-code")).body["activation_code"]
    assert (await acme.activate("meter", code)).status == 200
    assert await status_of(acme) == "ACTIVE"


async def test_a_suspended_device_keeps_its_token_but_not_its_place(acme: Asking, database: Database) -> None:
    await acme.post(body={"device_id": "meter", "token": True})
    before = (await as_it_is(database, ACME, "meter"))["token_hash"]
    assert (await acme.post("/meter/suspend")).body["status"] == "INACTIVE"
    assert (await acme.post("/meter/suspend")).body["status"] == "INACTIVE"
    for n in range(5):
        assert (await acme.post(body={"device_id": f"other-{n}"})).status == 201
    full = await acme.post("/meter/reactivate")
    assert (full.status, "NO_SUBSCRIPTION_CAPACITY" in full.body["detail"]) == (409, True)
    await acme.delete("other-0")
    back = await acme.post("/meter/reactivate")
    assert (back.body["status"], (await as_it_is(database, ACME, "meter"))["token_hash"]) == ("ACTIVE", before)
    assert (await acme.post("/meter/reactivate")).status == 200


async def test_of_many_that_come_back_at_once_as_many_come_in_as_there_are_places(
    acme: Asking, database: Database
) -> None:
    await change(database, "UPDATE subscriptions SET device_limit = 20")
    ids = [f"meter-{n:02}" for n in range(20)]
    await acme.post("/batch", {"devices": [{"device_id": each} for each in ids]})
    for each in ids:
        await acme.post(f"/{each}/suspend")
    await change(database, "UPDATE subscriptions SET device_limit = 5")
    answers = await asyncio.gather(*(acme.post(f"/{each}/reactivate") for each in ids))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [409] * 15
    assert await count(database, TAKEN, ACME) == 5


async def test_the_old_token_is_dead_once_there_is_a_new_one(acme: Asking, database: Database) -> None:
    old = (await acme.post(body={"device_id": "meter", "token": True})).body["token"]
    new = await acme.post("/meter/rotate-token")
    assert (new.status, new.body["token"] != old) == (200, True)
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(new.body["token"])


async def test_a_token_for_a_pending_device_activates_it_and_its_code_is_good_no_more(acme: Asking) -> None:
    code = (await acme.post(body={"device_id": "meter"})).body["activation_code"]
    await acme.post("/meter/rotate-token")
    assert await status_of(acme) == "ACTIVE"
    assert (await acme.activate("meter", code)).status == 403


async def test_a_new_code_leaves_the_old_token_good_until_it_is_used(acme: Asking, database: Database) -> None:
    token = (await acme.post(body={"device_id": "meter", "token": True})).body["token"]
    code = (await acme.post("/meter/activation-code")).body["activation_code"]
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(token)
    new = (await acme.activate("meter", code)).body["token"]
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(new)


async def test_what_a_message_is_decided_by_follows_each_change(acme: Asking, pool: Pool) -> None:
    token = (await acme.post(body={"device_id": "meter", "token": True, "heartbeat_s": 10})).body["token"]

    async def known() -> Any:  # noqa: ANN401 - a few fields
        async with pool.worker() as conn:
            _, found = await load(conn, ACME, ["meter", "unknown"])
        assert found.keys() == {"meter"}
        device = found["meter"]
        return device.status, device.token_hash, device.subscription_status, device.heartbeat_s

    assert await known() == ("ACTIVE", digest(token), "ACTIVE", 10)
    await acme.post("/meter/revoke")
    assert await known() == ("REVOKED", None, "ACTIVE", 10)
    await acme.delete("meter")
    assert await known() == ("DELETED", None, "ACTIVE", 10)


async def test_the_devices_of_another_tenant_are_not_there(acme: Asking, database: Database) -> None:
    await add_customer(database, GLOBEX)
    await acme.post(body={"device_id": "meter", "token": True})
    before = await as_it_is(database, ACME, "meter")
    assert (await acme.get(tenant=GLOBEX)).body["devices"] == []
    assert (await acme.get("/meter", tenant=GLOBEX)).status == 404
    assert (await acme.patch("meter", {"name": "x"}, tenant=GLOBEX)).status == 404
    assert (await acme.delete("meter", tenant=GLOBEX)).status == 404
    for action in ACTIONS:
        assert (await acme.post(f"/meter/{action}", tenant=GLOBEX)).status == 404
    assert await as_it_is(database, ACME, "meter") == before
    assert (await acme.post(body={"device_id": "meter"}, tenant=GLOBEX)).status == 201


@pytest.mark.parametrize("device_id", ["unknown", "a%20b", "%C3%A4", "x" * 300, "batch"])
async def test_what_is_not_there_is_not_found(device_id: str, acme: Asking) -> None:
    assert (await acme.get(f"/{device_id}")).status == 404
    assert (await acme.delete(device_id)).status == 404
    for action in ACTIONS:
        assert (await acme.post(f"/{device_id}/{action}")).status == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"device_id": "a b"},
        {"device_id": "meter\n"},
        {"device_id": "m" * 129},
        {"device_id": "meter", "site_id": "-"},
        {"device_id": "meter", "name": "a\nb"},
        {"device_id": "meter", "name": "a\n"},
        {"device_id": "meter", "name": ""},
        {"device_id": "meter", "name": "n" * 256},
        {"device_id": "meter", "model": "\x00"},
        {"device_id": "meter", "model": "\ud800"},
        {"device_id": "meter", "metadata": {"\ud800": "\ud800"}},
        {"device_id": "meter", "heartbeat_s": 0},
        {"device_id": "meter", "metadata": []},
        {"device_id": "meter", "metadata": {"a": {"nested": 1}}},
        {"device_id": "meter", "metadata": {"a": "\x00"}},
        {"device_id": "meter", "metadata": {"\x00": 1}},
        {"device_id": "meter", "metadata": {"a": "x" * 1_001}},
        {"device_id": "meter", "metadata": {"a": 1e300}},
        {"device_id": "meter", "metadata": {"a": 10**40}},
        {"device_id": "meter", "metadata": {str(n): n for n in range(51)}},
        {"device_id": "meter", "tenant_id": GLOBEX},
        {"device_id": "meter", "subscription_id": "main"},
    ],
)
async def test_a_malformed_device_is_refused_and_not_made(wrong: dict[str, Any], acme: Asking) -> None:
    assert (await acme.post(body=wrong)).status == 400
    assert (await acme.post("/batch", {"devices": [{"device_id": "good"}, wrong]})).status == 400
    assert (await acme.get()).body["devices"] == []


async def test_the_largest_metadata_comes_back_as_it_went(acme: Asking) -> None:
    metadata = {"k" * 100: "ä" * 1_000, "n": -1_000_000_000_000_000, "f": 0.1, "b": True, "none": None, "": 1} | {
        f"m{n}": n for n in range(44)
    }
    del metadata[""]
    made = await acme.post(body={"device_id": "meter", "metadata": metadata})
    assert made.status == 201
    assert (await acme.get("/meter")).body["metadata"] == metadata


async def test_reading_does_not_allow_writing(pool: Pool, database: Database, aiohttp_client: Client) -> None:
    await add_customer(database)
    reader = Asking(await aiohttp_client(served(pool, frozenset({Scope.DEVICES_READ}))))
    assert (await reader.get()).status == 200
    assert (await reader.post(body={"device_id": "meter"})).status == 403
    assert (await reader.delete("meter")).status == 403
    for action in ACTIONS:
        assert (await reader.post(f"/meter/{action}")).status == 403
