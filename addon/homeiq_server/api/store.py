"""The way of handlers to the store, as the one tenant that this API serves."""

from contextlib import AbstractAsyncContextManager
from typing import Final

from aiohttp import web

from homeiq_server.store.pool import Conn, Tenants

TENANT: Final = "home"

STORE: Final[web.AppKey[Tenants]] = web.AppKey("store")


def home(request: web.Request) -> AbstractAsyncContextManager[Conn]:
    """Give a connection in a transaction that sees the home's rows alone.

    Raises:
        RetryLater: The store is away; nothing was done.
    """
    return request.app[STORE].tenant(TENANT)
