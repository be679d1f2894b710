"""``/api/v1/registry`` over real HTTP."""

import asyncio
import io
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from homeiq_server.api.body import BUDGET, WORK, open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.registry import PATH, REGISTRIES, get_registry, post_registry
from homeiq_server.intake.registry import RegistryIntake
from tests.unit.homeiq_server.registry_builders import FakeRegistries, body
from tests.unit.homeiq_server.server_builders import Json, options, serving

type Client = TestClient[web.Request, web.Application]

NONE = {"floors": 0, "areas": 0, "labels": 0, "config_entries": 0, "devices": 0, "entities": 0}


@pytest.fixture
def store() -> FakeRegistries:
    return FakeRegistries()


@pytest.fixture
async def client(store: FakeRegistries, aiohttp_client: AiohttpClient) -> Client:
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    app[REGISTRIES] = RegistryIntake(store, lambda *_: None)
    app.router.add_get(PATH, get_registry)
    app.router.add_post(PATH, post_registry)
    return await aiohttp_client(app)


async def post(client: Client, told: object) -> tuple[int, Json]:
    answer = await client.post(PATH, json=told)
    return answer.status, await answer.json()


async def get(client: Client, query: str = "source=home") -> tuple[int, Json]:
    answer = await client.get(f"{PATH}?{query}")
    return answer.status, await answer.json()


async def test_a_snapshot_in_parts_and_a_diff(client: Client, store: FakeRegistries) -> None:
    assert await get(client) == (200, {"revision": None})
    assert await post(client, body(0, "a")) == (200, {"revision": 1, "applied": False, "changed": {}})
    assert await post(client, body(1, "b", last=True)) == (
        200,
        {"revision": 1, "applied": True, "changed": NONE | {"devices": 2}},
    )
    status, answer = await post(client, body(0, "c", last=True, revision=2, base=1, removed={"devices": ["a"]}))
    assert (status, answer["applied"]) == (200, True)
    assert await get(client) == (200, {"revision": 2})
    assert set(store.devices["home"]) == {"b", "c"}


@pytest.mark.parametrize(
    ("told", "revision"),
    [
        (body(0, last=True, revision=1), 1),
        (body(0, last=True, revision=2, base=0), 1),
        (body(1, revision=2), 1),
        (body(1, source="new"), None),
        (body(0, last=True, base=0, source="new"), None),
    ],
)
async def test_what_does_not_follow_is_a_problem_that_tells_what_is_stored(
    client: Client, told: Json, revision: int | None
) -> None:
    await post(client, body(0, "a", last=True))
    status, problem = await post(client, told)
    assert (status, problem["type"], problem["revision"]) == (409, "about:blank#stale-revision", revision)
    assert problem["detail"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], "the body: "),
        (body(rows={"areas": [{"id": "a"}]}), "missing required field `name`"),
        (body(removed={"devices": ["a"]}), "removed: "),
    ],
)
async def test_a_part_of_another_shape_is_refused_by_the_name_of_its_fault(
    client: Client, told: object, words: str
) -> None:
    status, problem = await post(client, told)
    assert (status, problem["type"]) == (400, "about:blank#malformed")
    assert words in problem["detail"]


async def test_a_query_without_a_source_is_refused(client: Client) -> None:
    status, problem = await get(client, "")
    assert (status, problem["type"]) == (400, "about:blank#malformed")
    assert "source" in problem["detail"]


async def test_a_part_over_four_mebibytes_is_too_large(client: Client) -> None:
    answer = await client.post(PATH, data=io.BytesIO(b" " * (4 * 2**20 + 1)))
    assert answer.status == 413


async def test_while_the_store_is_away_the_sender_is_asked_to_wait(client: Client, store: FakeRegistries) -> None:
    store.busy = "before"
    answer = await client.post(PATH, json=body(last=True))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


async def test_while_a_home_is_stored_its_body_takes_no_room_from_others(client: Client, store: FakeRegistries) -> None:
    store.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        sending = tasks.create_task(post(client, body(0, "a", last=True)))
        await store.begun.wait()
        held = [client.app[budget].held for budget in (BUDGET, WORK)]
        store.gate.set()
    assert held == [0, 0]
    assert sending.result()[0] == 200


async def test_without_a_store_there_is_no_registry(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False)) as server:
        for answer in (await server.get(f"{PATH}?source=home"), await server.post(body(last=True), PATH)):
            assert (answer.status, answer.body["type"]) == (404, "about:blank#not-found")
            assert "store" in answer.body["detail"]


async def test_nobody_tells_without_the_token(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False)) as server:
        assert (await server.ask("POST", server.api + PATH, json=body(last=True))).status == 401
        assert (await server.ask("GET", f"{server.api}{PATH}?source=home")).status == 401
