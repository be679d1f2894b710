"""The other routes: info, status, metrics, the page, and who may ask."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth

from homeiq_server.api.routes import Served, ingress
from homeiq_server.serving import Listener
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import Client, batch, event, eventually, options, serving


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(options(tmp_path, history=False)) as client:
        yield client


async def test_info_needs_no_token_and_tells_both_versions(client: Client) -> None:
    answer = await client.ask("GET", f"{client.api}/api/v1/info")
    server_id = answer.body.pop("server_id")
    assert answer.body == {"name": "HomeIQ", "version": "0.1.0", "api_version": 1, "min_api_version": 1}
    assert len(server_id) == 32
    assert (await client.status())["server_id"] == server_id


@pytest.mark.parametrize("path", ["/api/v1/status", "/metrics", "/prometheus/api/v1/query", "/", "/nothing"])
async def test_all_else_needs_the_token(client: Client, path: str) -> None:
    answer = await client.ask("GET", client.api + path)
    assert answer.status == 401
    assert answer.body["type"] == "about:blank#unauthorized"


async def test_what_is_not_there_is_a_problem_too(client: Client) -> None:
    missing = await client.get("/nothing")
    assert (missing.status, missing.headers["Content-Type"]) == (404, "application/problem+json")
    wrong = await client.ask("DELETE", f"{client.api}/api/v1/status", headers=client.bearer)
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET,HEAD")


async def test_metrics_are_text_for_prometheus(client: Client) -> None:
    await client.post(batch([event()]))
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert 'homeiq_intake_received_total{channel="events"} 1.0' in answer.body


async def test_without_history_events_are_counted_and_not_kept(client: Client) -> None:
    answer = await client.post(batch([event(1), event(2)]))
    assert answer.body["accepted"] == 2
    status = await client.status()
    assert status["intake"]["events"]["skipped_by_reason"] == {"history is off": 2}
    assert status["lines"]["spooled"] == 0
    assert (status["status"], status["database"]["state"], status["history"]["state"]) == ("ok", "off", "off")


async def test_the_page_and_its_status_need_no_token_on_their_own_listener(client: Client) -> None:
    page = await client.ask("GET", client.page + "/")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for name in ("page.css", "page.js"):
        assert f'"{name}"' in page.body
        assert (await client.ask("GET", f"{client.page}/{name}")).status == 200
    shown = (await client.ask("GET", f"{client.page}/api/v1/status")).body
    asked = await client.status()
    moving = ("uptime_s",)
    assert {key: shown[key] for key in shown if key not in moving} == {
        key: asked[key] for key in asked if key not in moving
    }


def as_password(token: str) -> dict[str, str]:
    """Return what a browser sends once its user has typed the token."""
    return {"Authorization": encode_basic_auth("anybody", token)}


async def test_a_browser_reads_the_page_on_the_api_with_the_token_as_password(client: Client) -> None:
    basic = as_password(client.bearer["Authorization"].removeprefix("Bearer "))
    for path in ("/", "/page.css", "/page.js", "/api/v1/status"):
        assert "Basic" in (await client.ask("GET", client.api + path)).headers["WWW-Authenticate"]
        assert (await client.ask("GET", client.api + path, headers=basic)).status == 200
    assert (await client.ask("GET", f"{client.api}/", headers=as_password("guess"))).status == 401


async def test_what_a_browser_adds_by_itself_is_not_enough_to_send(client: Client) -> None:
    basic = as_password(client.bearer["Authorization"].removeprefix("Bearer "))
    answer = await client.ask("POST", f"{client.api}/api/v1/events", headers=basic)
    assert answer.status == 401


async def test_the_page_cannot_be_used_to_send(client: Client) -> None:
    events = f"{client.page}/api/v1/events"
    assert (await client.ask("POST", events, data=b"{}")).status == 403
    assert (await client.ask("POST", events, data=b"{}", headers={"X-HomeIQ-Page": "1"})).status == 404


async def test_the_page_answers_its_peer_alone(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False, ingress_peer="172.30.32.2")) as client:
        for path in ("/", "/api/v1/status", "/nothing"):
            assert (await client.ask("GET", client.page + path)).status == 403


async def test_an_unforeseen_fault_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    nothing: Any = None
    served = Served(
        intake=nothing,
        backfill=nothing,
        statistics=nothing,
        lines=nothing,
        gaps=nothing,
        dead_letters=nothing,
        status=broken,  # type: ignore[arg-type]  # made to fail
        server_id="",
        token=nothing,
    )
    listener = Listener(ingress(served, peer="127.0.0.1"), host="127.0.0.1", port=0)
    await listener.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET /api/v1/status HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    await listener.stop()

    assert answer.startswith(b"HTTP/1.0 500")
    assert b"ZeroDivisionError" not in answer
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


async def test_while_the_kind_of_database_is_unknown_events_wait(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        chosen = options(tmp_path, influx_url=database.url)
        await database.stop()
        async with serving(chosen) as client:
            answer = await client.post(batch([event()]))
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            status = await client.status()
            assert status["status"] == "unhealthy"
            assert status["reasons"][0]["code"] == "database_unknown"

            await database.start()
            await eventually(lambda: client.takes(batch([event()])))


async def test_a_database_that_was_reached_once_need_not_be_there_at_the_next_start(tmp_path: Path) -> None:
    async with running(FakeDatabase("victoria")) as database:
        chosen = options(tmp_path, influx_url=database.url)
        async with serving(chosen) as client:
            await eventually(lambda: client.takes(batch([event(1, state="heat")])))
        await database.stop()
        async with serving(chosen) as client:
            answer = await client.post(batch([event(2, state="cool")], seq=2))
            assert answer.status == 200
            await database.start()
            await eventually(lambda: any(b"cool" in line for line in database.stored))
    assert all(b'"' not in line for line in database.stored)
