"""Connections to PostgreSQL. Owns asyncpg: its errors are wrapped here, and nowhere else.

The pool's role owns nothing and bypasses nothing, so that what the database's policies forbid cannot happen by mistake;
the tenant is set inside each transaction. ``SET LOCAL`` outside of one would do nothing, therefore there is no way to a
connection but through one.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Final, NoReturn, Protocol, Self

import asyncpg
import msgspec
from asyncpg import Connection, Record
from asyncpg.pool import PoolConnectionProxy

from homeiq_server.errors import HomeIQError, Misconfigured, RetryLater

type Conn = Connection[Record] | PoolConnectionProxy[Record]

SCHEMA: Final = "homeiq"
CONNECT_TIMEOUT_S: Final = 10
COMMAND_TIMEOUT_S: Final = 30
_MOST_CONNECTIONS: Final = 10
_IDLE_S: Final = 300
_PROBE_TIMEOUT_S: Final = 5
_CLOSE_WITHIN_S: Final = 0.5

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
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,  # another node brought the schema up to date meanwhile
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what it makes of a connection that ends in the middle of an answer
    OSError,
    TimeoutError,
)
_REFUSED: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)

_WHO: Final = """
    SELECT current_user AS name, rolsuper, rolbypassrls,
           pg_has_role(current_user, 'homeiq_worker', 'USAGE') AS always_worker,
           EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND pg_has_role(current_user, c.relowner, 'MEMBER')
                  ) AS owns
      FROM pg_roles WHERE rolname = current_user
"""
_SET_TENANT: Final = "SELECT set_config('app.tenant_id', $1, true)"
_SET_WORKER: Final = "SET LOCAL ROLE homeiq_worker"
_CHANNEL: Final = "homeiq"  # of homeiq_tell()
_STILL_THERE_S: Final = 10
_PROBE: Final = "SELECT EXISTS (SELECT FROM devices)"  # of no tenant: it reads the table and sees nothing


class Tenants(Protocol):
    """What gives connections that see one tenant's rows alone."""

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[Conn]:
        """Give a connection in a transaction.

        Raises:
            RetryLater: The database is away or busy; nothing was done.
        """
        ...


class Workers(Tenants, Protocol):
    """What also gives connections across all tenants, to the server's own tasks alone."""

    def worker(self) -> AbstractAsyncContextManager[Conn]:
        """Give a connection in a transaction with the rights of ``homeiq_worker``.

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

        Args:
            dsn: The address with the role and its password.
            tls: Demands TLS of a server that is not on a unix socket, and checks it; None takes TLS that is offered.

        Raises:
            RetryLater: The database is away.
            Misconfigured: It refuses us, or the role may do too much.
        """
        with errors_wrapped():
            pool = await asyncpg.create_pool(
                dsn,
                ssl=tls,
                min_size=0,  # asyncpg would try for ever to keep a floor, and log each attempt
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

    @property
    def is_exhausted(self) -> bool:
        """Whether every connection is in use."""
        return self._pool.get_idle_size() == 0 and self._pool.get_size() == self._pool.get_max_size()

    async def close(self) -> None:
        """Close all connections, by force when they do not end in half a second."""
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Conn]:
        """Give a connection in a transaction that sees and writes this tenant's rows alone.

        Raises:
            RetryLater: The database is away or busy; nothing was done.
        """
        async with self._transaction() as connection:
            await connection.execute(_SET_TENANT, tenant_id)
            yield connection

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Conn]:
        """Give a connection in a transaction across all tenants, with the rights of the role ``homeiq_worker`` only.

        Raises:
            RetryLater: The database is away or busy; nothing was done.
        """
        async with self._transaction() as connection:
            await connection.execute(_SET_WORKER)
            yield connection

    async def listen(self, heard: Callable[[str], None], *, ready: Callable[[], None]) -> NoReturn:
        """Be told what changes, in the words of ``homeiq_tell()``, until cancelled or the connection ends.

        Args:
            heard: Is told of each change once it is committed; never raises.
            ready: Is called when nothing is missed from now on; what was known before may be outdated.

        Raises:
            RetryLater: The connection ended.
        """

        def tell(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            heard(str(payload))

        with errors_wrapped():
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
                await connection.add_listener(_CHANNEL, tell)
                try:
                    ready()
                    while True:
                        await asyncio.sleep(_STILL_THERE_S)
                        await connection.fetchval("SELECT 1", timeout=_PROBE_TIMEOUT_S)
                finally:
                    with suppress(asyncpg.InterfaceError):  # the pool was closed, and the connection with it
                        await connection.remove_listener(_CHANNEL, tell)

    async def probe(self) -> None:
        """Make sure that the tables can be read.

        Raises:
            RetryLater: The database is away, or the tables are.
            Misconfigured: It refuses us.
        """
        try:
            with errors_wrapped():
                async with self._pool.acquire(timeout=_PROBE_TIMEOUT_S) as connection:
                    try:
                        await connection.fetchval(_PROBE, timeout=_PROBE_TIMEOUT_S)
                    except asyncio.CancelledError:
                        connection.terminate()  # a server that hangs must not delay the stop
                        raise
        except asyncpg.UndefinedTableError as err:
            raise RetryLater("the database has lost its tables") from err

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Conn]:
        with errors_wrapped():
            async with self._pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection, connection.transaction():
                yield connection

    async def _check_role(self) -> None:
        with errors_wrapped(), unforeseen_wrapped():
            role = await self._pool.fetchrow(_WHO, SCHEMA)
        if role is None:
            raise Misconfigured("the database does not know the role that it let us in as")
        excess = [
            what
            for what, is_so in (
                ("is a superuser", role["rolsuper"]),
                ("bypasses row-level security", role["rolbypassrls"]),
                ("owns the tables", role["owns"]),
                ("inherits the rights of homeiq_worker", role["always_worker"]),
            )
            if is_so
        ]
        if excess:
            raise Misconfigured(
                f"the role {role['name']} {' and '.join(excess)}, so that tenants could not be kept apart: let"
                " database_url name a role of its own, and database_owner_url the one that owns the tables"
            )


