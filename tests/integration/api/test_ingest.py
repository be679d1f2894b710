"""``/ingest/v1`` over real HTTP: what is accepted is on disk, what is not says why, and no sender hurts another."""

import asyncio
import gzip
import json
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.api.ingest_answers import STATUSES
from homeiq_server.ingest.message import Reason
from homeiq_server.store.pool import Pool
from tests.integration.api.device_serving import Answer
from tests.integration.api.ingest_served import TOKEN, Sending, add_device, kept, message, sending
from tests.integration.store.tenant_rows import ACME, GLOBEX, KEY, add_customer, change, count
from tests.postgres import Database

LIMIT = 16_384


@pytest.fixture
async def http(pool: Pool, database: Database, tmp_path: Path) -> AsyncIterator[Sending]:
    """A server of the tenant ``acme`` with the device ``d``."""
    await add_customer(database)
    await add_device(database)
    async with sending(pool, tmp_path) as http:
        yield http


def is_problem(answer: Answer, status: int, reason: str) -> bool:
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    assert (answer.status, answer.body["status"], answer.body.get("code")) == (status, status, reason), answer.body
    assert TOKEN not in str(answer.body)
    return True


def told(answer: Answer) -> list[str]:
    """Return the reason of each message of a batch, ``accepted`` when there is none."""
    assert answer.status == 202, answer.body
    results = answer.body["results"]
    assert [result["index"] for result in results] == list(range(len(results)))
    reasons = [result.get("reason", result["status"]) for result in results]
    assert answer.body["accepted"] == reasons.count("accepted")
    assert answer.body["rejected"] == len(reasons) - reasons.count("accepted")
    return reasons


def padded(size: int) -> bytes:
    """Return a good message of so many bytes."""
    head = b'{"metrics": {"t": 1.5}}'
    return head + b" " * (size - len(head))


async def chunks(body: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


# One message


async def test_what_is_accepted_is_in_the_spool_when_the_answer_comes(http: Sending) -> None:
    answer = await http.post()
    assert (answer.status, answer.body) == (202, {"accepted": True})
    assert http.taken() == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"X_Provision_Token": TOKEN}, {}),
        ({"Authorization": f"Bearer {TOKEN}"}, {}),
        ({"Authorization": f"bearer  {TOKEN}"}, {}),
        ({}, {"token": TOKEN}),
        ({}, {"provision_token": TOKEN}),
    ],
)
async def test_the_token_may_stand_in_a_header_or_in_the_message(
    http: Sending, headers: dict[str, str], body: dict[str, str]
) -> None:
    assert (await http.post({"metrics": {"t": 1}} | body, token=None, **headers)).status == 202


async def test_a_chunked_body_is_taken(http: Sending) -> None:
    assert (await http.post(chunks(padded(LIMIT)))).status == 202
    assert http.taken() == 1


@pytest.mark.parametrize("chunked", [False, True])
async def test_gzip_is_unpacked(http: Sending, *, chunked: bool) -> None:
    body = gzip.compress(b'{"metrics": ') + gzip.compress(b'{"t": 1.5}}' + b" " * 10_000)
    answer = await http.post(chunks(body, 7) if chunked else body, Content_Encoding="gzip")
    assert answer.status == 202, answer.body


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 64 * 1024 + 1, 3_000_000])
@pytest.mark.parametrize("way", ["plain", "chunked", "gzip"])
async def test_a_message_may_have_as_many_bytes_as_the_limit_says_and_not_one_more(
    http: Sending, database: Database, size: int, way: str
) -> None:
    body = padded(size)
    match way:
        case "plain":
            answer = await http.post(body)
        case "chunked":
            answer = await http.post(chunks(body, 50_000))
        case _:
            answer = await http.post(gzip.compress(body), Content_Encoding="gzip")
    if size == LIMIT:
        assert answer.status == 202
    else:
        assert is_problem(answer, 413, "PAYLOAD_TOO_LARGE")
        (row,) = await kept(database)
        assert (row["tenant_id"], row["reason"], row["size"]) == (ACME, "PAYLOAD_TOO_LARGE", LIMIT + 1)
        assert bytes(row["payload"]) == body[:LIMIT]
        assert http.rejected() == {"PAYLOAD_TOO_LARGE": 1}


