"""InfluxDB 2, 3 and Cloud, and VictoriaMetrics, through the v2 write endpoint that all of them have.

The library carries our own bytes: its own gzip is level 9, five times as slow as level 1 for a fifth fewer bytes.
"""

import asyncio
import gzip
import logging
import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

from homeiq_server.errors import InvalidOptions

from .answers import Action, Answer, Category, Refusal, one_line, refusal_of, refusal_of_failure, refusal_of_question
from .target import Identity

_LOGGER = logging.getLogger(__name__)

INFLUXDB: Final = "InfluxDB"
VICTORIA_METRICS: Final = "VictoriaMetrics"

_INFLUX_VERSION: Final = "X-Influxdb-Version"
_VICTORIA_HOST: Final = "X-Server-Hostname"
_VICTORIA_VERSION: Final = re.compile(r'^vm_app_version\{.*?short_version="v?(?P<version>[^"]*)"', re.MULTILINE)
_PROCESS_START: Final = re.compile(r"^process_start_time_seconds (?P<start>\S+)", re.MULTILINE)
_BAD_LINE: Final = b"homeiq_asks_whether_bad_lines_are_refused"
_WRITE_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Encoding": "gzip",
    "Accept": "application/json",
}
_HEALTH_TIMEOUT_S: Final = 2.0
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_SLOW_TO_PACK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxSettings:
    """Where and as whom to write.

    Attributes:
        url: Base address; without user and password, because it is shown.
        token: For InfluxDB.
        username: For VictoriaMetrics, or a proxy, that asks for a password instead of a token.
        password: Belongs to ``username``.
        org: InfluxDB 2 only.
        bucket: InfluxDB only; in InfluxDB 3 the database.
        verify_ssl: False accepts any certificate.
        ca_file: Certificates to trust instead of the system's.
        embedded: It is our own VictoriaMetrics: known before it answers, and not asked whether it refuses bad lines.
        connect_timeout_s: For the connection alone.
        timeout_s: For the whole of a request.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    org: str = ""
    bucket: str = ""
    verify_ssl: bool = True
    ca_file: Path | None = None
    embedded: bool = False
    connect_timeout_s: float = 5
    timeout_s: float = 30


class Influx:
    """One persistent session to one database; made inside the event loop that uses it. A ``Target``.

    Attributes:
        name: The product, once identified; before that the rest is as for InfluxDB, unless it is embedded.
        url: As given.
        settling_s: 0 for InfluxDB, which syncs its log before it answers. VictoriaMetrics keeps the newest seconds in
            memory: killed, it lost the last 5 to 10 s.
        text_as_tag: True for VictoriaMetrics, which takes a text for 0.
    """

    def __init__(self, settings: InfluxSettings, *, victoria_settling_s: float = 15.0) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidOptions: The address holds credentials, or the file with certificates cannot be used.
        """
        self.url: Final = settings.url.rstrip("/")
        self._settings = settings
        self._victoria_settling_s = victoria_settling_s
        self._known_as(Identity(VICTORIA_METRICS if settings.embedded else "the database", None))
        self._client: Any = _open_client(settings)  # the library is not typed
        if self.url.startswith("https:") and not settings.verify_ssl:
            _LOGGER.warning("the certificate of %s is not checked: whoever answers there gets the token", self.url)

    async def identify(self) -> Identity | Refusal:
        """Find out who answers; a product that would lose lines is refused with the remedy."""
        ping = await self._get("/ping")
        if isinstance(ping, Refusal):
            return ping
        if _INFLUX_VERSION in ping.headers and _VICTORIA_HOST not in ping.headers:
            return self._known_as(Identity(INFLUXDB, ping.headers[_INFLUX_VERSION].removeprefix("v")))
        refusal = refusal_of_question(ping)
        if refusal is not None and ping.status != HTTPStatus.NOT_FOUND:
            return refusal
        metrics = await self._metrics()
        if isinstance(metrics, str) and (match := _VICTORIA_VERSION.search(metrics)):
            version = match["version"] or None
            refusal = None if self._settings.embedded else await self._refusal_of_hidden_faults(version)
            return refusal or self._known_as(Identity(VICTORIA_METRICS, version))
        if isinstance(metrics, Refusal) and (metrics.action is Action.RETRY or _VICTORIA_HOST in ping.headers):
            return metrics
        return self._known_as(Identity("a database with InfluxDB's API", None))

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines, at least one; None when the database took them all."""
        if len(lines) > _SLOW_TO_PACK_BYTES:
            packed = await asyncio.to_thread(gzip.compress, lines, 1)
        else:
            packed = gzip.compress(lines, 1)
        query = {"org": self._settings.org, "bucket": self._settings.bucket, "precision": precision}
        # A copy of the headers: the library adds the token to what it is given.
        answer = await self._ask(
            "POST", "/api/v2/write", query_params=query, header_params=dict(_WRITE_HEADERS), body=packed
        )
        return answer if isinstance(answer, Refusal) else refusal_of(answer)

    async def healthy(self) -> bool:
        """Whether it answers within 2 s, and not with a fault of its own."""
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT_S):
                answer = await self._get("/health")
        except TimeoutError:
            return False
        return isinstance(answer, Answer) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR

    async def epoch(self) -> str | Refusal:
        """Return when VictoriaMetrics' process started; for InfluxDB, which loses nothing then, an empty text."""
        if not self.settling_s:
            return ""
        metrics = await self._metrics()
        if isinstance(metrics, Refusal):
            return metrics
        return match["start"] if (match := _PROCESS_START.search(metrics)) else ""

    async def close(self) -> None:
        """Close the session; the target cannot be used any more."""
        await self._client.close()

    def _known_as(self, identity: Identity) -> Identity:
        self.name = identity.product
        self.text_as_tag = identity.product == VICTORIA_METRICS
        self.settling_s = self._victoria_settling_s if self.text_as_tag else 0.0
        return identity

    async def _refusal_of_hidden_faults(self, version: str | None) -> Refusal | None:
        """Refuse a VictoriaMetrics that answers 204 to lines which it could not read: they would count as written.

        Not by its version, which Debian's build does not tell, and which does not tell of ``-influx.forceStreamMode``.
        """
        refusal = await self.write(_BAD_LINE, precision="us")
        if refusal is not None:
            return None if refusal.lines_at_fault else refusal
        return Refusal(
            action=Action.HOLD,
            category=Category.CONFIGURATION,
            reason=f"VictoriaMetrics {version or ''} accepts lines that it cannot read and forgets them: "
            "update it to 1.105 or newer, and start it without -influx.forceStreamMode",
        )

    async def _metrics(self) -> str | Refusal:
        answer = await self._get("/metrics")
        if isinstance(answer, Refusal):
            return answer
        refusal = refusal_of_question(answer)
        if refusal is None or refusal.action is Action.RETRY:
            return refusal or answer.text
        reason = f"{self.url}/metrics must be readable, it tells when the database was restarted: {refusal.reason}"
        return replace(refusal, reason=one_line(reason))

    async def _get(self, path: str) -> Answer | Refusal:
        return await self._ask("GET", path)

    async def _ask(self, method: str, path: str, **request: object) -> Answer | Refusal:
        """Make one request; the one place where the library's and aiohttp's errors end."""
        try:
            response = await self._client.api_client.call_api(path, method, _preload_content=False, **request)
            async with response:
                body = await _read(response.content)
        except (aiohttp.ClientError, InfluxDBError, OSError) as err:  # OSError: of the socket, and every timeout
            return refusal_of_failure(err)
        return Answer(response.status, response.headers, self._without_secrets(body.decode(errors="replace")))

    def _without_secrets(self, text: str) -> str:
        """Hide what a proxy's error page might repeat of the request."""
        for secret in filter(None, (self._settings.token, self._settings.password)):
            text = text.replace(secret, "[secret]")
        return text


def _open_client(settings: InfluxSettings) -> InfluxDBClientAsync:
    if "@" in urlsplit(settings.url).netloc:
        raise InvalidOptions("url is shown in the status: give user and password as options of their own")
    basic = settings.username is not None
    try:
        return InfluxDBClientAsync(
            settings.url,
            f"{settings.username}:{settings.password or ''}" if basic else settings.token or "",
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
