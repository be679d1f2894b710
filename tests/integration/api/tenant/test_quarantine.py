"""``/tenant/v1/quarantine`` over real HTTP: looked at, replayed through the real gate, given up."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.api.tenant.replaying import Replaying
from homeiq_server.ingest.message import NOBODY, Accepted, Inbound, Outcome, Reason, Refused
from homeiq_server.ingest.quarantine import PAYLOAD_BYTES, Quarantine
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Conn, Pool
from tests.integration.api.device_serving import Answer
from tests.integration.api.ingest_served import TOKEN, Sending, add_device, kept, sending
from tests.integration.store.rows import AT_US
from tests.integration.store.tenant_rows import ACME, GLOBEX, KEY, add_customer, change, count
from tests.postgres import Database

PATH = "/tenant/v1/quarantine"
GOOD = b'{"metrics": {"t": 1.5}}'


@pytest.fixture
async def http(pool: Pool, database: Database, tmp_path: Path) -> AsyncIterator[Sending]:
    """A server of the tenants ``acme`` and ``globex``, whose devices register themselves with a key."""
    await add_customer(database)
    await add_customer(database, GLOBEX)
    async with sending(pool, tmp_path) as http:
        yield http


async def keep(  # noqa: PLR0913 - a message and its refusal have as many parts
    pool: Pool,
    payload: bytes = GOOD,
    *,
    number: int = 1,
    reason: Reason = Reason.UNREGISTERED_DEVICE,
    device_id: str = "d",
    tenant_id: str = ACME,
    authenticated: bool = True,
) -> None:
    """Put messages into the quarantine, each a microsecond after the one before."""
    topic = f"tenant/{tenant_id}/device/{device_id}/telemetry"
    refused = Refused(
        reason=reason, detail="as it was", tenant_id=tenant_id, device_id=device_id, authenticated=authenticated
    )
    messages = [
        (Inbound(transport="mqtt", topic=topic, payload=payload, received_us=AT_US + place), refused)
        for place in range(number)
    ]
    for start in range(0, number, 50):
        await Quarantine(pool, kept=1_000, days=14).keep(messages[start : start + 50])


async def ids(database: Database, tenant_id: str = ACME) -> list[int]:
    return [row["id"] for row in await kept(database) if row["tenant_id"] == tenant_id]


async def listed(http: Sending, tenant_id: str = ACME, **query: str) -> list[dict[str, Any]]:
    answer = await http.tenant("GET", PATH, tenant_id=tenant_id, **query)
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.body["quarantine"]
    return found


async def replay(http: Sending, tenant_id: str = ACME, **body: object) -> Answer:
    return await http.tenant("POST", f"{PATH}/replay", body, tenant_id=tenant_id)


async def discard(http: Sending, tenant_id: str = ACME, **body: object) -> Answer:
    return await http.tenant("POST", f"{PATH}/discard", body, tenant_id=tenant_id)


# Looking


async def test_a_refused_message_is_shown_with_its_reason_and_without_its_token(http: Sending) -> None:
    body = {"token": TOKEN, "metrics": {"t": None}}
    await http.post(body, token=None)
    (shown,) = await listed(http)
    assert shown.pop("id") > 0
    assert shown.pop("received_at").endswith("Z")
    assert "wrong" in shown["detail"] or "token" in shown["detail"]
    del shown["detail"]
    assert shown == {
        "transport": "http",
        "topic": "tenant/acme/device/d/telemetry",
        "device_id": "d",
        "reason": "TOKEN_INVALID",
        "payload": json.dumps(body).replace(TOKEN, "***"),
        "payload_encoding": "utf-8",
        "payload_complete": True,
        "size": len(json.dumps(body)),
        "replayable": True,
        "authenticated": False,
        "state": "new",
        "attempts": 0,
    }


async def test_a_payload_that_is_not_utf_8_is_shown_as_base64(http: Sending, pool: Pool) -> None:
    await keep(pool, b"\xff\x00")
    (shown,) = await listed(http)
    assert (base64.b64decode(shown["payload"]), shown["payload_encoding"]) == (b"\xff\x00", "base64")


async def test_a_list_shows_the_beginning_of_a_payload_and_one_message_all_that_is_kept(
    http: Sending, pool: Pool
) -> None:
    await keep(pool, "ä".encode() * PAYLOAD_BYTES)
    (shown,) = await listed(http)
    assert (shown["payload"], shown["payload_complete"], shown["replayable"]) == ("ä" * 1_024, False, False)
    one = (await http.tenant("GET", f"{PATH}/{shown['id']}")).body
    assert (one["payload"], one["payload_complete"]) == ("ä" * (PAYLOAD_BYTES // 2), False)
    await keep(pool, b"x" * 3_000)
    one = (await http.tenant("GET", f"{PATH}/{(await listed(http))[0]['id']}")).body
    assert (one["payload"], one["payload_complete"], one["replayable"]) == ("x" * 3_000, True, True)


async def test_messages_are_found_by_reason_device_and_state(http: Sending, pool: Pool, database: Database) -> None:
    await keep(pool)
    await keep(pool, reason=Reason.INVALID_JSON)
    await keep(pool, device_id="e")
    first, second, third = await ids(database)
    await discard(http, ids=[third])
    for query, found in (
        ({}, [second, first]),
        ({"reason": "INVALID_JSON"}, [second]),
        ({"reason": "MALFORMED"}, []),
        ({"device_id": "d"}, [second, first]),
        ({"device_id": "e"}, []),
        ({"device_id": "e", "state": "all"}, [third]),
        ({"state": "discarded"}, [third]),
        ({"state": "replayed"}, []),
        ({"state": "all"}, [third, second, first]),
    ):
        assert [each["id"] for each in await listed(http, **query)] == found, query


async def test_page_after_page_shows_each_message_once(http: Sending, pool: Pool, database: Database) -> None:
    await keep(pool, number=7)
    await keep(pool, number=7)
    shown, query = [], {"limit": "3"}
    while True:
        answer = (await http.tenant("GET", PATH, **query)).body
        shown += [each["id"] for each in answer["quarantine"]]
        if answer["next_cursor"] is None:
            break
        query["cursor"] = answer["next_cursor"]
    assert sorted(shown) == await ids(database)
    assert len(shown) == 14


async def test_the_summary_counts_what_waits_by_reason(http: Sending, pool: Pool, database: Database) -> None:
    assert (await http.tenant("GET", f"{PATH}/summary")).body == {"messages": 0, "newest_at": None, "reasons": []}
    await keep(pool, number=3)
    await keep(pool, device_id="e")
    await keep(pool, reason=Reason.INVALID_JSON)
    await keep(pool, tenant_id=GLOBEX)
    await discard(http, ids=(await ids(database))[:1])
    summary = (await http.tenant("GET", f"{PATH}/summary")).body
    newest = moment(AT_US + 2).isoformat().replace("+00:00", "Z")
    assert (summary["messages"], summary["newest_at"]) == (4, newest)
    assert [(each["reason"], each["messages"], each["devices"]) for each in summary["reasons"]] == [
        ("UNREGISTERED_DEVICE", 3, 2),
        ("INVALID_JSON", 1, 1),
    ]


@pytest.mark.parametrize(
    "query", [{"state": "old"}, {"reason": "BAD"}, {"limit": "0"}, {"limit": "501"}, {"cursor": "x"}, {"what": "x"}]
)
async def test_what_cannot_be_asked_is_refused(http: Sending, query: dict[str, str]) -> None:
    assert (await http.tenant("GET", PATH, **query)).status == 400


# Who may


async def test_nobody_sees_or_touches_what_is_another_tenants(http: Sending, pool: Pool, database: Database) -> None:
    await keep(pool)
    (row,) = await ids(database)
    assert await listed(http, GLOBEX, state="all") == []
    assert (await http.tenant("GET", f"{PATH}/{row}", tenant_id=GLOBEX)).status == 404
    assert (await http.tenant("GET", f"{PATH}/x")).status == 404
    assert (await http.tenant("GET", f"{PATH}/{2**63}")).status == 404
    (result,) = (await replay(http, GLOBEX, ids=[row])).body["results"]
    assert result == {"id": row, "status": "skipped", "detail": "there is no message with this id"}
    assert (await discard(http, GLOBEX, ids=[row])).body == {"discarded": 0}
    assert (await http.tenant("GET", f"{PATH}/summary", tenant_id=GLOBEX)).body["messages"] == 0
    assert (await kept(database))[0]["state"] == "new"


async def test_the_operator_sees_what_is_nobodys_and_no_tenant_does(http: Sending) -> None:
    await http.post(tenant_id="nobody")
    await http.batch({"messages": ["x"]})
    assert await listed(http) == []
    answer = await http.tenant("GET", "/operator/v1/quarantine")
    assert [each["reason"] for each in answer.body["quarantine"]] == ["BAD_TOPIC_FORMAT", "UNKNOWN_TENANT"]


# Replaying


async def test_a_message_whose_fault_was_mended_is_taken_with_the_time_at_which_it_came(
    http: Sending, pool: Pool, database: Database
) -> None:
    taken: list[Accepted] = []
    http.gate.follow(taken.extend)
    await keep(pool)
    await add_device(database)
    (row,) = await ids(database)
    answer = await replay(http, ids=[row])
    assert answer.body == {
        "accepted": 1,
        "rejected": 0,
        "skipped": 0,
        "results": [{"id": row, "status": "accepted"}],
    }
    assert http.taken() == 1
    (accepted,) = taken
    assert (accepted.tenant_id, accepted.device_id, accepted.time_us, accepted.received_us) == (ACME, "d", AT_US, AT_US)
    (stored,) = await kept(database)
    assert (stored["state"], stored["attempts"], stored["reason"]) == ("replayed", 1, "UNREGISTERED_DEVICE")


async def test_one_that_is_refused_again_waits_on_with_its_new_reason_and_is_there_once(
    http: Sending, pool: Pool, database: Database
) -> None:
    await keep(pool)
    await add_device(database, status="REVOKED")
    (row,) = await ids(database)
    for attempt in (1, 2):
        answer = await replay(http, ids=[row])
        (result,) = answer.body["results"]
        assert (answer.body["rejected"], result["status"], result["reason"]) == (1, "rejected", "DEVICE_REVOKED")
        (stored,) = await kept(database)
        assert (stored["state"], stored["attempts"], stored["reason"]) == ("new", attempt, "DEVICE_REVOKED")
        assert stored["detail"] == result["detail"] != "as it was"
        assert stored["received_at"] == moment(AT_US)
    assert http.taken() == 0


async def test_who_had_not_proved_who_he_was_has_to_in_the_message_itself(
    http: Sending, pool: Pool, database: Database
) -> None:
    await add_device(database)
    await keep(pool, authenticated=False)
    await keep(pool, json.dumps({"token": TOKEN, "metrics": {"t": 1}}).encode(), authenticated=False)
    results = (await replay(http, ids=await ids(database))).body["results"]
    assert [(each["status"], each.get("reason")) for each in results] == [
        ("rejected", "TOKEN_MISSING"),
        ("accepted", None),
    ]


async def test_a_row_with_the_address_of_another_tenant_is_vouched_for_by_nobody(
    http: Sending, pool: Pool, database: Database
) -> None:
    await add_device(database, tenant_id=GLOBEX)
    await keep(pool)
    await change(database, "UPDATE quarantine SET topic = 'tenant/globex/device/d/telemetry'")
    (result,) = (await replay(http, ids=await ids(database))).body["results"]
    assert result["reason"] == "TOKEN_MISSING"
    assert http.taken() == 0


async def test_what_was_dealt_with_is_not_replayed_and_nor_is_what_is_not_whole(
    http: Sending, pool: Pool, database: Database
) -> None:
    await add_device(database)
    await keep(pool, number=2)
    await keep(pool, GOOD + b" " * PAYLOAD_BYTES)
    first, second, third = await ids(database)
    await discard(http, ids=[second])
    assert (await replay(http, ids=[first])).body["accepted"] == 1
    answer = (await replay(http, ids=[first, second, third, third, 999])).body
    assert (answer["accepted"], answer["rejected"], answer["skipped"]) == (0, 0, 4)
    assert [each["detail"] for each in answer["results"]] == [
        "it was replayed before",
        "it was discarded before",
        "only the beginning of its payload was kept",
        "there is no message with this id",
    ]
    assert http.taken() == 1


async def test_by_reason_the_oldest_are_replayed_and_so_many_at_most(
    http: Sending, pool: Pool, database: Database
) -> None:
    await add_device(database)
    await keep(pool, number=5)
    await keep(pool, reason=Reason.INVALID_JSON)
    assert (await replay(http, reason="UNREGISTERED_DEVICE", limit=3)).body["accepted"] == 3
    states = [row["state"] for row in await kept(database)]
    assert states == ["replayed"] * 3 + ["new"] * 3
    assert (await replay(http, reason="UNREGISTERED_DEVICE")).body["accepted"] == 2
    assert (await replay(http, reason="UNREGISTERED_DEVICE")).body["results"] == []


async def test_five_hundred_are_replayed_at_once(http: Sending, pool: Pool, database: Database) -> None:
    await keep(pool, number=500)
    await add_device(database)
    answer = await replay(http, ids=await ids(database))
    assert answer.body["accepted"] == 500, answer.body
    assert http.taken() == 500


async def test_a_new_device_is_registered_by_a_replay_when_its_tenant_allows(
    http: Sending, pool: Pool, database: Database
) -> None:
    await keep(pool, json.dumps({"token": KEY, "metrics": {"t": 1}}).encode(), device_id="new", authenticated=False)
    assert (await replay(http, ids=await ids(database))).body["accepted"] == 1
    assert await count(database, "SELECT count(*) FROM ingest_devices WHERE device_id = 'new'") == 1


async def test_no_rate_keeps_messages_from_being_replayed_whose_sender_had_proved_who_he_was(
    pool: Pool, database: Database, tmp_path: Path
) -> None:
    await add_customer(database)
    await add_device(database)
    async with sending(pool, tmp_path, device_rate=1, device_burst=1) as http:
        await keep(pool, number=60)
        assert (await replay(http, ids=await ids(database))).body["accepted"] == 60
        assert (await http.post()).status == 202  # nor do they keep the device itself from sending


class _Limiting:
    """A gate that takes nothing now."""

    async def take(self, messages: Sequence[Inbound]) -> list[Outcome]:
        return [
            Refused(reason=Reason.RATE_LIMITED_TENANT, detail="too much", tenant_id=ACME, device_id="d")
            for _ in messages
        ]


async def test_one_that_only_a_rate_refuses_waits_on_with_the_reason_that_it_had(
    http: Sending, pool: Pool, database: Database
) -> None:
    await keep(pool)
    (row,) = await ids(database)

    async def choose(_: Conn) -> Sequence[int]:
        return [row]

    (result,) = await Replaying(_Limiting()).replay(http.store, ACME, choose)
    assert (result.status, result.reason) == ("rejected", Reason.RATE_LIMITED_TENANT)
    (stored,) = await kept(database)
    assert (stored["reason"], stored["detail"], stored["attempts"]) == ("UNREGISTERED_DEVICE", "as it was", 1)


async def test_two_who_replay_the_same_at_once_do_so_once(http: Sending, pool: Pool, database: Database) -> None:
    await add_device(database)
    await keep(pool, number=200)
    rows = await ids(database)
    answers = await asyncio.gather(*(replay(http, ids=rows) for _ in range(5)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert sum(answer.body["accepted"] for answer in answers if answer.status == 200) == 200
    assert all("Retry-After" in answer.headers for answer in answers if answer.status == 503)
    assert http.taken() == 200


async def test_nor_do_two_servers(pool: Pool, http: Sending, database: Database, tmp_path: Path) -> None:
    await add_device(database)
    await keep(pool, number=200)
    rows = await ids(database)
    (tmp_path / "second").mkdir()
    async with sending(pool, tmp_path / "second") as second:
        answers = await asyncio.gather(*(replay(server, ids=rows) for server in (http, second)))
        assert http.taken() + second.taken() == 200
    assert sorted(answer.status for answer in answers) in ([200, 200], [200, 503])


async def test_messages_that_are_refused_meanwhile_are_kept_meanwhile(
    http: Sending, pool: Pool, database: Database
) -> None:
    await add_device(database)
    await keep(pool, number=300)
    rows = await ids(database)
    answers = await asyncio.gather(replay(http, ids=rows), *(http.post(b"{") for _ in range(20)))
    assert [answer.status for answer in answers] == [200] + [400] * 20
    assert await count(database, "SELECT count(*) FROM quarantine WHERE reason = 'INVALID_JSON'") == 20


async def test_while_nothing_can_be_kept_a_replay_changes_nothing(
    http: Sending, pool: Pool, database: Database
) -> None:
    await keep(pool)
    http.gate.stop()
    answer = await replay(http, ids=await ids(database))
    assert answer.status == 503
    (row,) = await kept(database)
    assert (row["state"], row["attempts"]) == ("new", 0)


@pytest.mark.parametrize("action", ["replay", "discard"])
async def test_it_must_be_told_which_messages_are_meant(http: Sending, action: str) -> None:
    bodies: tuple[object, ...] = (
        {},
        {"ids": []},
        {"ids": [0]},
        {"ids": [2**63]},
        {"ids": ["1"]},
        {"ids": list(range(1, 502))},
        {"ids": [1], "reason": "INVALID_JSON"},
        {"reason": "BAD"},
        {"reason": "INVALID_JSON", "limit": 501},
        {"what": 1},
        [],
    )
    for body in bodies:
        assert (await http.tenant("POST", f"{PATH}/{action}", body)).status == 400, body


# Giving up


async def test_what_is_given_up_is_counted_and_stays_to_be_looked_at(
    http: Sending, pool: Pool, database: Database
) -> None:
    await keep(pool, number=3)
    await keep(pool, reason=Reason.INVALID_JSON)
    await keep(pool, tenant_id=GLOBEX)
    rows = await ids(database)
    assert (await discard(http, ids=[rows[0], rows[0], 999])).body == {"discarded": 1}
    assert (await discard(http, ids=rows[:2])).body == {"discarded": 1}
    assert (await discard(http, reason="UNREGISTERED_DEVICE", limit=10)).body == {"discarded": 1}
    assert [each["reason"] for each in await listed(http)] == ["INVALID_JSON"]
    assert len(await listed(http, state="discarded")) == 3
    assert len(await listed(http, GLOBEX)) == 1


def test_nobody_is_no_name_that_a_tenant_can_have() -> None:
    assert NOBODY == "-"
