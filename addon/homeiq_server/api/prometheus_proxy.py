"""Reads from the embedded database for those who show the token, such as Grafana: ``/prometheus/api/v1/...``.

Mounted on the API's application, behind ``errors_to_problems`` and ``token_required``:
``app.router.add_routes(routes(proxy))``. Without an embedded database there is nothing to mount, and the answer is 404.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

import aiohttp
from aiohttp import web
from yarl import URL

from homeiq_server.errors import NotFound, RetryLater

_PREFIX: Final = "/prometheus/"
_READS: Final = frozenset(
    f"api/v1/{name}"
    for name in (
        "alerts",
        "export",
        "export/csv",
        "export/native",
        "labels",
        "metadata",
        "query",
        "query_exemplars",
        "query_range",
        "rules",
        "series",
        "series/count",
        "status/buildinfo",
        "status/tsdb",
    )
)
_LABEL_VALUES: Final = re.compile(r"api/v1/label/([^/]+)/values")
_ASKED: Final = ("Accept", "Content-Type")  # what of the request's head the database sees; never the token
_ANSWERED: Final = ("Content-Type", "Content-Encoding", "Content-Length")
_CONNECTIONS: Final = 8
_TIMEOUT: Final = aiohttp.ClientTimeout(total=600, sock_connect=5, sock_read=60)  # it ends queries itself after 30 s


class PrometheusProxy:
    """Passes read requests on, and their answers back as they come.

    The path that the database sees is made of constants and one quoted label name, never of the request's own text:
    what is not in the list cannot be reached, however it is spelt.
    """

    def __init__(self, database_url: str) -> None:
        """Create it where the event loop runs; ``close`` it when the API has stopped."""
        self._database_url = database_url
        self._session = aiohttp.ClientSession(
            auto_decompress=False, timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=_CONNECTIONS)
        )

    async def close(self) -> None:
        """Close the connections to the database."""
        await self._session.close()

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Answer as the database does.

        Raises:
            NotFound: This is not one of its reads.
            RetryLater: The database does not answer.
        """
        path = _database_path(request.rel_url.raw_path)
        url = URL(f"{self._database_url}/{path}?{request.rel_url.raw_query_string}", encoded=True)
        form = await request.read() if request.method == "POST" else None
        try:
            async with self._session.request(
                request.method, url, data=form, headers=_request_head(request.headers), allow_redirects=False
            ) as answer:
                return await _stream(request, answer)
        except (aiohttp.ClientError, TimeoutError) as err:
            raise RetryLater("the embedded database does not answer; the status tells how it is") from err


def routes(proxy: PrometheusProxy) -> list[web.RouteDef]:
    """Return the routes; the list of reads is kept by the proxy, so that there is one."""
    everything = f"{_PREFIX}{{path:.*}}"
    return [
        web.get(everything, proxy.forward, allow_head=False),
        web.post(everything, proxy.forward),
        web.route("*", everything, _not_a_read),
    ]


async def _not_a_read(request: web.Request) -> web.StreamResponse:
    raise NotFound(f"{request.method} is no way to read: send GET, or POST with a form")


def _database_path(raw_path: str) -> str:
    path = raw_path.removeprefix(_PREFIX)
    if path in _READS:
        return path
    if match := _LABEL_VALUES.fullmatch(path):
        label = unquote(match[1])
        if "/" not in label and label not in (".", ".."):
            return f"api/v1/label/{quote(label, safe='')}/values"
    raise NotFound(
        "of the database's own paths, only those that read are served here, such as /prometheus/api/v1/query"
    )


def _request_head(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what is passed on; without a wish of the client's own, the HTTP library would ask for compression."""
    kept = {name: headers[name] for name in _ASKED if name in headers}
    return kept | {"Accept-Encoding": headers.get("Accept-Encoding", "identity")}


async def _stream(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    head = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
    response = web.StreamResponse(status=answer.status, headers=head)
    try:
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except aiohttp.ClientError, TimeoutError, ConnectionError:
        if request.transport is not None:
            request.transport.abort()  # half an answer must not look like a whole one
    return response
