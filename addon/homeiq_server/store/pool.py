"""Connections to PostgreSQL. Owns asyncpg: its errors are wrapped here, and nowhere else.

The pool's role owns nothing and bypasses nothing, so that what the database's policies forbid cannot happen by mistake;
the tenant is set inside each transaction. ``SET LOCAL`` outside of one would do nothing, therefore there is no way to a
connection but through one.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Final, Protocol, Self

import asyncpg
import msgspec
from asyncpg import Connection, Record
from asyncpg.pool import PoolConnectionProxy

from homeiq_server.errors import HomeIQError, Misconfigured, RetryLater

type Conn = Connection[Record] | PoolConnectionProxy[Record]

SCHEMA: Final = "homeiq"
CONNECT_TIMEOUT_S: Final = 10
COMMAND_TIMEOUT_S: Final = 30
_MOST_CONNECTIONS: Final = 6
_IDLE_S: Final = 300

# What the server says when it is away, busy or going: the same request may work later.
_LATER: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.OutOfMemoryError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)

_WHO: Final = """
    SELECT rolsuper, rolbypassrls, current_user AS name,
           pg_has_role(current_user, 'homeiq_app', 'USAGE') AS is_app,
           EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'USAGE')
                  ) AS owns
      FROM pg_roles WHERE rolname = current_user
"""
_SET_TENANT: Final = "SELECT set_config('app.tenant_id', $1, true)"
_SET_WORKER: Final = "SET LOCAL ROLE homeiq_worker"


class Tenants(Protocol):
    """What gives connections that see one tenant's rows alone."""

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[Conn]:
        """Give a connection in a transaction.

        Raises:
            RetryLater: The database is away or busy; nothing was done.
        """
        ...


class Pool:
    """Open connections, all of one role."""

    def __init__(self, pool: asyncpg.Pool[Record]) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, *, tls: ssl.SSLContext | None = None) -> Self:
        """Connect, and make sure that the role is one that cannot bypass anything.

        Raises:
            RetryLater: The database is away.
            Misconfigured: It refuses us, or the role may do too much.
        """
        with errors_wrapped():
            pool = await asyncpg.create_pool(
                dsn,
                ssl=tls,
                min_size=1,
                max_size=_MOST_CONNECTIONS,
                max_inactive_connection_lifetime=_IDLE_S,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings={"search_path": SCHEMA, "application_name": "homeiq", "timezone": "UTC"},
                init=register_codecs,
            )
        opened = cls(pool)
        try:
            await opened._check_role()
        except BaseException:
            await opened.close()
            raise
        return opened

    async def close(self) -> None:
        """Close all connections, by force when they do not end in a second."""
        try:
            async with asyncio.timeout(1):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Conn]:
        """Give a connection in a transaction that sees and writes this tenant's rows alone.

        Raises:
            RetryLater: The database is away or busy; nothing was done.
        """
        with errors_wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SET_TENANT, tenant_id)
                yield connection

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Conn]:
        """Give a connection in a transaction across all tenants, with the rights of the role ``homeiq_worker`` only.

        Raises:
            RetryLater: The database is away or busy; nothing was done.
        """
        with errors_wrapped():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SET_WORKER)
                yield connection

    async def _check_role(self) -> None:
        with errors_wrapped():
            role = await self._pool.fetchrow(_WHO, SCHEMA)
        if role is None:
            raise Misconfigured("the database does not know the role that it let us in as")
        excess = [
            what
            for what, is_so in (
                ("is a superuser", role["rolsuper"]),
                ("bypasses row-level security", role["rolbypassrls"]),
                ("owns the tables", role["owns"]),
            )
            if is_so
        ]
        if excess:
            raise Misconfigured(
                f"the role {role['name']} {' and '.join(excess)}, so that tenants could not be kept apart: let"
                " database_url name a role of its own, and database_owner_url the one that owns the tables"
            )


@contextmanager
def errors_wrapped() -> Iterator[None]:
    """Turn asyncpg's errors into ours; what remains is a fault of our own."""
    try:
        yield
    except HomeIQError:
        raise
    except _REFUSED as err:
        raise Misconfigured(f"the database refuses us: {err}") from err
    except ssl.SSLError as err:
        raise Misconfigured(f"the database's certificate is not trusted: {err.reason or err}") from err
    except _LATER as err:
        raise RetryLater(f"the database does not answer: {str(err) or type(err).__name__}") from err


async def register_codecs(connection: Conn) -> None:
    """Let jsonb be objects on our side, once per connection."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_jsonb, decoder=_from_jsonb, format="binary"
    )


def _to_jsonb(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return b"\x01" + msgspec.json.encode(value)


def _from_jsonb(value: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return msgspec.json.decode(value[1:])
