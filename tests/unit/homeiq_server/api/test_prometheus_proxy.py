"""The read-only way to the embedded database, before a database that notes what reaches it."""

import asyncio
import gzip
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from homeiq_server.api.auth import token_required
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.prometheus_proxy import PrometheusProxy, _database_path, routes
from homeiq_server.errors import NotFound
from homeiq_server.token import Token

TOKEN = "a-token-for-tests-only"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

READS = [
    "query",
    "query_range",
    "series",
    "labels",
    "label/entity_id/values",
    "label/__name__/values",
    "label/%C2%B0C/values",
    "metadata",
    "export",
    "export/csv",
    "export/native",
    "rules",
    "alerts",
    "query_exemplars",
    "series/count",
    "status/buildinfo",
    "status/tsdb",
]
FORBIDDEN = [
    "",
    "write",
    "api/v2/write",
    "api/v1/write",
    "api/v1/import",
    "api/v1/import/csv",
    "api/v1/import/native",
    "api/v1/import/prometheus",
    "influx/write",
    "influx/api/v2/write",
    "datadog/api/v2/series",
    "opentelemetry/v1/metrics",
    "newrelic/infra/v2/metrics/events/bulk",
    "zabbixconnector/api/v1/history",
    "api/v1/admin/tsdb/delete_series",
    "api/v1/admin/tsdb/snapshot",
    "api/v1/admin/status/metric_names_stats/reset",
    "snapshot/create",
    "snapshot/delete",
    "snapshot/delete_all",
    "internal/force_merge",
    "internal/force_flush",
    "internal/resetRollupResultCache",
    "internal/log_new_series",
    "tags/delSeries",
    "tags/tagSeries",
    "tags/tagMultiSeries",
    "delete",
    "flags",
    "metrics",
    "debug/pprof/heap",
    "config",
    "-/reload",
    "targets",
    "federate",
    "api/v1/status/config",
    "graphite/tags/delSeries",
    "vmui/",
    "vmalert/api/v1/rules",
    "api/v1/label//values",
    "api/v1/label/values",
    "api/v1/label/../values",
    "api/v1/label/%2e%2e/values",
    "api/v1/label/./values",
    "api/v1/label/a%2fb/values",
    "api/v1/label/a%2F..%2F..%2Fadmin/values",
    "api/v1/label/a/b/values",
    "api/v1/query/../admin/tsdb/delete_series",
    "api/v1/query/%2e%2e/admin/tsdb/delete_series",
    "api/v1/query/..%2fadmin/tsdb/delete_series",
    "api/v1//query",
    "/api/v1/query",
    "//api/v1/admin/tsdb/delete_series",
    "api%2fv1%2fadmin%2ftsdb%2fdelete_series",
    "api/v1/%61dmin/tsdb/delete_series",
    "api/v1/%71uery",
    "api/v1/query/",
    "api/v1/query;/admin",
    "api/v1/query%00",
    "api/v1/query%3f",
    "api/v1/query%0d%0aX: y",
    "API/V1/QUERY",
    "..%2f..%2fwrite",
    "%2e%2e/write",
    "%252e%252e/write",
    "api\\v1\\write",
]


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