@asynccontextmanager
async def owner_of_tables(dsn: str, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Conn]:
    """Give a connection of the role that owns the tables, for migrations alone: nothing of the pool goes through it.

    Raises:
        RetryLater: The database is away.
        Misconfigured: It refuses us.
    """
    with errors_wrapped(), unforeseen_wrapped():
        owner = await asyncpg.connect(
            dsn,
            ssl=tls,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={"application_name": "homeiq migrations"},
        )
        try:
            yield owner
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_WITHIN_S):
                    await owner.close()
            owner.terminate()  # nothing happens to one that is closed


@contextmanager
def errors_wrapped() -> Iterator[None]:
    """Turn asyncpg's errors into ours; what remains is a fault of our own."""
    try:
        yield
    except HomeIQError:
        raise
    except _REFUSED as err:
        raise Misconfigured(f"the database refuses us: {err}") from err
    except asyncpg.ClientConfigurationError as err:
        raise Misconfigured(f"the database's address cannot be used: {err}") from err
    except ssl.SSLCertVerificationError as err:
        raise Misconfigured(f"the database's certificate is not trusted: {err.verify_message}") from err
    except _LATER as err:
        if "rejected SSL upgrade" in str(err):  # asyncpg has no class for it
            raise Misconfigured("the database does not offer TLS") from err
        raise RetryLater(f"the database does not answer: {_words(err)}") from err


@contextmanager
def unforeseen_wrapped(what: str = "the database is not as it should be") -> Iterator[None]:
    """Turn whatever else the database says into ``Misconfigured``; for statements that a database of ours takes."""
    try:
        yield
    except asyncpg.PostgresError as err:
        if isinstance(err, (*_LATER, *_REFUSED)):
            raise
        raise Misconfigured(f"{what}: {err}") from err


def _words(err: BaseException) -> str:
    if isinstance(err, TimeoutError) and not str(err):
        return "it takes too long"
    if isinstance(err, asyncpg.InternalClientError):
        return "the connection broke"
    return (isinstance(err, OSError) and err.strerror) or str(err) or type(err).__name__


async def register_codecs(connection: Conn) -> None:
    """Let jsonb be objects on our side, once per connection."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_jsonb, decoder=_from_jsonb, format="binary"
    )


def _to_jsonb(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    return b"\x01" + msgspec.json.encode(value)


def _from_jsonb(value: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return msgspec.json.decode(value[1:])
