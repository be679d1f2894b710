"""The whole app with device ingest, PostgreSQL and Mosquitto: who may ask it what, and what no request can break."""

import asyncio
import logging
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from homeiq_server.credentials import digest
from homeiq_server.options import Secret
from tests.mosquitto import PROGRAM, Mosquitto
from tests.mqtt_sender import Sender
from tests.postgres import Database, as_owner
from tests.unit.homeiq_server.server_builders import Answer, Client, eventually, options, serving

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="there is no mosquitto here: scripts/setup brings it")

LISTED: Final = "https://grafana.example"
FOREIGN: Final = "https://evil.example"
TOKEN: Final = "hid_" + "t" * 43
TOPIC: Final = "tenant/home/device/d/telemetry"
INGEST: Final = f"/ingest/v1/{TOPIC}"
LIMIT: Final = 16_384
DEVICES: Final = "/tenant/v1/devices"
TENANTS: Final = "/operator/v1/tenants"
ALERTS: Final = "/tenant/v1/alerts"


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that lets everybody in."""
    broker = Mosquitto(tmp_path / "mosquitto")
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop(kill=True)


@pytest.fixture
async def client(tmp_path: Path, database: Database, mosquitto: Mosquitto) -> AsyncIterator[Client]:
    """A client of the app; the home has one device."""
    async with as_owner(database) as owner:
        await owner.execute(
            "INSERT INTO ingest_devices (tenant_id, device_id, subscription_id, status, provisioned_by, token_hash)"
            " SELECT 'home', 'd', id, 'ACTIVE', 'api', $1 FROM subscriptions WHERE tenant_id = 'home'",
            digest(TOKEN),
        )
    chosen = options(
        tmp_path / "app",
        history=False,
        store=True,
        database_url=Secret(database.url),
        database_owner_url=Secret(database.owner_url),
        ingest=True,
        mqtt_url=mosquitto.url,
        cors_origins=(LISTED,),
    )
    async with serving(chosen) as opened:
        await eventually(partial(_is_up, opened))
        yield opened


async def _is_up(client: Client) -> bool:
    status = await client.status()
    return bool(status["store"]["state"] == "ok" and status["ingest"]["mqtt"]["state"] == "connected")


async def ask(client: Client, method: str, path: str, *, token: str | None = None, **more: Any) -> Answer:  # noqa: ANN401 - aiohttp's own
    """Ask with a token, by default the app's; an empty one is left out."""
    shown = client.bearer if token is None else {"Authorization": f"Bearer {token}"} if token else {}
    return await client.ask(method, client.api + path, headers=shown | more.pop("headers", {}), **more)


async def send(client: Client, body: bytes = b'{"metrics": {"t": 1}}') -> Answer:
    """Send a message of the home's device by HTTP."""
    return await ask(client, "POST", INGEST, token=TOKEN, data=body)


@pytest.mark.parametrize(("method", "path"), [("GET", DEVICES), ("GET", TENANTS), ("POST", INGEST)])
async def test_pages_of_other_origins_are_told_nothing_unless_listed(client: Client, method: str, path: str) -> None:
    token = TOKEN if path == INGEST else None
    for origin, expected in ((FOREIGN, None), ("null", None), (f"{LISTED}.evil.example", None), (LISTED, LISTED)):
        answer = await ask(client, method, path, token=token, headers={"Origin": origin}, data=b"{}")
        assert answer.headers.get("Access-Control-Allow-Origin") == expected
        assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = await ask(client, method, path, token="wrong", headers={"Origin": FOREIGN})
    assert "Access-Control-Allow-Origin" not in refused.headers


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", f"{DEVICES}/d"), ("DELETE", f"{TENANTS}/acme"), ("POST", INGEST)]
)
async def test_a_listed_page_may_change_things_and_no_other_is_told_so(client: Client, method: str, path: str) -> None:
    question = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key, if-match",
    }
    answer = await ask(client, "OPTIONS", path, token="", headers=question | {"Origin": LISTED})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, LISTED)
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "if-match"} <= set(allowed)
    foreign = await ask(client, "OPTIONS", path, token="", headers=question | {"Origin": FOREIGN})
    assert foreign.status >= 400
    assert not [name for name in foreign.headers if name.startswith("Access-Control-")]