@pytest.mark.parametrize("path", ["/ingest/v1/tenant/acme/device/d/telemetry", "/ingest/v1/batch"])
async def test_a_gzip_bomb_is_never_unpacked_beyond_the_limit(http: Sending, path: str) -> None:
    bomb = gzip.compress(b" " * 200_000_000)
    await http.send(path, b"{}", token=None)
    tracemalloc.start()
    try:
        answer = await http.send(path, bomb, Content_Encoding="gzip")
        assert answer.status == 413
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert (await http.post()).status == 202


@pytest.mark.parametrize("path", ["/ingest/v1/tenant/acme/device/d/telemetry", "/ingest/v1/batch"])
async def test_gzip_without_content_and_without_end_is_cut_off(http: Sending, path: str) -> None:
    empty = gzip.compress(b"")
    answer = await http.send(path, chunks(empty * 200_000, 50_000), Content_Encoding="gzip")
    assert answer.status == 413


@pytest.mark.parametrize(
    "body",
    [b'{"metrics": {"t": 1}}', gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"more"],
    ids=["plain", "cut", "more"],
)
async def test_what_is_no_gzip_is_refused(http: Sending, body: bytes) -> None:
    answer = await http.post(body, Content_Encoding="gzip")
    assert answer.status == 400
    assert "gzip" in answer.body["detail"]


async def test_other_encodings_are_refused(http: Sending) -> None:
    answer = await http.post(b"{}", Content_Encoding="br")
    assert answer.status == 415
    assert "gzip" in answer.body["detail"]


WRONG: tuple[tuple[bytes, str], ...] = (
    (b"[]", "NOT_OBJECT"),
    (b"1", "NOT_OBJECT"),
    (b'"x"', "NOT_OBJECT"),
    (b"null", "NOT_OBJECT"),
    (b"NaN", "INVALID_JSON"),
    (b'{"metrics": {"t": NaN}}', "INVALID_JSON"),
    (b'{"metrics": {"t": Infinity}}', "INVALID_JSON"),
    (b"{", "INVALID_JSON"),
    (b"", "INVALID_JSON"),
    (b"[" * 10_000, "INVALID_JSON"),
    (b"\xff", "INVALID_ENCODING"),
    (b'{"version": "2"}', "UNSUPPORTED_VERSION"),
    (b'{"tenant_id": "globex"}', "TENANT_MISMATCH"),
    (b'{"device_id": "e"}', "DEVICE_MISMATCH"),
    (b'{"metrics": []}', "MALFORMED"),
    (b'{"metrics": {"t": null}}', "METRIC_VALUE_INVALID"),
    (b'{"metrics": {"t": [1]}}', "METRIC_VALUE_INVALID"),
    (b'{"metrics": {"": 1}}', "METRIC_KEY_INVALID"),
    (json.dumps({"metrics": {f"m{n}": n for n in range(51)}}).encode(), "TOO_MANY_METRICS"),
)


async def test_what_is_wrong_with_a_message_is_told_kept_and_counted(http: Sending, database: Database) -> None:
    for body, reason in WRONG:
        assert is_problem(await http.post(body), 400, reason)
        row = (await kept(database))[-1]
        assert (row["tenant_id"], row["device_id"], row["reason"], bytes(row["payload"])) == (ACME, "d", reason, body)
    assert http.rejected() == Counter(reason for _, reason in WRONG)
    assert (await http.post()).status == 202


async def test_no_address_is_a_fault_of_the_server(http: Sending) -> None:
    for part in ("%00", "a%2Fb", "%2e%2e%2f", "%ff", "%ED%A0%80", "a%20b", "%F0%9F%98%80", "x" * 200):
        assert is_problem(await http.post(device_id=part), 400, "BAD_TOPIC_FORMAT")
        assert is_problem(await http.post(tenant_id=part), 400, "BAD_TOPIC_FORMAT")


