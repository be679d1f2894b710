"""Tokens: shown once, never more than their maker's, dead at once when revoked."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from homeiq_server.api.tenant.tokens import MOST
from homeiq_server.credentials import digest, new_api_token
from tests.integration.api.tenant.tenants_served import TENANTS, TenantApi
from tests.postgres import Database, as_owner

_TOKENS = "/tenant/v1/tokens"
_READ = {"name": "reader", "scopes": ["alerts:read", "alerts:read", "devices:read"]}


async def test_a_token_is_shown_once_and_listed_by_how_it_begins(api: TenantApi) -> None:
    made = await api.make(_TOKENS, _READ)
    token = made["token"]
    assert token.startswith(made["begins"])
    assert len(token) - len(made["begins"]) >= 36
    assert made["scopes"] == ["alerts:read", "devices:read"]
    (listed,) = (await api.get(_TOKENS))["tokens"]
    assert listed == {name: value for name, value in made.items() if name != "token"}


async def test_a_token_of_the_home_does_what_it_allows_and_no_more(api: TenantApi) -> None:
    token = (await api.make(_TOKENS, _READ))["token"]
    assert (await api.get("/tenant/v1/tenant", token=token))["tenant_id"] == "home"
    assert (await api.ask("GET", _TOKENS, token=token)).status == 403
    assert (await api.ask("GET", TENANTS, token=token)).status == 403


async def test_a_token_cannot_make_one_that_may_more(api: TenantApi) -> None:
    await api.tenant()
    token = await api.token(scopes=["tokens:write", "alerts:read"])
    refused = await api.ask("POST", _TOKENS, {"name": "x", "scopes": ["alerts:read", "devices:write"]}, token=token)
    assert (refused.status, "devices:write" in refused.body["detail"]) == (403, True)
    made = await api.make(_TOKENS, {"name": "x", "scopes": ["alerts:read"]}, token=token)
    assert await api.status_with(made["token"]) == 200


@pytest.mark.parametrize("path", [_TOKENS, f"{TENANTS}/home/tokens"])
async def test_not_even_the_operator_grants_what_only_the_operator_may(api: TenantApi, path: str) -> None:
    assert (await api.ask("POST", path, {"name": "x", "scopes": ["operator"]})).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["all"]},
        {"name": "", "scopes": ["alerts:read"]},
        {"name": "a\x00", "scopes": ["alerts:read"]},
        {"name": "x", "scopes": ["alerts:read"], "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "scopes": ["alerts:read"], "expires_at": "9999-12-31T23:59:59-23:59"},
        {"name": "x", "scopes": ["alerts:read"], "expires_at": "0001-01-01T00:00:00+23:59"},
        {"name": "x", "scopes": ["alerts:read"], "expires_at": "2030-01-01T00:00:00"},
        {"name": "x", "scopes": ["alerts:read"], "tenant_id": "other"},
    ],
)
async def test_what_is_no_token_is_refused(api: TenantApi, body: object) -> None:
    assert (await api.ask("POST", _TOKENS, body)).status == 400


async def test_revoking_happens_once_and_counts_at_once(api: TenantApi) -> None:
    made = await api.make(_TOKENS, _READ)
    assert await api.status_with(made["token"]) == 200
    assert (await api.ask("DELETE", f"{_TOKENS}/{made['id']}")).status == 204
    assert (await api.ask("DELETE", f"{_TOKENS}/{made['id']}")).status == 404
    async with asyncio.timeout(10):
        while await api.status_with(made["token"]) != 401:  # noqa: ASYNC110 - of the database
            await asyncio.sleep(0.01)
    assert (await api.get(_TOKENS))["tokens"] == []


async def test_another_tenant_s_token_is_neither_listed_nor_revoked(api: TenantApi) -> None:
    await api.tenant()
    own = await api.token(scopes=["tokens:write", "tokens:read"])
    foreign = await api.make(_TOKENS, _READ)
    for token_id in (foreign["id"], str(uuid4()), "7", "%00", "x" * 300):
        assert (await api.ask("DELETE", f"{_TOKENS}/{token_id}", token=own)).status in (400, 404)
    assert await api.status_with(foreign["token"]) == 200
    assert [each["name"] for each in (await api.get(_TOKENS, token=own))["tokens"]] == ["t"]


async def test_a_token_ends_when_it_was_said_to(api: TenantApi) -> None:
    ends = (api.clock.now + timedelta(hours=1)).isoformat()
    token = (await api.make(_TOKENS, _READ | {"expires_at": ends}))["token"]
    assert await api.status_with(token) == 200
    api.clock.forward(hours=1)
    assert await api.status_with(token) == 401


async def test_a_tenant_has_no_more_tokens_than_it_may(api: TenantApi, database: Database) -> None:
    async with as_owner(database) as owner:
        await owner.execute(
            "INSERT INTO api_tokens (tenant_id, name, shown, token_hash, scopes)"
            " SELECT 'home', 'n', 's', n::text::bytea, '{alerts:read}' FROM generate_series(1, $1) AS n",
            MOST - 3,
        )
    answers = await asyncio.gather(*(api.ask("POST", _TOKENS, _READ) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [409] * 5


async def test_pages_of_tokens_have_each_once(api: TenantApi) -> None:
    made = [(await api.make(_TOKENS, _READ))["id"] for _ in range(5)]
    found, cursor = [], ""
    while True:
        page = await api.get(f"{_TOKENS}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
        found += [each["id"] for each in page["tokens"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert found == made


@pytest.mark.parametrize("cursor", ["x", "WzEsMl0", "WzkyMjMzNzIwMzY4NTQ3NzU4MDcsIjEiXQ", "", "e30"])
async def test_a_cursor_that_is_none_of_ours_is_refused(api: TenantApi, cursor: str) -> None:
    assert (await api.ask("GET", f"{_TOKENS}?cursor={cursor}")).status == 400


async def test_the_time_of_the_last_use_is_kept(api: TenantApi) -> None:
    made = await api.make(_TOKENS, _READ)
    assert made["last_used_at"] is None
    await api.status_with(made["token"])
    (listed,) = (await api.get(_TOKENS))["tokens"]
    assert listed["last_used_at"] is not None


async def test_a_use_is_written_once_a_minute_only(api: TenantApi, database: Database) -> None:
    token = (await api.make(_TOKENS, _READ))["token"]
    written = set()
    async with as_owner(database) as owner:
        for _ in range(20):
            await api.status_with(token)
            written.add(await owner.fetchval("SELECT xmin::text FROM api_tokens"))
        # Of scopes the server is told, and asks the database again; of a use it is not.
        await owner.execute("UPDATE api_tokens SET last_used_at = now() - interval '61 seconds', scopes = scopes")
        before = await owner.fetchval("SELECT last_used_at FROM api_tokens")
        async with asyncio.timeout(10):
            while await owner.fetchval("SELECT last_used_at FROM api_tokens") == before:
                await api.status_with(token)
    assert len(written) == 1


async def test_a_token_that_nobody_made_is_refused(api: TenantApi) -> None:
    for token in (new_api_token("home"), new_api_token("nobody"), "hiq.home.x", "x", "hiq.-." + "a" * 43, None, "é"):
        assert (await api.ask("GET", "/tenant/v1/tenant", token=token)).status == 401


async def test_the_secret_of_one_tenant_opens_no_other(api: TenantApi) -> None:
    await api.tenant("one")
    await api.tenant("two")
    token = await api.token("one")
    assert await api.status_with(token.replace("hiq.one.", "hiq.two.")) == 401
    assert await api.status_with(token) == 200


async def test_a_token_is_kept_as_its_digest_alone(api: TenantApi, database: Database) -> None:
    token = (await api.make(_TOKENS, _READ))["token"]
    async with as_owner(database) as owner:
        row = dict(await owner.fetchrow("SELECT * FROM api_tokens") or {})
    assert row["token_hash"] == digest(token)
    assert token.rpartition(".")[2] not in str(row)
