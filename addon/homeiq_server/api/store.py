"""The way of handlers to the store, as the one tenant that this API serves."""

from contextlib import AbstractAsyncContextManager
from typing import Final

from aiohttp import web

from homeiq_server.errors import NotFound
from homeiq_server.store.pool import Conn, Tenants

TENANT: Final = "home"

STORE: Final[web.AppKey[Tenants | None]] = web.AppKey("store")
"""None when it is switched off."""


_OFF: Final = "the store is switched off: set the option store to on"


def home(request: web.Request) -> AbstractAsyncContextManager[Conn]:
    """Give a connection in a transaction that sees the home's rows alone.

    Raises:
        NotFound: The store is switched off.
        RetryLater: It is away; nothing was done.
    """
    if (store := request.app[STORE]) is None:
        raise NotFound(_OFF)
    return store.tenant(TENANT)


async def switched_off(_request: web.Request) -> web.StreamResponse:
    """Answer 404, where there would be something if there were a store."""
    raise NotFound(_OFF)
