"""How a device comes by its token."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from homeiq_server.credentials import digest
from homeiq_server.store.pool import Pool
from homeiq_server.store.provisioning import provision
from tests.integration.api.device_serving import Answer, Asking, served
from tests.integration.store.tenant_rows import ACME, GLOBEX, KEY, add_customer, as_it_is, change, count, new
from tests.postgres import Database

type Client = Callable[..., Awaitable[TestClient[web.Request, web.Application]]]

WRONG = "hik_" + "x" * 43


@pytest.fixture
async def asking(database: Database, pool: Pool, aiohttp_client: Client) -> Asking:
    """A client with a tenant of five places."""
    await add_customer(database, limit=5)
    return Asking(await aiohttp_client(served(pool)))


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["detail"]


async def code_of(asking: Asking, device_id: str = "meter") -> str:
    return str((await asking.post(body={"device_id": device_id})).body["activation_code"])


async def test_of_many_who_use_a_code_at_once_exactly_one_gets_a_token(asking: Asking, database: Database) -> None:
    code = await code_of(asking)
    answers = await asyncio.gather(*(asking.activate("meter", code) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 403, 403, 403, 403]
    token = next(answer.body["token"] for answer in answers if answer.status == 200)
    row = await as_it_is(database, ACME, "meter")
    assert (row["token_hash"], row["status"], row["activation_hash"]) == (digest(token), "ACTIVE", None)
    assert row["activated_at"] is not None


async def test_a_code_is_good_in_small_letters_and_without_its_dash(asking: Asking) -> None:
    assert (await asking.activate("meter", (await code_of(asking)).replace("-", "").lower())).status == 200


async def test_wrong_used_expired_and_unknown_are_one_answer(asking: Asking, database: Database) -> None:
    used, expired, good = [await code_of(asking, name) for name in ("used", "expired", "good")]
    await asking.activate("used", used)
    await change(
        database,
        "UPDATE ingest_devices SET activation_expires_at = now() - interval '1 second' WHERE device_id = 'expired'",
    )
    answers = [
        await asking.activate("used", used),
        await asking.activate("expired", expired),
        await asking.activate("good", "2222-22222"),
        await asking.activate("used", good),
        await asking.activate("unknown", good),
        await asking.activate("good", good, tenant="unknown"),
        await asking.activate("good", good, tenant="home"),
    ]
    assert len({told(answer) for answer in answers}) == 1
    assert answers[0].status == 403
    assert (await asking.activate("good", good)).status == 200


@pytest.mark.parametrize("action", ["revoke", "suspend"])
async def test_a_code_is_not_good_for_a_device_that_is_shut_out(action: str, asking: Asking) -> None:
    code = await code_of(asking)
    await asking.post(f"/meter/{action}")
    assert (await asking.activate("meter", code)).status == 403


async def test_a_code_is_not_good_in_a_suspended_tenant(asking: Asking, database: Database) -> None:
    code = await code_of(asking)
    await change(database, "UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = $1", ACME)
    assert (await asking.activate("meter", code)).status == 403


async def test_codes_cannot_be_tried_out(asking: Asking) -> None:
    code = await code_of(asking)
    answers = [await asking.activate("meter", "2222-22222") for _ in range(8)]
    assert [answer.status for answer in answers] == [403] * 5 + [429] * 3
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert (await asking.activate("meter", code)).status == 429
    other = await code_of(asking, "other")
    assert (await asking.activate("other", other)).status == 200


async def test_an_address_cannot_try_one_device_after_the_other(asking: Asking) -> None:
    answers = [await asking.activate(f"meter-{n}", "2222-22222") for n in range(80)]
    assert [answer.status for answer in answers] == [403] * 50 + [429] * 30


async def test_devices_that_are_in_order_are_never_told_to_wait(asking: Asking, database: Database) -> None:
    await change(database, "UPDATE subscriptions SET device_limit = NULL")
    assert {(await asking.provision(f"meter-{n}", KEY)).status for n in range(120)} == {201}


async def test_a_new_device_gets_a_token_for_the_key(asking: Asking, database: Database) -> None:
    done = await asking.provision("meter", KEY, site_id="cellar", name="Meter")
    assert (done.status, done.headers["Cache-Control"]) == (201, "no-store")
    row = await as_it_is(database, ACME, "meter")
    assert row["token_hash"] == digest(done.body["token"])
    assert (row["site_id"], row["name"], row["status"], row["provisioned_by"]) == ("cellar", "Meter", "ACTIVE", "key")


async def test_a_device_that_is_there_needs_its_own_token_for_a_new_one(asking: Asking, database: Database) -> None:
    first = (await asking.provision("meter", KEY)).body["token"]
    assert (await asking.provision("meter", KEY)).status == 403
    assert (await asking.provision("meter", KEY, token=KEY)).status == 403
    second = await asking.provision("meter", KEY, token=first)
    assert second.status == 200
    assert (await asking.provision("meter", KEY, token=first)).status == 403
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(second.body["token"])


async def test_the_key_is_the_proof_of_a_device_that_came_by_it_and_has_no_token_yet(
    asking: Asking, pool: Pool
) -> None:
    async with pool.tenant(ACME) as conn:
        await provision(conn, ACME, new("meter"))
    assert (await asking.provision("meter", KEY)).status == 200
    assert (await asking.provision("meter", KEY)).status == 403


async def test_the_key_is_no_proof_of_a_device_whose_own_token_was_taken(asking: Asking) -> None:
    await asking.provision("meter", KEY)
    await asking.post("/meter/revoke")
    assert (await asking.provision("meter", KEY)).status == 403
    assert (await asking.post("/meter/reactivate")).body["status"] == "PENDING"
    assert (await asking.provision("meter", KEY)).status == 403


async def test_the_key_is_no_proof_of_a_device_that_was_registered_by_hand(asking: Asking) -> None:
    await asking.post(body={"device_id": "meter"})
    assert (await asking.provision("meter", KEY)).status == 403
    await asking.post(body={"device_id": "other", "token": True})
    assert (await asking.provision("other", KEY)).status == 403


@pytest.mark.parametrize("action", ["revoke", "suspend"])
async def test_the_own_token_is_no_proof_of_a_device_that_is_shut_out(action: str, asking: Asking) -> None:
    token = (await asking.provision("meter", KEY)).body["token"]
    await asking.post(f"/meter/{action}")
    assert (await asking.provision("meter", KEY, token=token)).status == 403


async def test_a_deleted_device_does_not_come_back_by_itself(asking: Asking) -> None:
    token = (await asking.provision("meter", KEY)).body["token"]
    await asking.delete("meter")
    assert (await asking.provision("meter", KEY, token=token)).status == 403


async def test_of_many_who_register_one_device_at_once_exactly_one_gets_a_token(
    asking: Asking, database: Database
) -> None:
    answers = await asyncio.gather(*(asking.provision("meter", KEY) for _ in range(5)))
    assert min(answer.status for answer in answers) == 201
    assert {answer.status for answer in answers} <= {201, 403, 409}
    tokens = [answer.body["token"] for answer in answers if answer.status == 201]
    assert len(tokens) == 1
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(tokens[0])


async def test_of_many_who_renew_a_token_at_once_exactly_one_does(asking: Asking, database: Database) -> None:
    token = (await asking.provision("meter", KEY)).body["token"]
    answers = await asyncio.gather(*(asking.provision("meter", KEY, token=token) for _ in range(5)))
    assert {answer.status for answer in answers} <= {200, 403, 409}
    tokens = [answer.body["token"] for answer in answers if answer.status == 200]
    assert len(tokens) == 1
    assert (await as_it_is(database, ACME, "meter"))["token_hash"] == digest(tokens[0])


async def test_there_is_no_token_without_a_place(asking: Asking, database: Database) -> None:
    answers = await asyncio.gather(*(asking.provision(f"meter-{n}", KEY) for n in range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 7
    assert all("NO_SUBSCRIPTION_CAPACITY" in answer.body["detail"] for answer in answers if answer.status == 409)
    assert await count(database, "SELECT count(*) FROM ingest_devices") == 5


async def test_whoever_has_no_key_learns_nothing(asking: Asking, database: Database) -> None:
    await asking.provision("meter", KEY)
    await add_customer(database, "off")
    await change(database, "UPDATE tenants SET auto_provision = false WHERE tenant_id = 'off'")
    await add_customer(database, "away")
    await change(database, "UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = 'away'")
    await add_customer(database, GLOBEX, key=WRONG)
    answers = [
        await asking.provision("meter", WRONG),
        await asking.provision("new", WRONG),
        await asking.provision("new", KEY, tenant="home"),
        await asking.provision("new", KEY, tenant="unknown"),
        await asking.provision("new", KEY, tenant="off"),
        await asking.provision("new", KEY, tenant="away"),
        await asking.provision("new", KEY, tenant=GLOBEX),
    ]
    assert len({told(answer) for answer in answers}) == 1
    assert answers[0].status == 403
    assert await count(database, "SELECT count(*) FROM ingest_devices") == 1


@pytest.mark.parametrize("tenant", ["-", "", "Acme", "acme\n", "a" * 64, "a'b"])
async def test_a_malformed_tenant_is_refused(tenant: str, asking: Asking) -> None:
    assert (await asking.activate("meter", "x", tenant=tenant)).status == 400
    assert (await asking.provision("meter", KEY, tenant=tenant)).status == 400


async def test_no_problem_has_a_secret_in_it(asking: Asking) -> None:
    code = await code_of(asking)
    token = (await asking.provision("other", KEY)).body["token"]
    for answer in (
        await asking.activate("unknown", code),
        await asking.provision("other", KEY, token=WRONG),
        await asking.provision("meter", KEY, token=token),
        await asking.ask("POST", "/ingest/v1/provision", {"provisioning_key": KEY}),
    ):
        assert answer.status in (400, 403)
        assert not [secret for secret in (code, token, KEY, WRONG) if secret in str(answer.body)]