async def test_no_token_is_a_fault_of_the_server(http: Sending) -> None:
    for token in ("ä", "\xff", "x" * 5_000, "hid_", "{}"):
        assert is_problem(await http.post(token=token), 401, "TOKEN_INVALID")


async def test_a_device_that_may_not_send_is_told_why(http: Sending, database: Database) -> None:
    for status in ("PENDING", "INACTIVE", "REVOKED"):
        await add_device(database, status, status=status)
        assert is_problem(await http.post(device_id=status), 403, f"DEVICE_{status}")


async def test_a_device_without_a_place_is_told_so(http: Sending, database: Database) -> None:
    await add_customer(database, GLOBEX, limit=0)
    assert is_problem(await http.post(tenant_id=GLOBEX, token=KEY), 403, "NO_SUBSCRIPTION_CAPACITY")


async def test_a_new_device_with_the_key_of_its_tenant_is_taken_at_once(http: Sending) -> None:
    assert (await http.post(device_id="new", token=KEY)).status == 202
    assert http.taken() == 1


async def test_a_message_above_the_rate_is_told_when_the_next_may_come(
    pool: Pool, database: Database, tmp_path: Path
) -> None:
    await add_customer(database)
    await add_device(database)
    async with sending(pool, tmp_path, device_rate=0.01, device_burst=2) as http:
        assert [(await http.post()).status for _ in range(2)] == [202, 202]
        answer = await http.post()
        assert is_problem(answer, 429, "RATE_LIMITED_DEVICE")
        assert 90 <= int(answer.headers["Retry-After"]) <= 100
        assert await kept(database) == []
        assert http.rejected() == {"RATE_LIMITED_DEVICE": 1}


def test_every_reason_has_a_status() -> None:
    assert set(STATUSES) == set(Reason)


async def test_while_the_store_is_down_known_devices_go_on_and_all_others_are_asked_to_come_again(
    http: Sending, database: Database
) -> None:
    await add_device(database, "unheard")
    assert (await http.post()).status == 202
    http.store.is_off = True
    assert (await http.post()).status == 202
    for answer in (
        await http.post(device_id="unheard"),
        await http.post(b"{"),
        await http.batch({"messages": [message(), message("unheard")]}),
    ):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
    assert (http.taken(), http.rejected()) == (2, {})
    http.store.is_off = False
    assert told(await http.batch({"messages": [message(), message("unheard")]})) == ["accepted"] * 2


# What strangers learn


@pytest.mark.parametrize(("token", "reason"), [("hid_wrong", "TOKEN_INVALID"), (None, "TOKEN_MISSING")])
async def test_a_stranger_cannot_tell_tenants_and_devices_that_exist_from_those_that_do_not(
    http: Sending, database: Database, token: str | None, reason: str
) -> None:
    await add_customer(database, GLOBEX, limit=0, status="EXPIRED")
    await add_device(database, "revoked", status="REVOKED")
    await add_device(database, "pending", status="PENDING")
    await add_device(database, "expired", tenant_id=GLOBEX)
    await change(database, "INSERT INTO tenants (tenant_id, name, status) VALUES ('off', 'off', 'SUSPENDED')")
    await change(database, "INSERT INTO tenants (tenant_id, name, status) VALUES ('deleted', 'deleted', 'DELETED')")
    for body in (b'{"metrics": {"t": 1}}', b'{"site_id": "elsewhere"}', b'{"metrics": 1}', b"{", b"[]"):
        answers = set()
        for tenant_id, device_id in (
            (ACME, "d"),
            (ACME, "revoked"),
            (ACME, "pending"),
            (ACME, "nobody"),
            (GLOBEX, "expired"),
            (GLOBEX, "nobody"),
            ("off", "nobody"),
            ("deleted", "nobody"),
            ("nobody", "nobody"),
            ("home", "nobody"),
        ):
            answer = await http.post(body, tenant_id=tenant_id, device_id=device_id, token=token)
            answer.body.pop("request_id")
            answers.add((answer.status, str(answer.body), answer.headers.get("WWW-Authenticate")))
            assert body in (b"{", b"[]") or is_problem(answer, 401, reason)
        assert len(answers) == 1


