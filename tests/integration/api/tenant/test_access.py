"""Who is let in, how often, and that who guesses cannot keep others out."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.tenant import own_tenant, serving
from homeiq_server.api.tenant.access import PageAccess
from homeiq_server.buckets import Buckets
from homeiq_server.credentials import new_api_token
from homeiq_server.store.pool import Pool
from tests.integration.api.tenant.tenants_served import APP, EVERYTHING, TenantApi, served
from tests.postgres import Database, as_owner

_OWN = "/tenant/v1/tenant"


class _Clock:
    """Monotonic seconds that pass when the test wants."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> _Clock:
    return _Clock()


@pytest.fixture
async def api(pool: Pool, seconds: _Clock) -> AsyncIterator[TenantApi]:
    """What asks, while no time passes for those who count."""
    async with served(pool, Buckets(clock=seconds)) as asking:
        yield asking


async def _statuses(api: TenantApi, token: str, times: int) -> list[int]:
    return [await api.status_with(token) for _ in range(times)]


async def test_a_token_has_a_burst_and_then_its_rate(api: TenantApi, seconds: _Clock) -> None:
    await api.tenant()
    token = await api.token()
    assert await _statuses(api, token, 201) == [200] * 200 + [429]
    refused = await api.ask("GET", _OWN, token=token)
    assert (refused.body["type"], refused.headers["Retry-After"]) == ("about:blank#too-many", "1")
    seconds.now += 1
    assert await _statuses(api, token, 51) == [200] * 50 + [429]


async def test_who_asks_too_often_takes_nothing_from_others(api: TenantApi) -> None:
    for tenant_id in ("one", "two"):
        await api.tenant(tenant_id)
    loud, quiet, neighbour = await api.token("one"), await api.token("one"), await api.token("two")
    assert (await _statuses(api, loud, 1_000))[-1] == 429
    assert await _statuses(api, quiet, 200) == [200] * 200
    assert await _statuses(api, neighbour, 200) == [200] * 200
    assert await _statuses(api, APP, 300) == [200] * 300


async def test_many_tokens_do_not_make_a_tenant_louder_than_it_may_be(api: TenantApi) -> None:
    await api.tenant()
    tokens = [await api.token() for _ in range(6)]
    passed = [status for token in tokens for status in await _statuses(api, token, 200) if status == 200]
    assert len(passed) == 800


async def test_a_peer_that_guesses_has_to_wait(api: TenantApi, seconds: _Clock) -> None:
    await api.tenant()
    known, fresh = await api.token(), await api.token()
    assert await api.status_with(known) == 200
    guesses = [new_api_token("acme"), "nonsense"] * 51
    assert [await api.status_with(guess) for guess in guesses] == [401] * 100 + [429] * 2
    await api.ask("PATCH", "/operator/v1/tenants/acme", {"name": "Other"})  # what is known of its tokens is outdated
    assert await api.status_with(known) == 200
    assert await api.status_with(APP) == 200
    assert await api.status_with(fresh) == 429
    seconds.now += 0.1
    assert await api.status_with(fresh) == 200
    assert [await api.status_with("nonsense") for _ in range(2)] == [401, 429]


async def test_a_token_that_was_revoked_is_a_guess_from_then_on(api: TenantApi) -> None:
    await api.tenant()
    token = await api.token()
    assert await api.status_with(token) == 200
    (made,) = (await api.get("/tenant/v1/tokens", token=token))["tokens"]
    await api.ask("DELETE", f"/tenant/v1/tokens/{made['id']}", token=token)
    async with asyncio.timeout(10):
        while await api.status_with(token) == 200:  # noqa: ASYNC110 - of the database
            await asyncio.sleep(0.01)
    assert await _statuses(api, token, 100) == [401] * 99 + [429]


async def test_a_right_token_is_no_guess_however_often_it_is_looked_up(api: TenantApi, database: Database) -> None:
    await api.tenant()
    token = await api.token()
    async with as_owner(database) as owner:
        for _ in range(30):
            await owner.execute("UPDATE tenants SET name = name WHERE tenant_id = 'acme'")
            assert await api.status_with(token) == 200


async def test_made_up_tokens_do_not_take_the_connections_of_others(api: TenantApi, database: Database) -> None:
    await api.tenant()
    async with asyncio.TaskGroup() as tasks, as_owner(database) as owner, owner.transaction():
        await owner.execute("LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE")
        guesses = [tasks.create_task(api.status_with(new_api_token("acme"))) for _ in range(15)]
        while not await owner.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await _statuses(api, APP, 5) == [200] * 5
    assert {guess.result() for guess in guesses} == {401}


@pytest.mark.parametrize(
    ("method", "headers", "password", "status"),
    [
        ("GET", {}, APP, 200),
        ("GET", {}, "wrong", 401),
        ("PATCH", {}, APP, 401),
        ("PATCH", {"X-HomeIQ-Page": "1"}, APP, 200),
        ("PATCH", {"X-HomeIQ-Page": "1"}, "wrong", 401),
    ],
)
async def test_browsers_read_with_the_app_s_token_and_change_for_the_page_alone(
    api: TenantApi, method: str, headers: dict[str, str], password: str, status: int
) -> None:
    basic = headers | {"Authorization": encode_basic_auth("any", password)}
    body = {"auto_provision": False} if method == "PATCH" else None
    assert (await api.ask(method, _OWN, body, token=None, **basic)).status == status


async def test_a_tenant_s_token_is_no_password(api: TenantApi) -> None:
    await api.tenant()
    basic = encode_basic_auth("any", await api.token())
    assert (await api.ask("GET", _OWN, token=None, Authorization=basic)).status == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic", "Basic !", "Digest x", "bearer\thiq.home.x"])
async def test_who_shows_nothing_is_asked_for_a_token(api: TenantApi, header: str) -> None:
    answer = await api.ask("GET", _OWN, token=None, Authorization=header)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_while_the_store_is_away_nobody_is_turned_down_for_good(api: TenantApi, pool: Pool) -> None:
    await api.tenant()
    token = await api.token(scopes=EVERYTHING)
    api.listener.cancel()
    await asyncio.wait([api.listener])
    await pool.close()
    assert await api.status_with(token) == 503
    assert await api.status_with(new_api_token("acme")) == 503
    assert await api.status_with("nonsense") == 401
    assert await api.status_with(APP) == 503


async def test_behind_ingress_everybody_is_the_home(pool: Pool) -> None:
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    serving.serve(app.router, own_tenant.operations(), pool, PageAccess())
    async with TestClient(TestServer(app)) as http, http.get(_OWN) as response:
        assert (response.status, (await response.json())["tenant_id"]) == (200, "home")
