"""One persistent session to one database, and the one place where the library's and aiohttp's errors end.

The library carries our own bytes: its own gzip is level 9, five times as slow as level 1 for a fifth fewer bytes.
"""

import asyncio
import base64
import gzip
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

from homeiq_server.errors import InvalidOptions
from homeiq_server.history.answers import Answer, Refusal, refusal_of, refusal_of_failure

from .settings import InfluxSettings

_LOGGER = logging.getLogger(__name__)

_WRITE_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Encoding": "gzip",
    "Accept": "application/json",
}
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_SLOW_TO_PACK_BYTES: Final = 64 * 1024


class Session:
    """Requests with the credentials and time limits of the settings; made inside the event loop that uses it.

    Attributes:
        url: As given, without a slash at its end.
    """

    def __init__(self, settings: InfluxSettings) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidOptions: The address holds credentials, or the file with certificates cannot be used.
        """
        self.url: Final = settings.url.rstrip("/")
        self._secrets = tuple(_secrets(settings))
        self._client: Any = _open_client(settings)  # the library is not typed
        if self.url.startswith("https:") and not settings.verify_ssl:
            _LOGGER.warning("the certificate of %s is not checked: whoever answers there gets the token", self.url)

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer | Refusal:
        """Ask something that carries no lines."""
        return await self._ask("GET", path, query_params=dict(query or {}))

    async def write(self, path: str, lines: bytes, query: Mapping[str, str]) -> Refusal | None:
        """Send lines, packed; None when the database took them all."""
        if len(lines) > _SLOW_TO_PACK_BYTES:
            packed = await asyncio.to_thread(gzip.compress, lines, 1)
        else:
            packed = gzip.compress(lines, 1)
        # A copy of the headers: the library adds the credentials to what it is given.
        headers = dict(_WRITE_HEADERS)
        answer = await self._ask("POST", path, query_params=dict(query), header_params=headers, body=packed)
        return answer if isinstance(answer, Refusal) else refusal_of(answer)

    async def close(self) -> None:
        """Close the connections; the session cannot be used any more."""
        await self._client.close()

    async def _ask(self, method: str, path: str, **request: object) -> Answer | Refusal:
        try:
            response = await self._client.api_client.call_api(path, method, _preload_content=False, **request)
            async with response:
                body = await _read(response.content)
        except (aiohttp.ClientError, InfluxDBError, OSError) as err:  # OSError: of the socket, and every timeout
            return refusal_of_failure(err)
        return Answer(response.status, response.headers, self._without_secrets(body.decode(errors="replace")))

    def _without_secrets(self, text: str) -> str:
        """Hide what a proxy's error page might repeat of the request."""
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text


def _secrets(settings: InfluxSettings) -> Iterator[str]:
    """Yield the texts that must not be shown, as they are and as they travel."""
    if settings.username is not None:
        yield base64.b64encode(_basic(settings).encode()).decode()
    yield from filter(None, (settings.token, settings.password))


def _basic(settings: InfluxSettings) -> str:
    return f"{settings.username}:{settings.password or ''}"


def _open_client(settings: InfluxSettings) -> InfluxDBClientAsync:
    if "@" in urlsplit(settings.url).netloc:
        raise InvalidOptions("url is shown in the status: give user and password as options of their own")
    basic = settings.username is not None
    try:
        return InfluxDBClientAsync(
            settings.url,
            _basic(settings) if basic else settings.token or "",
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, connect=settings.connect_timeout_s),
            auth_basic=basic,
            verify_ssl=settings.verify_ssl,
            ssl_ca_cert=settings.ca_file and str(settings.ca_file),
            connection_pool_maxsize=2,  # the request in flight, and a probe
            allow_redirects=False,  # a redirected POST becomes a GET, whose success stores nothing
        )
    except OSError as err:  # also every error of ssl
        raise InvalidOptions(f"ca_file: no certificates can be read from {settings.ca_file}: {err}") from err


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return the body up to 4 MiB: VictoriaMetrics repeats all that follows a bad line."""
    body = bytearray()
    async for chunk in content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) >= _MAX_ANSWER_BYTES:
            break
    return bytes(body)
