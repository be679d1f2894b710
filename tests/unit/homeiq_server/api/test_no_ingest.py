"""A server without device ingest: its routes say how it is switched on, and nothing of it is loaded."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.homeiq_server.server_builders import Client, options, serving

PATHS = ["/tenant/v1/devices", "/tenant/v1/openapi.json", "/operator/v1/tenants/acme", "/ingest/v1/batch"]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(options(tmp_path, history=False)) as opened:
        yield opened


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", PATHS)
async def test_its_routes_say_what_to_do(client: Client, method: str, path: str) -> None:
    for listener in (client.api, client.page):
        answer = await client.ask(method, listener + path, headers={"X-HomeIQ-Page": "1"})
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")
        assert answer.body["detail"] == "device ingest is switched off: set the option ingest to on"


# What begins like a route with a check of its own must not be a way around that of the others.
@pytest.mark.parametrize(
    "path",
    [
        "/tenant/v1/../../api/v1/status",
        "/tenant/v1/%2e%2e/%2e%2e/api/v1/status",
        "/tenant/v1/..%2f..%2fapi/v1/status",
        "/ingest/v1//api/v1/status",
        "/operator/v1/./../../api/v1/status",
        "//api/v1/status",
        "/tenant/v1",
        "/tenant/v10/status",
        "/Tenant/v1/devices",
        "/ingest/v1",
        "/ingest/",
    ],
)
async def test_no_path_that_looks_like_theirs_opens_anything_else(client: Client, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert int(answer.split(b" ", 2)[1]) in (401, 404)
    assert b"uptime_s" not in answer


def test_without_it_nothing_of_it_is_loaded() -> None:
    program = "import sys, homeiq_server.app; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    loaded = set(told.stdout.split())
    assert "homeiq_server.app" in loaded
    parts = ("ingesting", "alerts", "delivery", "tenancy", "ingest.gate", "ingest.mqtt.link", "api.tenant")
    assert not loaded & {"gmqtt", "aiosmtplib", *(f"homeiq_server.{part}" for part in parts)}
