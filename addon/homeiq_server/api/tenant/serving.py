"""Makes routes of operations: who asks is found out, what he sent is checked, and what is answered gets its headers."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from homeiq_server.api.body import body_of
from homeiq_server.errors import Rejected
from homeiq_server.store.pool import Workers
from homeiq_server.wire import read_body, read_query

from .caller import Caller
from .operation import AnyOperation, Call, IdempotencyKey, NoBody, Reply

_VERSION: Final = re.compile(r'(?:W/)?"(\d{1,9})"')
_NO_STORE: Final = {"Cache-Control": "no-store"}


class Access(Protocol):
    """Finds out who asks."""

    async def caller(self, request: web.Request) -> Caller:
        """Return who asks.

        Raises:
            Unauthorized: Nobody who is known.
            TooMany: He asks too often.
            RetryLater: The store is down, so that nobody knows.
        """
        ...


def serve(router: web.UrlDispatcher, operations: Iterable[AnyOperation], store: Workers, access: Access) -> None:
    """Serve the operations from ``store`` to those whom ``access`` knows."""
    for operation in operations:
        router.add_route(operation.method, operation.path, _handler(operation, store, access))


def _handler(operation: AnyOperation, store: Workers, access: Access) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = await access.caller(request)
        if operation.scope:
            caller.must(operation.scope)
        async with body_of(request) if _has_body(request) else _nothing() as raw:
            call = Call[Any, Any](
                caller=caller,
                store=store,
                path=_path(request.match_info),
                query=read_query(operation.query, request.query),
                body=_body(operation, raw),
                raw_body=bytes(raw),
                if_match=_if_match(request) if operation.versioned else None,
                idempotency_key=_key(request) if operation.idempotent else "",
                is_gone=lambda: request.transport is None or request.transport.is_closing(),
            )
            return _response(operation, await operation.handle(call))

    return handle


def _has_body(request: web.Request) -> bool:
    return request.content_length is not None or request.body_exists


@asynccontextmanager
async def _nothing() -> AsyncIterator[bytearray]:
    yield bytearray()


def _body(operation: AnyOperation, raw: bytes | bytearray) -> object:
    if operation.body is NoBody and not raw.strip():
        return NoBody()
    return read_body(operation.body, raw)


def _path(parts: Mapping[str, str]) -> dict[str, str]:
    for name, part in parts.items():
        if "\x00" in part or any("\ud800" <= letter <= "\udfff" for letter in part):  # PostgreSQL has no such text
            raise Rejected(f"{name}: there is a character in it that no name has")
    return dict(parts)


def _if_match(request: web.Request) -> int | None:
    header = request.headers.get("If-Match", "*").strip()
    if header == "*":
        return None
    if (found := _VERSION.fullmatch(header)) is None:
        raise Rejected('If-Match: give the ETag as it was answered, such as "3"')
    return int(found[1])


def _key(request: web.Request) -> str:
    header = request.headers.get("Idempotency-Key")
    if header is None:
        raise Rejected(
            "Idempotency-Key: is missing; give a fresh one, such as a UUID, for each thing that is to be done"
        )
    try:
        return str(msgspec.convert(header, IdempotencyKey))
    except msgspec.ValidationError as err:
        raise Rejected("Idempotency-Key: give 1 to 255 characters of ASCII without spaces") from err


def _response(operation: AnyOperation, reply: Reply) -> web.Response:
    headers = dict(reply.headers) | _NO_STORE
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    status = reply.status or operation.status
    if reply.content is None:
        return web.Response(status=204 if status == 200 else status, headers=headers)  # noqa: PLR2004 - of HTTP
    return web.Response(
        status=status, body=msgspec.json.encode(reply.content), content_type="application/json", headers=headers
    )