async def test_the_same_holds_for_the_messages_of_a_batch(http: Sending, database: Database) -> None:
    await add_device(database, "revoked", status="REVOKED")
    messages = [
        message("d", token="hid_wrong"),
        message("revoked", token="hid_wrong"),
        message("nobody", token="hid_wrong"),
        message("d", tenant_id="nobody", token="hid_wrong"),
    ]
    results = (await http.batch({"messages": messages}, token=None)).body["results"]
    assert len({(result["reason"], result["detail"]) for result in results}) == 1


async def test_the_quarantine_knows_the_truth(http: Sending, database: Database) -> None:
    await add_device(database, "revoked", status="REVOKED")
    await http.post(device_id="revoked", token=None)
    await http.post(device_id="revoked", token="hid_wrong")
    await http.post(device_id="revoked")
    await http.post(tenant_id="nobody")
    rows = await kept(database)
    assert [(row["tenant_id"], row["reason"], row["authenticated"]) for row in rows] == [
        (ACME, "TOKEN_MISSING", False),
        (ACME, "TOKEN_INVALID", False),
        (ACME, "DEVICE_REVOKED", True),
        ("-", "UNKNOWN_TENANT", False),
    ]


async def test_a_token_opens_the_device_of_its_own_tenant_alone(http: Sending, database: Database) -> None:
    await add_customer(database, GLOBEX)
    await add_device(database, tenant_id=GLOBEX, token="hid_globex")
    assert is_problem(await http.post(token="hid_globex"), 401, "TOKEN_INVALID")
    assert is_problem(await http.post(tenant_id=GLOBEX), 401, "TOKEN_INVALID")
    assert (await http.post(tenant_id=GLOBEX, token="hid_globex")).status == 202


# Batches


async def test_of_a_batch_each_message_is_accepted_or_rejected_for_itself(http: Sending, database: Database) -> None:
    await add_device(database, "e", token="hid_other")
    messages: list[object] = [
        message(),
        message("e"),
        message("e", token="hid_other"),
        message(metrics={"t": None}),
        [],
        "x",
        message(msg_type=7),
        message("d/e"),
        message(tenant_id="nobody"),
        message(metrics={}, text="x" * LIMIT),
        message(msg_type="heartbeat", metrics={}),
    ]
    answer = await http.batch({"messages": messages})
    assert told(answer) == [
        "accepted",
        "TOKEN_INVALID",
        "accepted",
        "METRIC_VALUE_INVALID",
        "BAD_TOPIC_FORMAT",
        "BAD_TOPIC_FORMAT",
        "BAD_TOPIC_FORMAT",
        "BAD_TOPIC_FORMAT",
        "TOKEN_INVALID",
        "PAYLOAD_TOO_LARGE",
        "accepted",
    ]
    assert "tenant_id, device_id and msg_type" in answer.body["results"][4]["detail"]
    assert http.taken() == 2  # there is nothing to store of a heartbeat
    assert len(await kept(database)) == 8


async def test_a_batch_may_have_a_message_on_each_line(http: Sending) -> None:
    lines = b"\r\n".join([json.dumps(message()).encode(), b"", b"{", b"[]", json.dumps(message()).encode(), b""])
    for kind in ("application/x-ndjson", "application/ndjson; charset=utf-8", "application/jsonl"):
        answer = await http.batch(lines, Content_Type=kind)
        assert told(answer) == ["accepted", "BAD_TOPIC_FORMAT", "BAD_TOPIC_FORMAT", "accepted"]


async def test_a_message_with_nan_costs_itself_alone(http: Sending, database: Database) -> None:
    body = json.dumps({"messages": [message(), message(metrics={"t": float("nan")}), message()]})
    assert told(await http.batch(body.encode())) == ["accepted", "INVALID_JSON", "accepted"]
    (row,) = await kept(database)
    assert (row["tenant_id"], row["device_id"]) == (ACME, "d")


async def test_a_message_that_is_not_utf_8_costs_itself_alone(http: Sending) -> None:
    body = json.dumps({"messages": [message(), message(text="?"), message()]}).encode().replace(b"?", b"\xff")
    assert told(await http.batch(body)) == ["accepted", "INVALID_ENCODING", "accepted"]


