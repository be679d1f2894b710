"""The operator makes, changes and deletes tenants; a tenant reaches its own settings alone."""

import asyncio

import pytest

from homeiq_server.credentials import digest
from tests.integration.api.tenant.tenants_served import APP, TENANTS, TenantApi, add_devices
from tests.postgres import Database, as_owner


async def test_a_new_tenant_has_a_main_subscription(api: TenantApi) -> None:
    made = await api.tenant(device_limit=5, contact="ops@acme.example", messages_per_second=10)
    assert (made["name"], made["status"], made["devices"], made["device_limit"]) == ("Acme", "ACTIVE", 0, 5)
    assert (made["contact"], made["messages_per_second"], made["messages_burst"]) == ("ops@acme.example", 10, None)
    subscription = await api.subscription()
    assert (subscription["kind"], subscription["status"], subscription["free"]) == ("MAIN", "ACTIVE", 5)
    assert subscription["term_end"] is None


async def test_a_new_tenant_can_begin_with_a_trial(api: TenantApi) -> None:
    await api.tenant(subscription={"kind": "TRIAL", "device_limit": 3, "term_days": 14, "grace_days": 0})
    subscription = await api.subscription()
    assert (subscription["status"], subscription["days_left"], subscription["grace_days"]) == ("TRIAL", 14, 0)


async def test_of_two_that_make_the_same_tenant_at_once_one_is_told_that_it_exists(api: TenantApi) -> None:
    body = {"tenant_id": "acme", "name": "Acme"}
    answers = await asyncio.gather(*(api.ask("POST", TENANTS, body) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409]
    assert len((await api.get(f"{TENANTS}/acme/subscriptions"))["subscriptions"]) == 1


@pytest.mark.parametrize("tenant_id", ["", "Acme", "a b", "a/b", "a.b", "-", "x" * 64, "ä", "a\x00", "acme\n"])
async def test_an_id_that_is_no_name_of_a_topic_is_refused(api: TenantApi, tenant_id: str) -> None:
    answer = await api.ask("POST", TENANTS, {"tenant_id": tenant_id, "name": "X"})
    assert (answer.status, answer.body["detail"].partition(":")[0]) == (400, "tenant_id")


async def test_the_list_has_every_tenant_once_by_pages_with_its_numbers(api: TenantApi, database: Database) -> None:
    for number in range(5):
        await api.tenant(f"t{number}", device_limit=number)
    await add_devices(database, "t3", (await api.subscription("t3"))["id"], ["a", "b"])
    found, cursor = [], ""
    while True:
        page = await api.get(f"{TENANTS}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        found += page["tenants"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert [each["tenant_id"] for each in found] == ["home", "t0", "t1", "t2", "t3", "t4"]
    assert [(each["devices"], each["device_limit"]) for each in found[-2:]] == [(2, 3), (0, 4)]
    assert found[0]["device_limit"] is None


async def test_a_change_wants_the_version_that_was_seen(api: TenantApi) -> None:
    await api.tenant()
    first = await api.ask("GET", f"{TENANTS}/acme")
    changed = await api.ask("PATCH", f"{TENANTS}/acme", {"name": "New"}, If_Match=first.headers["ETag"])
    assert (changed.status, changed.body["name"], changed.body["contact"]) == (200, "New", None)
    again = await api.ask("PATCH", f"{TENANTS}/acme", {"name": "Newer"}, If_Match=first.headers["ETag"])
    assert again.status == 412
    assert (await api.get(f"{TENANTS}/acme"))["name"] == "New"


async def test_a_suspended_tenant_is_refused_at_once_and_let_in_again(api: TenantApi) -> None:
    await api.tenant()
    token = await api.token()
    assert await api.status_with(token) == 200
    await api.ask("PATCH", f"{TENANTS}/acme", {"status": "SUSPENDED"})
    await _until(api, token, 403)
    await api.ask("PATCH", f"{TENANTS}/acme", {"status": "ACTIVE"})
    await _until(api, token, 200)


async def test_a_deleted_tenant_s_tokens_are_dead_even_when_it_comes_back(api: TenantApi) -> None:
    await api.tenant()
    token = await api.token()
    assert await api.status_with(token) == 200
    assert (await api.ask("DELETE", f"{TENANTS}/acme")).status == 204
    await _until(api, token, 401)
    assert (await api.ask("DELETE", f"{TENANTS}/acme")).status == 404
    assert (await api.ask("POST", f"{TENANTS}/acme/tokens", {"name": "t", "scopes": ["alerts:read"]})).status == 409
    assert (await api.ask("POST", TENANTS, {"tenant_id": "acme", "name": "Other"})).status == 409
    await api.ask("PATCH", f"{TENANTS}/acme", {"status": "ACTIVE"})
    assert await api.status_with(token) == 401
    assert await api.status_with(await api.token()) == 200


@pytest.mark.parametrize("tenant_id", ["home", "-"])
async def test_what_belongs_to_the_server_cannot_be_deleted(api: TenantApi, tenant_id: str) -> None:
    assert (await api.ask("DELETE", f"{TENANTS}/{tenant_id}")).status == 409


@pytest.mark.parametrize("tenant_id", ["nobody", "-", "a%20b", "%F0%9F%98%80"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"name": "X"}),
        ("POST", "/tokens", {"name": "t", "scopes": ["alerts:read"]}),
        ("GET", "/subscriptions", None),
        ("POST", "/subscriptions", {"kind": "MAIN"}),
        ("PATCH", "/subscriptions/11111111-1111-1111-1111-111111111111", {"plan": "x"}),
    ],
)
async def test_a_tenant_that_is_none_is_not_found(
    api: TenantApi, tenant_id: str, method: str, path: str, body: object
) -> None:
    assert (await api.ask(method, f"{TENANTS}/{tenant_id}{path}", body)).status == 404


