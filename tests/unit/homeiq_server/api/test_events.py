"""``POST /api/v1/events`` over real HTTP, before the real spool and a fake database."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeiq_server.api.body import MAX_BODY
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import (
    Answer,
    Client,
    batch,
    event,
    eventually,
    laws_hold,
    options,
    serving,
)


@pytest.fixture
async def database() -> AsyncIterator[FakeDatabase]:
    async with running(FakeDatabase()) as fake:
        yield fake


@pytest.fixture
async def client(tmp_path: Path, database: FakeDatabase) -> AsyncIterator[Client]:
    async with serving(options(tmp_path, influx_url=database.url)) as client:
        await eventually(client.is_ok)
        yield client


def _is_problem(answer: Answer, status: int, *words: str) -> bool:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert all(word in answer.body["detail"] for word in words), answer.body["detail"]
    return answer.status == status


async def test_a_batch_is_accepted_and_reaches_the_database(client: Client, database: FakeDatabase) -> None:
    answer = await client.post(batch([event(1), event(2)]))

    assert answer.status == 200
    assert answer.body == {"accepted": 2, "duplicates": 0, "rejected": []}
    await eventually(lambda: len(database.stored) == 2)
    assert database.stored[0].startswith(b"W,domain=sensor,entity_id=power")


async def test_an_empty_batch_announces_the_stream(client: Client) -> None:
    assert (await client.post(batch())).body == {"accepted": 0, "duplicates": 0, "rejected": []}
    assert [source["source"] for source in (await client.status())["sources"]] == ["home"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b'{"events": NaN}', "not JSON"),
        (b"[" * 2_000_000, "the body"),
        (b"[]", "object"),
        (batch() | {"seq": 0}, "seq"),
        (batch() | {"seq": True}, "seq"),
        (batch() | {"seq": 2**70}, "seq"),
        (batch() | {"source": ""}, "source"),
        (batch() | {"stream": 7}, "stream"),
        (batch() | {"started_us": None}, "started_us"),
        (batch() | {"events": {}}, "events"),
        (batch() | {"gaps": [[1, "2", None]]}, "gaps"),
        (batch() | {"entities": {"light.a": {"area": 1}}}, "area"),
        ({"source": "home", "seq": 1, "events": []}, "stream"),
    ],
)
async def test_a_body_of_another_shape_is_refused_by_the_name_of_its_fault(
    client: Client, body: object, words: str
) -> None:
    assert _is_problem(await client.post(body), 400, words)


async def test_a_body_may_not_hold_more_than_5000_events(client: Client) -> None:
    small = event(attributes={})
    assert _is_problem(await client.post(batch([small] * 5_001)), 413, "5001", "5000")
    assert (await client.post(batch([small] * 5_000))).body["accepted"] == 5_000


async def test_a_body_over_4_mib_is_refused_by_its_length(client: Client) -> None:
    assert _is_problem(await client.post(b" " * (MAX_BODY + 1)), 413, str(MAX_BODY))


async def test_a_body_without_a_length_is_refused(client: Client) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield json.dumps(batch()).encode()

    answer = await client.ask("POST", f"{client.api}/api/v1/events", data=chunks(), headers=client.bearer)
    assert _is_problem(answer, 411, "Content-Length")


async def test_a_packed_body_is_refused_before_it_is_unpacked(client: Client) -> None:
    body = gzip.compress(json.dumps(batch()).encode())
    assert _is_problem(await client.post(body, **{"Content-Encoding": "gzip"}), 415, "gzip")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc=", "Bearer \xe9"])
async def test_without_the_token_nothing_is_taken(client: Client, header: str) -> None:
    answer = await client.post(batch([event()]), Authorization=header)

    assert _is_problem(answer, 401, "token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await client.status())["intake"] == {}


async def test_a_repeated_batch_is_acknowledged_and_stored_once(client: Client, database: FakeDatabase) -> None:
    first = await client.post(batch([event(1), event(2)]))
    again = await client.post(batch([event(1), event(2)]))

    assert first.body["accepted"] == 2
    assert again.status == 200
    assert again.body == {"accepted": 0, "duplicates": 2, "rejected": []}
    await eventually(lambda: len(database.stored) == 2)
    status = await client.status()
    assert status["intake"]["events"]["duplicate"] == 2
    assert laws_hold(status)


async def test_a_hole_is_refused_with_the_number_that_is_next(client: Client) -> None:
    await client.post(batch([event(1)]))
    answer = await client.post(batch([event(3)], seq=3))

    assert _is_problem(answer, 409, "2")
    assert answer.body["expected"] == 2


async def test_one_bad_event_costs_only_itself(client: Client, database: FakeDatabase) -> None:
    bad = [
        event(entity_id="sensor.number", state=3),
        ["sensor.short", "on"],
        event(time_us=2**70),
        event(attributes=[1]),
        event(state="x" * 256),
        {"entity_id": "sensor.object"},
        event(entity_id="no_dot"),
    ]
    answer = await client.post(batch([event(1), *bad, event(2)]))

    assert answer.status == 200
    assert answer.body["accepted"] == 2
    rejected = answer.body["rejected"]
    assert [one["index"] for one in rejected] == [1, 2, 3, 4, 5, 6, 7]
    assert [one["entity_id"] for one in rejected][:3] == ["sensor.number", "sensor.short", "sensor.power"]
    for one, word in zip(rejected, ["state", "8", "time_us", "attributes", "state", "array", "entity_id"], strict=True):
        assert word in one["reason"]
    await eventually(lambda: len(database.stored) == 2)
    status = await client.status()
    assert status["intake"]["events"]["rejected"] == 7
    assert laws_hold(status)


async def test_two_senders_have_streams_of_their_own(client: Client) -> None:
    for source in ("first", "second"):
        assert (await client.post(batch([event(1)], source=source))).body["accepted"] == 1
    assert (await client.post(batch([event(2)], stream="another"))).body["accepted"] == 1


async def test_the_byte_budget_is_held_until_a_body_has_come(client: Client) -> None:
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {client.bearer['Authorization']}\r\n"
    slow = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(2)]
    for (_, writer), length in zip(slow, (MAX_BODY, MAX_BODY // 2), strict=True):
        writer.write(f"{head}Content-Length: {length}\r\n\r\n{{".encode())
        await writer.drain()

    await eventually(lambda: _is_refused(client))
    answer = await client.post(batch([event()]))
    assert _is_problem(answer, 503, "at once")
    assert answer.headers["Retry-After"] == "1"

    for _, writer in slow:
        writer.close()
        await writer.wait_closed()
    await eventually(lambda: client.takes(batch([event()])))


async def _is_refused(client: Client) -> bool:
    return (await client.post(batch([event()]))).status == 503


async def test_a_body_that_is_shorter_than_its_length_costs_nobody_anything(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    head += f"Authorization: {client.bearer['Authorization']}"
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"{head}\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await client.post(batch([event()]))).status == 200
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_body_that_is_longer_than_its_length_ends_there(client: Client) -> None:
    body = json.dumps(batch([event()])).encode()
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) - 1}\r\n"
    head += f"Authorization: {client.bearer['Authorization']}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(head.encode() + body)
    async with asyncio.timeout(20):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert line.split()[1] == b"400"
    assert (await client.status())["intake"] == {}


async def test_a_sender_that_goes_away_does_not_undo_the_commit(client: Client, database: FakeDatabase) -> None:
    body = json.dumps(batch([event(1)])).encode()
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += f"Authorization: {client.bearer['Authorization']}\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(head.encode() + body)
    await writer.drain()
    writer.transport.abort()

    await eventually(lambda: len(database.stored) == 1)
    assert (await client.post(batch([event(1)]))).body["duplicates"] == 1


async def test_a_full_spool_refuses_and_says_when_to_come_again(tmp_path: Path, database: FakeDatabase) -> None:
    async with serving(options(tmp_path, influx_url=database.url, spool_limit_mb=1)) as client:
        await eventually(client.is_ok)
        database.go_on.clear()
        seq, status = 0, 200
        while status == 200:
            seq += 1
            noise = [event(n, state=f"{hash((seq, n)):x}", entity_id=f"sensor.s{n}") for n in range(2_000)]
            answer = await client.post(batch(noise, seq=seq))
            status = answer.status

        assert _is_problem(answer, 503, "limit")
        assert int(answer.headers["Retry-After"]) >= 1
        seen = await client.status()
        assert seen["status"] == "unhealthy"
        assert seen["reasons"][0]["code"] == "spool_full"
        assert laws_hold(seen)

        database.go_on.set()
        await eventually(lambda: client.takes(batch(noise, seq=seq)))
        assert laws_hold(await client.status())


async def test_labels_told_once_are_known_after_a_restart(tmp_path: Path, database: FakeDatabase) -> None:
    chosen = options(tmp_path, influx_url=database.url, extra_tags=("area",))
    async with serving(chosen) as client:
        await eventually(client.is_ok)
        await client.post(batch([event(1)], entities={"sensor.power": {"area": "Kitchen"}}))
    async with serving(chosen) as client:
        await client.post(batch([event(2)], seq=2))
        await eventually(lambda: len(database.stored) >= 2)
    assert all(b"area=Kitchen" in line for line in database.stored)


async def test_pages_of_other_origins_are_told_nothing_unless_listed(tmp_path: Path, database: FakeDatabase) -> None:
    listed = "https://grafana.example"
    async with serving(options(tmp_path, influx_url=database.url, cors_origins=(listed,))) as client:
        status = f"{client.api}/api/v1/status"
        for origin, expected in (("https://evil.example", None), (listed, listed)):
            answer = await client.ask("GET", status, headers=client.bearer | {"Origin": origin})
            assert answer.headers.get("Access-Control-Allow-Origin") == expected
        ask = {"Origin": listed, "Access-Control-Request-Method": "GET"}
        assert (await client.ask("OPTIONS", status, headers=ask)).status == 204
        assert (await client.ask("OPTIONS", status, headers=ask | {"Origin": "https://evil.example"})).status == 401


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_EVENT = st.lists(_JSON, min_size=7, max_size=9) | st.builds(
    lambda at, value: [*event()[:at], value, *event()[at + 1 :]], st.integers(0, 7), _JSON
)
_MUTATED = st.builds(
    lambda events, key, value: json.dumps(batch(events) | {key: value}).encode(),
    st.lists(_EVENT, max_size=3),
    st.sampled_from(["source", "stream", "seq", "started_us", "gaps", "entities", "more"]),
    _JSON,
)
_CUT = st.builds(
    lambda at, junk: json.dumps(batch([event()])).encode()[:at] + junk, st.integers(0, 300), st.binary(max_size=30)
)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(bodies=st.lists(st.binary(max_size=200) | _MUTATED | _CUT, min_size=1, max_size=4))
async def test_no_body_is_ever_a_fault_of_the_server(client: Client, bodies: list[bytes]) -> None:
    for body in bodies:
        answer = await client.post(body)
        assert answer.status in (200, 400, 409)
        if answer.status == 200:
            assert set(answer.body) == {"accepted", "duplicates", "rejected"}
    assert laws_hold(await client.status())
