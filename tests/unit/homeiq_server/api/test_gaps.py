"""``/api/v1/gaps`` over real HTTP, before the real spool."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.unit.homeiq_server.server_builders import Client, Json, batch, event, options, serving

T0 = 1_790_000_000_000_000
SECOND = 1_000_000


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(options(tmp_path, history=False)) as client:
        yield client


async def gaps(client: Client, start_us: int = T0, end_us: int = T0 + 100 * SECOND, source: str = "home") -> Json:
    query = urlencode({"source": source, "start_us": start_us, "end_us": end_us})
    answer = await client.get(f"/api/v1/gaps?{query}")
    assert answer.status == 200, answer
    found: Json = answer.body
    return found


async def complete(client: Client, start_s: int, end_s: int, missed: int | None = 0) -> Any:  # noqa: ANN401  # any answer
    told = {"source": "home", "start_us": T0 + start_s * SECOND, "end_us": T0 + end_s * SECOND, "missed": missed}
    answer = await client.post(told, "/api/v1/gaps/complete")
    assert answer.status == 200, answer
    return answer.body


async def lost(client: Client) -> None:
    """Let a source be there from 0 s on, lose 7 events from 10 s to 20 s, and be away from 30 s to 50 s."""
    first = batch([event(30 * SECOND)], started_us=T0, gaps=[[T0 + 10 * SECOND, T0 + 20 * SECOND, 7]])
    assert (await client.post(first)).status == 200
    assert (await client.post(batch(stream="next", started_us=T0 + 50 * SECOND))).status == 200


def _range(start_s: int, end_s: int, reason: str, events: int | None = None) -> Json:
    return {"start_us": T0 + start_s * SECOND, "end_us": T0 + end_s * SECOND, "events": events, "reason": reason}


async def test_a_source_that_never_came_is_not_covered_at_all(client: Client) -> None:
    assert await gaps(client) == {"uncovered": [_range(0, 100, "before")], "covered_since_us": None}


async def test_what_is_missing_is_told_with_the_reason(client: Client) -> None:
    await lost(client)
    assert await gaps(client, T0 - 5 * SECOND) == {
        "uncovered": [_range(-5, 0, "before"), _range(10, 20, "overflow", 7), _range(30, 50, "restart")],
        "covered_since_us": T0,
    }
    assert (await gaps(client, T0 + 15 * SECOND, T0 + 40 * SECOND))["uncovered"] == [
        _range(15, 20, "overflow"), _range(30, 40, "restart"),
    ]  # fmt: skip
    assert (await gaps(client, source="other"))["covered_since_us"] is None


async def test_a_complete_stretch_closes_what_lies_in_it(client: Client) -> None:
    await lost(client)
    assert (await client.status())["gaps"]["open"] == 2
    assert await complete(client, 5, 40, missed=3) == {"closed": 2, "open": 1}

    assert (await gaps(client))["uncovered"] == [_range(40, 50, "restart")]
    status = await client.status()
    assert (status["missed"], status["gaps"]["open"]) == (3, 1)
    newest = {(gap["reason"], gap["open"], gap["missed"]) for gap in status["gaps"]["newest"]}
    assert newest == {("overflow", False, 3), ("restart", False, None), ("restart", True, None)}


async def test_a_stretch_that_is_told_complete_twice_changes_nothing_more(client: Client) -> None:
    await lost(client)
    assert await complete(client, 5, 60, missed=3) == {"closed": 2, "open": 0}
    assert await complete(client, 5, 60, missed=3) == {"closed": 0, "open": 0}
    assert (await client.status())["missed"] == 3


async def test_a_stretch_before_the_first_event_lets_the_coverage_begin_earlier(client: Client) -> None:
    await lost(client)
    await complete(client, -50, 0)
    assert (await gaps(client))["covered_since_us"] == T0 - 50 * SECOND


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"start_us": 1, "end_us": 2}, "`source`"),
        ({"source": "home", "end_us": 2}, "`start_us`"),
        ({"source": "home", "start_us": 1}, "`end_us`"),
        ({"source": "", "start_us": 1, "end_us": 2}, "source: "),
        ({"source": "home", "start_us": "x", "end_us": 2}, "start_us: "),
        ({"source": "home", "start_us": 1, "end_us": -2}, "end_us: "),
        ({"source": "home", "start_us": 1, "end_us": 2**64}, "end_us: "),
        ({"source": "home", "start_us": 2, "end_us": 1}, "end_us: "),
    ],
)
async def test_a_query_that_is_wrong_is_refused_by_the_name_of_its_fault(
    client: Client, query: Json, words: str
) -> None:
    answer = await client.get(f"/api/v1/gaps?{urlencode(query)}")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert words in answer.body["detail"]


async def test_nobody_asks_without_the_token(client: Client) -> None:
    answer = await client.ask("GET", f"{client.api}/api/v1/gaps?source=home&start_us=1&end_us=2")
    assert answer.status == 401
    assert (await client.ask("GET", f"{client.page}/api/v1/gaps?source=home&start_us=1&end_us=2")).status == 404
