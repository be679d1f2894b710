"""What holds for every route that takes a body: who may send, how much, and what is told when something is wrong."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeiq_server.api.body import MAX_BODY
from tests.unit.homeiq_server.server_builders import (
    Answer,
    Client,
    Json,
    batch,
    event,
    options,
    row,
    serving,
    statistics,
)

ROUTES: dict[str, Json] = {
    "/api/v1/events": batch([event()]),
    "/api/v1/backfill": batch([event()]),
    "/api/v1/statistics": statistics([row(mean=1.0)]),
    "/api/v1/gaps/complete": {"source": "home", "start_us": 1, "end_us": 2, "missed": None},
    "/api/v1/dead-letters/replay": {"ids": []},
    "/api/v1/dead-letters/discard": {"ids": []},
}
every_route = pytest.mark.parametrize("path", ROUTES)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(options(tmp_path, history=False)) as client:
        yield client


def _is_problem(answer: Answer, status: int, *words: str) -> bool:
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    assert answer.body["status"] == status
    assert all(word in answer.body["detail"] for word in words), answer.body["detail"]
    return answer.status == status


@every_route
async def test_what_is_right_is_taken(client: Client, path: str) -> None:
    assert (await client.post(ROUTES[path], path)).status == 200


@every_route
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc="])
async def test_without_the_token_nothing_is_taken(client: Client, path: str, header: str) -> None:
    assert _is_problem(await client.post(ROUTES[path], path, Authorization=header), 401, "token")
    assert (await client.status())["intake"] == {}


@every_route
async def test_the_page_on_its_own_listener_cannot_send(client: Client, path: str) -> None:
    as_the_page = {"X-HomeIQ-Page": "1"}
    answer = await client.ask("POST", client.page + path, data=json.dumps(ROUTES[path]).encode(), headers=as_the_page)
    assert answer.status in (404, 405)


@every_route
async def test_a_body_over_4_mib_is_refused_by_its_length(client: Client, path: str) -> None:
    assert _is_problem(await client.post(b" " * (MAX_BODY + 1), path), 413, str(MAX_BODY))


@every_route
async def test_a_body_without_a_length_is_refused(client: Client, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield json.dumps(ROUTES[path]).encode()

    answer = await client.ask("POST", client.api + path, data=chunks(), headers=client.bearer)
    assert _is_problem(answer, 411, "Content-Length")


@every_route
async def test_a_packed_body_is_refused(client: Client, path: str) -> None:
    body = gzip.compress(json.dumps(ROUTES[path]).encode())
    assert _is_problem(await client.post(body, path, **{"Content-Encoding": "gzip"}), 415, "gzip")


@every_route
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{", b'{"ids": NaN}'])
async def test_a_body_that_is_not_json_is_refused(client: Client, path: str, body: bytes) -> None:
    assert _is_problem(await client.post(body, path), 400, "not JSON")


@every_route
async def test_a_body_that_is_no_object_is_refused(client: Client, path: str) -> None:
    assert _is_problem(await client.post([], path), 400, "object")


@every_route
async def test_a_body_that_is_nested_without_end_is_refused(client: Client, path: str) -> None:
    assert _is_problem(await client.post(b"[" * 2_000_000, path), 400, "the body")


_TIME_FAULTS: tuple[object, ...] = (None, "1", -1, 1.5, 2**63, True)
_NAME_FAULTS: tuple[object, ...] = (None, 7, "", "x" * 256)
_FAULTS: dict[str, dict[str, tuple[object, ...]]] = {
    "/api/v1/backfill": {
        "source": _NAME_FAULTS,
        "stream": _NAME_FAULTS,
        "seq": (None, 0, "1", 1.5, True, 2**70),
        "events": (None, {}, "x"),
        "entities": (None, [], {"light.a": 1}),
    },
    "/api/v1/statistics": {
        "source": _NAME_FAULTS,
        "stream": _NAME_FAULTS,
        "seq": (None, 0, "1", 1.5, True, 2**70),
        "rows": (None, {}, "x"),
    },
    "/api/v1/gaps/complete": {
        "source": _NAME_FAULTS,
        "start_us": _TIME_FAULTS,
        "end_us": (*_TIME_FAULTS, 1, 0),
        "missed": ("1", -1, 1.5, 2**60, True),
    },
    "/api/v1/dead-letters/replay": {
        "ids": ("1", 7, ["1"], [None], [-1], [2**64], list(range(5_001))),
    },
    "/api/v1/dead-letters/discard": {
        "ids": ("1", 7, ["1"], [None], [-1], [2**64], list(range(5_001))),
    },
}


@pytest.mark.parametrize(
    ("path", "field", "fault"),
    [(path, field, fault) for path, fields in _FAULTS.items() for field, faults in fields.items() for fault in faults],
    ids=lambda value: str(value)[:30],
)
async def test_a_field_that_is_wrong_is_named(client: Client, path: str, field: str, fault: object) -> None:
    assert _is_problem(await client.post(ROUTES[path] | {field: fault}, path), 400, f"{field}")


@pytest.mark.parametrize(
    ("path", "field"),
    [(path, field) for path in _FAULTS for field in ROUTES[path] if field not in {"missed", "ids", "started_us"}],
)
async def test_a_field_that_is_missing_is_named(client: Client, path: str, field: str) -> None:
    rest = {key: value for key, value in ROUTES[path].items() if key != field}
    assert _is_problem(await client.post(rest, path), 400, f"`{field}`")