async def test_every_route_that_is_described_is_served_with_all_that_it_needs(client: Client) -> None:
    document = (await ask(client, "GET", "/tenant/v1/openapi.json", token="")).body
    asked = 0
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            named = path.replace("{", "x").replace("}", "")
            for body in (b"", b"{}", b"[]", b"{", b'{"a": 1}'):
                answer = await ask(client, method.upper(), named, data=body)
                assert answer.status < 500, (method, path, answer.body)
                assert str(answer.status) in item[method]["responses"], (method, path, answer.status)
                asked += 1
    assert asked > 300


@pytest.mark.parametrize("path", [DEVICES, TENANTS, INGEST])
async def test_a_body_of_another_shape_is_refused_with_a_number_to_ask_about(client: Client, path: str) -> None:
    numbers = set()
    for body in (b"[]", b"1", b"{", b"\xff", b"[" * 10_000):
        answer = await ask(client, "POST", path, token=TOKEN if path == INGEST else None, data=body)
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        numbers.add(answer.body["request_id"])
    assert len(numbers) == 5
    assert (await send(client)).status == 202


@pytest.mark.parametrize(("path", "comes"), [(DEVICES, 1), (TENANTS, 1), ("/ingest/v1/batch", 1), (INGEST, LIMIT + 1)])
async def test_a_body_that_is_too_large_is_refused_before_it_has_come(client: Client, path: str, comes: int) -> None:
    secret = f"Bearer {TOKEN}" if path.startswith("/ingest/") else client.bearer["Authorization"]
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    try:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\r\nContent-Length: 100000000\r\n\r\n"
        writer.write(head.encode() + b" " * comes)
        async with asyncio.timeout(20):
            assert b" 413 " in await reader.readuntil(b"\r\n")
        assert (await send(client)).status == 202
    finally:
        writer.close()
        await writer.wait_closed()


MALFORMED: Final = (
    (b"{", "INVALID_JSON"),
    (b'{"metrics": {"t": NaN}}', "INVALID_JSON"),
    (b"[" * LIMIT, "INVALID_JSON"),
    (b"\xff", "INVALID_ENCODING"),
    (b"[]", "NOT_OBJECT"),
    (b"1", "NOT_OBJECT"),
    (b" " * (LIMIT + 1), "PAYLOAD_TOO_LARGE"),
    (b'{"metrics": {"t": null}}', "METRIC_VALUE_INVALID"),
    (b'{"metrics": {"": 1}}', "METRIC_KEY_INVALID"),
    (b'{"metrics": [1]}', "MALFORMED"),
)


async def test_each_malformed_message_of_mqtt_is_counted_by_its_reason_and_the_next_good_one_is_taken(
    client: Client, mosquitto: Mosquitto, database: Database
) -> None:
    sender = await Sender.connect(mosquitto.port)
    for payload, _ in MALFORMED:
        await sender.publish(TOPIC, payload, token=TOKEN)
    await sender.publish(TOPIC, b'{"metrics": {"t": 1}, "metrics": {"t": 2}}', token=TOKEN)
    await sender.sent()
    await sender.close()
    expected = Counter(reason for _, reason in MALFORMED)
    await eventually(partial(_has_taken, client, 1))
    ingest = (await client.status())["ingest"]
    assert (ingest["refused"], ingest["faults"], ingest["mqtt"]["forced_reconnects"]) == (expected, 0, 0)
    assert ingest["messages_per_minute"] == len(MALFORMED) + 1
    async with as_owner(database) as owner:
        kept = await owner.fetch("SELECT reason, count(*) AS n FROM quarantine GROUP BY reason")
        assert {row["reason"]: row["n"] for row in kept} == expected
        assert await owner.fetchval("SELECT count(*) FROM ingest_devices") == 1


async def _has_taken(client: Client, number: int) -> bool:
    ingest = (await client.status())["ingest"]
    return bool(ingest["accepted"] == number and ingest["mqtt"]["held"] == 0)


async def _opened(client: Client) -> int:
    """Let a device send what a rule opens an alert about, and return the alert's id."""
    rule = {"name": "hot", "kind": "THRESHOLD", "metric": "t", "operator": "GT", "threshold": 80}
    assert (await ask(client, "POST", "/tenant/v1/alert-rules", json=rule)).status == 201
    assert (await send(client, b'{"metrics": {"t": 81}}')).status == 202
    found: list[int] = []

    async def has_opened() -> bool:
        answer = await ask(client, "GET", f"{ALERTS}?state=open")
        found[:] = [alert["id"] for alert in answer.body["alerts"]]
        return bool(found)

    await eventually(has_opened)
    (alert_id,) = found
    return alert_id