async def test_no_token_of_a_tenant_may_do_what_the_operator_may(api: TenantApi) -> None:
    await api.tenant()
    token = await api.token()
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/acme"), ("PATCH", "/acme"), ("DELETE", "/acme")):
        assert (await api.ask(method, TENANTS + path, {}, token=token)).status == 403


async def test_a_tenant_sees_its_own_settings(api: TenantApi) -> None:
    await api.tenant()
    own = await api.get("/tenant/v1/tenant", token=await api.token(scopes=["alerts:read"]))
    assert (own["tenant_id"], own["auto_provision"], own["has_provisioning_key"]) == ("acme", False, False)
    assert (await api.get("/tenant/v1/tenant"))["tenant_id"] == "home"


async def test_devices_register_themselves_only_with_a_key(api: TenantApi, database: Database) -> None:
    await api.tenant()
    token, own, key_path = await api.token(), "/tenant/v1/tenant", "/tenant/v1/tenant/provisioning-key"
    assert (await api.ask("PATCH", own, {"auto_provision": True}, token=token)).status == 409
    first = (await api.make(key_path, token=token))["provisioning_key"]
    second = (await api.make(key_path, token=token))["provisioning_key"]
    assert first != second
    async with as_owner(database) as owner:
        kept = await owner.fetchval("SELECT provisioning_key_hash FROM tenants WHERE tenant_id = 'acme'")
    assert kept == digest(second)
    assert (await api.ask("PATCH", own, {"auto_provision": True}, token=token)).body["auto_provision"] is True
    assert (await api.ask("DELETE", key_path, token=token)).status == 204
    assert (await api.ask("DELETE", key_path, token=token)).status == 404
    gone = await api.get(own, token=token)
    assert (gone["auto_provision"], gone["has_provisioning_key"]) == (False, False)


async def test_a_suspension_is_told_to_every_server(api: TenantApi) -> None:
    await api.tenant()
    subscription = await api.subscription()
    heard = asyncio.Event()
    api.changes.follow(
        lambda change: heard.set() if (change.table, change.tenant_id) == ("subscriptions", "acme") else None,
        lambda: None,
    )
    await api.ask("PATCH", f"{TENANTS}/acme/subscriptions/{subscription['id']}", {"status": "SUSPENDED"})
    async with asyncio.timeout(10):
        await heard.wait()


async def test_secrets_are_in_no_answer_but_the_one_that_makes_them(api: TenantApi, database: Database) -> None:
    await api.tenant()
    token = await api.token()
    key = (await api.make("/tenant/v1/tenant/provisioning-key", token=token))["provisioning_key"]
    shown = str(
        [
            await api.get("/tenant/v1/tokens", token=token),
            await api.get("/tenant/v1/tenant", token=token),
            await api.get(f"{TENANTS}/acme"),
        ]
    )
    for secret in (token, key, digest(token).hex(), digest(key).hex(), APP):
        assert secret not in shown
    async with as_owner(database) as owner:
        kept = str([dict(row) for row in await owner.fetch("SELECT * FROM tenants NATURAL JOIN api_tokens")])
    assert token not in kept
    assert key not in kept


async def _until(api: TenantApi, token: str, status: int) -> None:
    """Wait until a change has been heard: the notice of the commit is on its way."""
    async with asyncio.timeout(10):
        while await api.status_with(token) != status:  # noqa: ASYNC110 - of the database
            await asyncio.sleep(0.01)
