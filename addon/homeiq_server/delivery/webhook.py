"""Webhooks: an HTTP request with a body that is signed. Owns aiohttp's client here: its errors become outcomes."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec
from aiohttp import ClientResponse, ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver
from yarl import URL

from .addresses import Addresses, CheckedResolver, CheckedSockets, RefusedAddress
from .backoff import retry_after_s
from .message import Message, Outcome
from .signature import signature

_TIMEOUT_S: Final = 10
_LONGEST_ANSWER: Final = 1_024
_LONGEST_ERROR: Final = 200
_OK: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_OUR_FAULT: Final = range(400, 500)
_LATER: Final = frozenset({408, 425, 429})
_CONNECTIONS: Final = 64


class Webhook:
    """Posts messages; to be entered before use, and left once.

    Args:
        allowed: Addresses and networks that are fit whatever they are.
        names: Looks names up; None: as the host does.
        tls: Checks certificates; None: as the host does.
    """

    def __init__(
        self, allowed: Sequence[str], *, names: AbstractResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._addresses = Addresses(allowed)
        self._names = names
        self._tls = tls
        self._sessions: dict[str, ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._sessions = {scheme: self._session(encrypted=scheme == "https") for scheme in ("http", "https")}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def send(self, message: Message) -> Outcome:
        """Post it once, within 10 seconds."""
        url = URL(str(message.config["url"]))
        if (session := self._sessions.get(url.scheme)) is None:
            return Outcome(error="nothing is sent now: the server starts or stops")
        body = _body(message)
        try:
            async with (
                asyncio.timeout(_TIMEOUT_S),
                session.post(url, data=body, headers=_headers(message, body), allow_redirects=False) as response,
            ):
                return await _outcome(response)
        except TimeoutError:
            return Outcome(error=f"no answer within {_TIMEOUT_S} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as err:
            return _failure(err)

    def _session(self, *, encrypted: bool) -> ClientSession:
        connector = TCPConnector(
            resolver=CheckedResolver(self._addresses, encrypted=encrypted, names=self._names),
            socket_factory=CheckedSockets(self._addresses, encrypted=encrypted),
            ssl=self._tls or True,
            use_dns_cache=False,
            force_close=True,  # a connection that is kept may be closed by the other side just when it is used again
            limit=_CONNECTIONS,
        )
        return ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a few bytes can become any number
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        )


def _body(message: Message) -> bytes:
    told = message.payload
    return msgspec.json.encode({"type": f"alert.{told.get('change')}", "timestamp": told.get("at"), "data": told})


def _headers(message: Message, body: bytes) -> dict[str, str]:
    now = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "HomeIQ",
        "webhook-id": message.message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(message.secrets, message.message_id, now, body),
    }


async def _outcome(response: ClientResponse) -> Outcome:
    status = response.status
    if status in _OK:
        return Outcome(ok=True, status=status)
    if status in _REDIRECT:
        return Outcome.refused("it redirects, which is not followed: give the address that it leads to", status)
    words = _printable(await response.content.read(_LONGEST_ANSWER))
    error = f"it answers {status}{': ' if words else ''}{words}"
    if status in _OUR_FAULT and status not in _LATER:
        return Outcome.refused(error, status)
    asked_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
    return Outcome(status=status, error=error, after_s=asked_s)


def _printable(answer: bytes) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in answer.decode(errors="replace"))
    return " ".join(text.split())[:_LONGEST_ERROR]


def _failure(err: Exception) -> Outcome:
    """Name what happened in our words: aiohttp's have addresses in them, which may be secrets of their own."""
    cause = err.os_error if isinstance(err, aiohttp.ClientConnectorError) else err
    match cause:
        case RefusedAddress():
            return Outcome.refused(str(cause))
        case ssl.SSLCertVerificationError():
            return Outcome(error=f"its certificate is not trusted: {cause.verify_message}")
        case aiohttp.InvalidURL() | ValueError():
            return Outcome.refused("the address cannot be used")
        case OSError() if isinstance(err, aiohttp.ClientConnectorDNSError):
            return Outcome(error="its name cannot be found")
        case OSError():
            return Outcome(error=f"it cannot be reached: {cause.strerror or type(cause).__name__}"[:_LONGEST_ERROR])
        case _:
            return Outcome(error=f"the connection failed: {type(cause).__name__}")