async def _token_of_another(client: Client) -> str:
    """Make a tenant with a subscription, and return a token of it."""
    subscription = {"kind": "MAIN", "device_limit": 5, "term_days": 30}
    tenant = {"tenant_id": "acme", "name": "Acme", "subscription": subscription}
    assert (await ask(client, "POST", TENANTS, json=tenant)).status == 201
    wanted = {"name": "t", "scopes": ["alerts:read", "alerts:write", "subscriptions:read", "subscriptions:write"]}
    made = await ask(client, "POST", f"{TENANTS}/acme/tokens", json=wanted)
    return str(made.body["token"])


async def test_an_alert_that_a_message_opened_is_found_by_its_id_and_by_no_other_tenant(client: Client) -> None:
    alert_id = await _opened(client)
    foreign = await _token_of_another(client)
    for method, action in (("GET", ""), ("POST", "/acknowledge"), ("POST", "/clear")):
        path = f"{ALERTS}/{alert_id}{action}"
        assert (await ask(client, method, path, token=foreign)).status == 404
        for wrong in ("x", "-1", "1.5", str(2**63), str(alert_id + 1)):
            assert (await ask(client, method, f"{ALERTS}/{wrong}{action}")).status == 404
        answer = await ask(client, method, path)
        assert (answer.status, answer.body["id"]) == (200, alert_id)
    assert answer.body["state"] == "cleared"


_JSON_COLUMNS: Final = """
    SELECT table_name::text, column_name::text FROM information_schema.columns
     WHERE table_schema = 'homeiq' AND data_type IN ('json', 'jsonb')
"""


async def test_what_is_stored_as_json_is_objects_and_lists_and_no_text_of_them(
    client: Client, database: Database
) -> None:
    integration = {"name": "Home Assistant", "kind": "home_assistant", "config": {}}
    made = await ask(client, "POST", "/tenant/v1/integrations", json=integration)
    route = {"name": "all", "integration_id": made.body["id"]}
    assert (await ask(client, "POST", "/tenant/v1/routes", json=route)).status == 201
    body = {"device_id": "m", "metadata": {"floor": "2"}}
    assert (await ask(client, "POST", DEVICES, json=body)).status == 201
    await _opened(client)
    foreign = await _token_of_another(client)
    mine = (await ask(client, "GET", "/tenant/v1/subscriptions", token=foreign)).body["subscriptions"][0]
    path = f"/tenant/v1/subscriptions/{mine['id']}/renewals"
    renewal = {"expected_term_end": mine["term_end"], "devices_to_deactivate": []}
    renewed = await ask(client, "POST", path, token=foreign, json=renewal, headers={"Idempotency-Key": "k"})
    assert renewed.status == 200, renewed.body
    filled = set()
    async with as_owner(database) as owner:
        for table, column in await owner.fetch(_JSON_COLUMNS):
            asked = f"SELECT DISTINCT jsonb_typeof({column}) FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608 - of the catalogue
            kinds = {row[0] for row in await owner.fetch(asked)}
            assert kinds <= {"object", "array"}, (table, column)
            filled |= {f"{table}.{column}"} if kinds else set()
    assert filled >= {
        "ingest_devices.metadata",
        "device_states.metrics",
        "alerts.details",
        "integrations.config",
        "deliveries.payload",
        "subscription_audit.after",
        "idempotency_keys.response",
    }


async def test_one_who_goes_in_the_middle_of_an_answer_is_no_fault(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    secret = client.bearer["Authorization"]
    heads = [
        f"GET {DEVICES} HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\r\n\r\n",
        "GET /tenant/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET {TENANTS} HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\r\n\r\n",
        f"GET /tenant/v1/device-states?after=0&wait_s=30 HTTP/1.1\r\nHost: x\r\nAuthorization: {secret}\r\n\r\n",
        f"POST {INGEST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n{{}}",
    ]
    for head in heads * 10:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        end = writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # it comes as a reset
        writer.write(head.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await send(client)).status == 202
    assert (await ask(client, "GET", DEVICES)).status == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert (await client.status())["ingest"]["faults"] == 0