class FakeDatabase:
    """Answers every path and notes what came; ``breaks`` makes it die in the middle of an answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, bytes]] = []
        self.heads: list[dict[str, str]] = []
        self.breaks = False
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        url = request.rel_url
        self.asked.append((request.method, url.raw_path, url.raw_query_string, await request.read()))
        self.heads.append(dict(request.headers))
        if self.breaks:
            return await self._break(request)
        body = b'{"status":"success"}'
        head = {"Content-Type": "application/json", "X-Server-Hostname": "secret-host", "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body, head = gzip.compress(body), head | {"Content-Encoding": "gzip"}
        return web.Response(status=422 if url.query.get("query") == "bad" else 200, body=body, headers=head)

    async def _break(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half of the answer")
        assert request.transport
        request.transport.close()
        return response


@asynccontextmanager
async def proxied(database_url: str) -> AsyncIterator[URL]:
    proxy = PrometheusProxy(database_url)
    app = web.Application(middlewares=[errors_to_problems, token_required(Token(TOKEN))], client_max_size=1024)
    app.router.add_routes(routes(proxy))
    async with TestServer(app, host="127.0.0.1") as server:
        yield server.make_url("/")
    await proxy.close()


@pytest.fixture
async def database() -> AsyncIterator[FakeDatabase]:
    fake = FakeDatabase()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake


@pytest.fixture
async def proxy(database: FakeDatabase) -> AsyncIterator[URL]:
    async with proxied(database.url) as url:
        yield url


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=BEARER) as session:
        yield session


def raw(base: URL, path: str) -> URL:
    return URL(f"{base}prometheus/{path}", encoded=True)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("read", READS)
async def test_reads_reach_the_database(
    proxy: URL, client: aiohttp.ClientSession, database: FakeDatabase, method: str, read: str
) -> None:
    async with client.request(method, raw(proxy, f"api/v1/{read}?match%5B%5D=%7B%7D&start=1")) as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "success"})
    assert database.asked == [(method, f"/api/v1/{read}", "match%5B%5D=%7B%7D&start=1", b"")]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", FORBIDDEN)
async def test_nothing_else_reaches_it_however_it_is_spelt(
    proxy: URL, database: FakeDatabase, method: str, path: str
) -> None:
    """Written by hand to the socket, because HTTP libraries mend such paths."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    lines = f"{method} /prometheus/{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}", "Connection: close"
    writer.write("\r\n".join((*lines, "Content-Length: 0", "", "")).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.split(b" ")[1] == (b"400" if "\r\n" in path or " " in path else b"404")
    assert database.asked == []


@given(st.text(alphabet="apiv1querylab/.%2eEfFwt5c\\;?#", max_size=40))
@settings(derandomize=True, deadline=None, max_examples=2000)
def test_whatever_path_passes_is_one_of_the_reads(path: str) -> None:
    try:
        passed = _database_path(f"/prometheus/{path}")
    except NotFound:
        return
    assert passed == path or passed.startswith("api/v1/label/")
    assert ".." not in passed.split("/")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD"])
async def test_other_methods_are_not_served(
    proxy: URL, client: aiohttp.ClientSession, database: FakeDatabase, method: str
) -> None:
    async with client.request(method, raw(proxy, "api/v1/series")) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
    assert database.asked == []


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Bearer wrong", 401),
        (f"Bearer {TOKEN}", 200),
        (basic("grafana", TOKEN), 200),
        (basic("", TOKEN), 200),
        (basic(TOKEN, "wrong"), 401),
        ("Basic %%%", 401),
    ],
)
async def test_the_token_is_asked_for_and_never_passed_on(
    proxy: URL, database: FakeDatabase, authorization: str, status: int
) -> None:
    url = raw(proxy, "api/v1/labels")
    async with aiohttp.request("GET", url, headers={"Authorization": authorization}) as answer:
        assert answer.status == status
    assert len(database.asked) == (status == 200)
    assert TOKEN not in str(database.heads)
    assert not any("Authorization" in head for head in database.heads)


async def test_a_form_is_passed_on(proxy: URL, client: aiohttp.ClientSession, database: FakeDatabase) -> None:
    async with client.post(raw(proxy, "api/v1/query"), data={"query": "up{}"}) as answer:
        assert answer.status == 200
    assert database.asked == [("POST", "/api/v1/query", "", b"query=up%7B%7D")]
    assert database.heads[0]["Content-Type"] == "application/x-www-form-urlencoded"


async def test_a_form_that_is_too_large_is_refused(
    proxy: URL, client: aiohttp.ClientSession, database: FakeDatabase
) -> None:
    async with client.post(raw(proxy, "api/v1/query"), data=b"x" * 2000) as answer:
        assert answer.status == 413
    assert database.asked == []


async def test_compression_is_as_the_client_wants_it(proxy: URL) -> None:
    async with aiohttp.ClientSession(headers=BEARER, auto_decompress=False) as plain:
        url = raw(proxy, "api/v1/labels")
        async with plain.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
            assert gzip.decompress(await answer.read()) == b'{"status":"success"}'
        async with plain.get(url, skip_auto_headers=["Accept-Encoding"]) as answer:
            assert await answer.read() == b'{"status":"success"}'


async def test_the_database_s_own_refusal_is_passed_back(proxy: URL, client: aiohttp.ClientSession) -> None:
    async with client.get(raw(proxy, "api/v1/query?query=bad")) as answer:
        assert answer.status == 422
        assert "X-Server-Hostname" not in answer.headers


async def test_an_answer_that_breaks_off_does_not_look_whole(
    proxy: URL, client: aiohttp.ClientSession, database: FakeDatabase
) -> None:
    database.breaks = True
    with pytest.raises(aiohttp.ClientError):
        async with client.get(raw(proxy, "api/v1/export")) as answer:
            await answer.read()


async def test_a_database_that_is_away_is_a_503(client: aiohttp.ClientSession, unused_tcp_port: int) -> None:
    async with (
        proxied(f"http://127.0.0.1:{unused_tcp_port}") as url,
        client.get(raw(url, "api/v1/query?query=1")) as answer,
    ):
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert "embedded database" in (await answer.json(content_type=None))["detail"]