@pytest.mark.parametrize("number", [1, 100])
async def test_a_batch_of_up_to_a_hundred_is_taken(http: Sending, number: int) -> None:
    assert told(await http.batch({"messages": [message()] * number})) == ["accepted"] * number
    assert http.taken() == number


NO_BATCH: tuple[tuple[object, str], ...] = (
    ({"messages": []}, "no messages"),
    ({"messages": [message()] * 101}, "more than 100 messages"),
    ({"messages": [1] * 500_000}, "more than 100 messages"),
    ({}, '"messages"'),
    ([], '"messages"'),
    ([message()], '"messages"'),
    (message(), '"messages"'),
    ({"messages": "x"}, '"messages"'),
    (None, '"messages"'),
    (b"", '"messages"'),
    (b"NaN", '"messages"'),
    (b"{", '"messages"'),
    (b"\xff\xfe", '"messages"'),
    (b"[" * 1_000_000, '"messages"'),
)


async def test_what_is_no_batch_is_refused_as_a_whole(http: Sending) -> None:
    for body, words in NO_BATCH:
        answer = await http.batch(body)
        assert answer.status == 400, answer.body
        assert words in answer.body["detail"]
    assert http.taken() == 0


@pytest.mark.parametrize("way", ["plain", "chunked", "gzip"])
async def test_a_batch_larger_than_all_its_messages_may_be_is_refused(http: Sending, way: str) -> None:
    most = 100 * LIMIT
    body = json.dumps({"messages": [message()]}).encode()
    for size, status in ((most, 202), (most + 1, 413)):
        sent: Any = body + b" " * (size - len(body))
        match way:
            case "chunked":
                answer = await http.batch(chunks(sent, 50_000))
            case "gzip":
                answer = await http.batch(gzip.compress(sent), Content_Encoding="gzip")
            case _:
                answer = await http.batch(sent)
        assert answer.status == status, answer.body


async def test_a_large_batch_is_taken_packed_and_unpacked(http: Sending) -> None:
    body = json.dumps({"messages": [message(text="x" * 10_000)] * 100}).encode()
    assert told(await http.batch(body)) == ["accepted"] * 100
    assert told(await http.batch(gzip.compress(body), Content_Encoding="gzip")) == ["accepted"] * 100


async def test_no_field_of_any_kind_is_a_fault_of_the_server(http: Sending) -> None:
    values: list[object] = [None, True, -1, 2**70, 1e308, "", "\x00", "\ud800", [], {}, [[]], {"a": {"b": []}}]
    fields = ["tenant_id", "device_id", "msg_type", "token", "version", "ts", "site_id", "metrics", "lat", "seq"]
    for name in fields:
        answer = await http.batch({"messages": [message() | {name: value} for value in values]})
        assert len(told(answer)) == len(values)
        for value in values:
            body = json.dumps({"metrics": {"t": 1}} | {name: value}).encode()
            assert (await http.post(body)).status in (202, 400, 401, 403)


# Others


async def test_many_senders_at_once_are_all_answered_and_all_are_in_the_spool(http: Sending) -> None:
    answers = await asyncio.gather(*(http.post() for _ in range(200)))
    assert {answer.status for answer in answers} == {202}
    assert http.taken() == 200


async def test_senders_that_say_nothing_keep_no_one_from_sending(http: Sending) -> None:
    head = (
        b"POST /ingest/v1/tenant/acme/device/d/telemetry HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n"
        b"X-Provision-Token: " + TOKEN.encode() + b"\r\n\r\n{"
    )
    writers = []
    for _ in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(head)
        writers.append(writer)
    try:
        assert (await http.post()).status == 202
        assert told(await http.batch({"messages": [message()] * 100})) == ["accepted"] * 100
    finally:
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_sender_that_goes_in_the_middle_leaves_nothing_behind(http: Sending, database: Database) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", http.port)
    writer.write(b"POST /ingest/v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await http.post()).status == 202
    assert http.taken() == 1
    assert await count(database, "SELECT count(*) FROM quarantine") == 0
