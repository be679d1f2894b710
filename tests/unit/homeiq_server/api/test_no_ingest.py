"""A server without device ingest: its routes say how it is switched on."""

import asyncio
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
        "/api/v1/devices/tenant/v1/",
        "/api/v1/findings?/operator/v1/",
        "/metrics#/ingest/v1/",
    ],
)
async def test_no_path_that_looks_like_theirs_opens_anything_else(client: Client, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    theirs = path.startswith(("/tenant/v1/", "/operator/v1/", "/ingest/v1/"))
    assert answer.split(b" ", 2)[1] == (b"404" if theirs else b"401")
