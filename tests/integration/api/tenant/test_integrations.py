"""``/tenant/v1/integrations`` over real HTTP, before a real database."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from homeiq_server.delivery.mail import Mail
from homeiq_server.delivery.ways import Ways
from homeiq_server.store.pool import Pool
from tests.integration.api.tenant.delivery_served import Asking, served
from tests.integration.delivery.outbox_rows import OTHER, change, deliveries, execute, tell
from tests.integration.delivery.receivers import mailing, receiving
from tests.integration.store.rows import add_tenant
from tests.postgres import Database

UNKNOWN = "00000000-0000-4000-8000-000000000000"
EMAIL = {"name": "Mail", "kind": "email", "config": {"recipients": ["a@example.com"]}}


@pytest.fixture
async def asking(pool: Pool) -> AsyncIterator[Asking]:
    async with served(pool) as client:
        yield client


async def test_an_integration_is_made_listed_changed_and_deleted(asking: Asking) -> None:
    made = await asking.webhook()
    assert made.pop("secret").startswith("whsec_")
    path = f"/integrations/{made['id']}"
    assert await asking.get(path) == made
    assert (await asking.get("/integrations"))["integrations"] == [made]
    answer = await asking.ask("PATCH", path, {"name": "New", "config": {"url": "https://example.com/2"}})
    assert answer.headers["ETag"] == '"2"'
    changed = answer.body
    assert (changed["name"], changed["enabled"], changed["config"]) == ("New", True, {"url": "https://example.com/2"})
    assert (await asking.ask("DELETE", path)).status == 204
    assert (await asking.ask("GET", path)).status == 404


async def test_a_config_is_answered_with_what_was_left_out(asking: Asking) -> None:
    made = await asking.post("/integrations", EMAIL)
    assert made["config"] == {"recipients": ["a@example.com"], "subject_prefix": "[HomeIQ]"}
    assert (made["secret"], made["active_secrets"]) == (None, 0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "x", "kind": "webhook"}, "config"),
        ({"name": "x", "kind": "webhook", "config": {"url": "http://me:pw@host/"}}, "user and password"),
        ({"name": "x", "kind": "snmp"}, "kind"),
        ({"name": "", "kind": "home_assistant"}, "name"),
        ({"name": "a\x00b", "kind": "home_assistant"}, "name"),
        ({"name": "x", "kind": "mqtt", "config": {"topic": "#"}}, "config.topic"),
        ({"name": "x", "kind": "home_assistant", "secret": "mine"}, "secret"),
    ],
)
async def test_what_cannot_be_used_is_refused_by_name(asking: Asking, body: dict[str, Any], words: str) -> None:
    answer = await asking.ask("POST", "/integrations", body)
    assert answer.status == 400
    assert words in answer.body["detail"]
    assert "pw@" not in str(answer.body)


async def test_a_secret_is_shown_once_and_never_read_back(asking: Asking, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = await asking.webhook("https://127.0.0.1/")
    secret, path = made["secret"], f"/integrations/{made['id']}"
    shown = [
        await asking.get(path),
        await asking.get("/integrations"),
        (await asking.ask("PATCH", path, {"name": "x"})).body,
        await asking.post(f"{path}/test"),
        await asking.post(f"{path}/retire-secret"),
    ]
    assert secret not in json.dumps(shown)
    assert secret not in caplog.text


async def test_a_secret_is_changed_without_a_moment_in_which_receivers_cannot_tell(pool: Pool) -> None:
    async with receiving() as receiver, Ways(allowed=["127.0.0.1"]) as ways, served(pool, ways) as sending:
        made = await sending.webhook(receiver.url)
        path = f"/integrations/{made['id']}"
        rotated = await sending.post(f"{path}/rotate-secret")
        assert rotated["active_secrets"] == 2
        await sending.post(f"{path}/test")
        assert (await sending.post(f"{path}/retire-secret"))["active_secrets"] == 1
        await sending.post(f"{path}/test")
    between, after = receiver.received
    assert between.is_signed_by(made["secret"])
    assert between.is_signed_by(rotated["secret"])
    assert not after.is_signed_by(made["secret"])
    assert after.is_signed_by(rotated["secret"])


async def test_rotating_twice_leaves_the_newest_two(asking: Asking, pool: Pool) -> None:
    made = await asking.webhook()
    path = f"/integrations/{made['id']}/rotate-secret"
    second, third = [(await asking.post(path))["secret"] for _ in range(2)]
    async with pool.tenant("home") as conn:
        assert await conn.fetchval("SELECT secrets FROM integrations") == [third, second]


async def test_what_is_not_signed_has_no_secret_to_change(asking: Asking) -> None:
    made = await asking.post("/integrations", EMAIL)
    for action in ("rotate-secret", "retire-secret"):
        assert (await asking.ask("POST", f"/integrations/{made['id']}/{action}")).status == 400


async def test_a_test_tells_what_the_receiver_said(pool: Pool) -> None:
    async with receiving() as receiver, Ways(allowed=["127.0.0.1"]) as ways, served(pool, ways) as asking:
        path = f"/integrations/{(await asking.webhook(receiver.url))['id']}/test"
        good = await asking.post(path)
        receiver.answer = lambda _: web.Response(status=418, text="teapot")
        bad = await asking.post(path)
    assert (good["ok"], good["status"], good["error"]) == (True, 200, None)
    assert (bad["ok"], bad["status"], bad["error"]) == (False, 418, "it answers 418: teapot")
    assert good["duration_s"] > 0
    first, second = receiver.received
    assert first.content["type"] == "alert.test"
    assert first.message_id != second.message_id


async def test_a_test_does_not_reach_what_no_alert_may_reach(pool: Pool) -> None:
    async with receiving() as receiver, Ways() as ways, served(pool, ways) as asking:
        made = await asking.webhook(receiver.url)
        outcome = await asking.post(f"/integrations/{made['id']}/test")
    assert not outcome["ok"]
    assert "webhook_allow" in outcome["error"]
    assert receiver.received == []


async def test_a_test_by_mail_sends_one(pool: Pool) -> None:
    async with mailing() as mailbox:
        mail = Mail(host="127.0.0.1", port=mailbox.port, security="off", sender="homeiq@example.com")
        async with Ways(mail=mail) as ways, served(pool, ways) as asking:
            made = await asking.post("/integrations", EMAIL)
            assert (await asking.post(f"/integrations/{made['id']}/test"))["ok"]
    assert len(mailbox.mails) == 1


async def test_a_test_for_home_assistant_waits_to_be_fetched(asking: Asking) -> None:
    made = await asking.post("/integrations", {"name": "HA", "kind": "home_assistant"})
    outcome = await asking.post(f"/integrations/{made['id']}/test")
    [event] = (await asking.get("/home-assistant-events"))["events"]
    assert (outcome["ok"], event["id"], event["payload"]["change"]) == (True, outcome["delivery_id"], "test")


async def test_an_integration_takes_its_routes_and_deliveries_with_it(
    asking: Asking, pool: Pool, database: Database
) -> None:
    made = await asking.webhook()
    await asking.route(made)
    await tell(pool, change())
    await asking.ask("DELETE", f"/integrations/{made['id']}")
    assert (await asking.get("/routes"))["routes"] == []
    assert await deliveries(database) == []


async def test_a_change_ends_the_pause_of_its_routes(asking: Asking, pool: Pool, database: Database) -> None:
    made = await asking.webhook()
    await asking.route(made)
    await execute(database, "UPDATE alert_routes SET failures = 5, paused_until = now() + interval '10 minutes'")
    await tell(pool, change())
    await asking.ask("PATCH", f"/integrations/{made['id']}", {"config": {"url": "https://example.com/better"}})
    [route] = (await asking.get("/routes"))["routes"]
    assert (route["failures"], route["paused_until"]) == (0, None)
    async with pool.worker() as conn:
        assert await conn.fetchval("SELECT count(*) FROM deliveries WHERE next_at <= now()") == 1


async def test_a_change_that_was_decided_on_something_older_is_refused(asking: Asking) -> None:
    path = f"/integrations/{(await asking.webhook())['id']}"
    assert (await asking.ask("PATCH", path, {"name": "a"}, If_Match='"1"')).status == 200
    assert (await asking.ask("PATCH", path, {"name": "b"}, If_Match='"1"')).status == 412
    assert (await asking.ask("DELETE", path, If_Match='"1"')).status == 412
    assert (await asking.ask("DELETE", path, If_Match='"2"')).status == 204


async def test_another_tenants_integration_is_as_if_it_were_not_there(asking: Asking, database: Database) -> None:
    await add_tenant(database)
    made = await asking.webhook(tenant=OTHER)
    for method, action in (
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/test"),
        ("POST", "/rotate-secret"),
        ("POST", "/retire-secret"),
    ):
        body = {"name": "x"} if method == "PATCH" else None
        for unknown in (made["id"], UNKNOWN, "no-uuid"):
            assert (await asking.ask(method, f"/integrations/{unknown}{action}", body)).status == 404
    body = {"integration_id": made["id"], "name": "x"}
    assert (await asking.ask("POST", "/routes", body)).status == 400
    assert (await asking.get("/integrations", tenant=OTHER))["integrations"][0]["active_secrets"] == 1


async def test_pages_follow_one_another_without_a_gap(asking: Asking) -> None:
    made = [(await asking.webhook())["id"] for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await asking.get(f"/integrations?limit=2{cursor}")
        seen += [each["id"] for each in page["integrations"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/integrations"), ("POST", f"/integrations/{UNKNOWN}/test"), ("DELETE", f"/routes/{UNKNOWN}")],
)
async def test_who_may_read_may_not_change(asking: Asking, method: str, path: str) -> None:
    assert (await asking.ask(method, path, X_Scopes="routes:read")).status == 403
    assert (await asking.ask("GET", "/integrations", X_Scopes="routes:read")).status == 200
    assert (await asking.ask("GET", "/integrations", X_Scopes="alerts:read")).status == 403
