"""``/api/v1/dead-letters`` over real HTTP, before the real spool and a database that refuses some lines."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import override
from urllib.parse import urlencode

import pytest
from aiohttp import encode_basic_auth, web

from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import (
    Answer,
    Client,
    Json,
    batch,
    event,
    eventually,
    laws_hold,
    options,
    serving,
)

PATH = "/api/v1/dead-letters"


class Picky(FakeDatabase):
    """Refuses some measurements, as InfluxDB 3 refuses what it cannot read: by the number of the line."""

    def __init__(self) -> None:
        super().__init__("influx3")
        self.refused = {b"bad", b"worse"}

    @override
    def take(self, lines: list[bytes], precision: str) -> web.Response:
        for number, line in enumerate(lines, start=1):
            if line.partition(b",")[0] in self.refused:
                where = {"original_line": line[:20].decode(), "line_number": number, "error_message": "no fields"}
                return web.json_response({"error": "parsing failed", "data": where}, status=400)
        return super().take(lines, precision)


@pytest.fixture
async def database() -> AsyncIterator[Picky]:
    async with running(Picky()) as fake:
        assert isinstance(fake, Picky)
        yield fake


@pytest.fixture
async def client(tmp_path: Path, database: Picky) -> AsyncIterator[Client]:
    """A server with two dead letters, of the second and the third of four events."""
    async with serving(options(tmp_path, influx_url=database.url)) as client:
        await eventually(client.is_ok)
        units = ("W", "bad", "worse", "W")
        await client.post(batch([event(n, attributes={"unit_of_measurement": unit}) for n, unit in enumerate(units)]))
        await eventually(partial(has, client, dead=2, queued=0))
        yield client


async def has(client: Client, **lines: int) -> bool:
    status = await client.status()
    assert laws_hold(status)
    return {name: status["lines"][name] for name in lines} == lines


async def listed(client: Client, **query: object) -> Json:
    answer = await client.get(f"{PATH}?{urlencode(query)}")
    assert answer.status == 200, answer
    page: Json = answer.body
    return page


async def choose(client: Client, action: str, **chosen: object) -> Answer:
    return await client.post(chosen, f"{PATH}/{action}")


async def test_they_are_listed_with_the_reason_newest_first(client: Client, database: Picky) -> None:
    page = await listed(client)
    first, second = page["dead_letters"]

    assert page["next_before_id"] is None
    assert first["id"] > second["id"]
    assert first["line"].startswith("worse,domain=sensor,entity_id=power value=1.5")
    assert (first["channel"], first["source"], first["precision"], first["form"]) == ("events", "home", "us", "influx")
    assert (first["count"], first["code"], first["size"]) == (1, 400, len(first["line"]))
    assert "no fields" in first["reason"]
    assert first["died_us"] >= first["accepted_us"]
    assert len(database.stored) == 2


async def test_pages_follow_each_other(client: Client) -> None:
    first = await listed(client, limit=1)
    second = await listed(client, limit=1, before_id=first["next_before_id"])
    third = await listed(client, limit=1, before_id=second["next_before_id"])

    assert first["dead_letters"][0]["line"].startswith("worse")
    assert second["dead_letters"][0]["line"].startswith("bad")
    assert third == {"dead_letters": [], "next_before_id": None}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"measurement": "bad"}, 1),
        ({"measurement": "ba"}, 0),
        ({"channel": "events"}, 2),
        ({"channel": "backfill"}, 0),
        ({"source": "home"}, 2),
        ({"source": "away"}, 0),
        ({"reason": "no fields"}, 2),
        ({"reason": "disk"}, 0),
        ({"target": "nobody"}, 0),
        ({"since_us": 1}, 2),
        ({"until_us": 1}, 0),
    ],
)
async def test_a_filter_leaves_those_that_match(client: Client, query: Json, count: int) -> None:
    assert len((await listed(client, **query))["dead_letters"]) == count


async def test_a_replayed_letter_is_written_once_the_database_takes_it(client: Client, database: Picky) -> None:
    database.refused = {b"worse"}
    (chosen,) = (await listed(client, measurement="bad"))["dead_letters"]

    assert (await choose(client, "replay", ids=[chosen["id"]])).body == {"lines": 1}
    await eventually(partial(has, client, dead=1, queued=0, written=3))
    assert any(line.startswith(b"bad,") for line in database.stored)
    assert (await choose(client, "replay", ids=[chosen["id"]])).body == {"lines": 0}


async def test_a_replayed_letter_that_is_refused_again_comes_back(client: Client) -> None:
    before = await listed(client, limit=1)
    assert (await choose(client, "replay", filter={})).body == {"lines": 2}

    async def came_back() -> bool:
        newest = (await listed(client, limit=1))["dead_letters"]
        return bool(newest) and newest[0]["id"] > before["dead_letters"][0]["id"] and await has(client, dead=2)

    await eventually(came_back)


async def test_a_discarded_letter_is_counted_as_dropped(client: Client) -> None:
    assert (await choose(client, "discard", filter={"measurement": "worse"})).body == {"lines": 1}
    status = await client.status()
    assert (status["lines"]["dead"], status["lines"]["dropped_by_reason"]) == (1, {"discarded": 1})
    assert status["spool"]["dead_letter_bytes"] > 0
    assert laws_hold(status)


@pytest.mark.parametrize("action", ["replay", "discard"])
@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "ids, filter"),
        ({"ids": [1], "filter": {}}, "ids, filter"),
        ({"ids": None}, "ids, filter"),
        ({"filter": {"color": "red"}}, "`color`"),
        ({"filter": {"reason": 7}}, "filter.reason"),
        ({"filter": {"since_us": "now"}}, "filter.since_us"),
        ({"filter": {"limit": 1}}, "`limit`"),
        ({"all": True}, "`all`"),
    ],
)
async def test_a_choice_that_is_not_clear_touches_nothing(
    client: Client, action: str, chosen: Json, words: str
) -> None:
    answer = await choose(client, action, **chosen)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert words in answer.body["detail"]
    assert await has(client, dead=2)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "all"}, "limit"),
        ({"before_id": -1}, "before_id"),
        ({"reason": ""}, "reason"),
        ({"color": "red"}, "`color`"),
    ],
)
async def test_a_query_that_is_wrong_is_refused_by_the_name_of_its_fault(
    client: Client, query: Json, words: str
) -> None:
    answer = await client.get(f"{PATH}?{urlencode(query)}")
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert words in answer.body["detail"]


async def test_the_page_shows_them_and_can_do_nothing_to_them(client: Client) -> None:
    shown = await client.ask("GET", f"{client.page}{PATH}")
    assert [letter["line"][:3] for letter in shown.body["dead_letters"]] == ["wor", "bad"]

    basic = {"Authorization": encode_basic_auth("anybody", client.bearer["Authorization"].removeprefix("Bearer "))}
    assert (await client.ask("GET", client.api + PATH, headers=basic)).status == 200
    assert (
        await client.ask("POST", f"{client.api}{PATH}/discard", headers=basic, data=b'{"filter": {}}')
    ).status == 401
    assert (await client.ask("GET", client.api + PATH)).status == 401
