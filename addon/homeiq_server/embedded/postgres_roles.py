"""The roles and the database in the embedded PostgreSQL. Wraps asyncpg's errors here, for this folder.

The roles are the server's and not in a dump of the database, so they are made before one is restored. ``homeiq_app``
and ``homeiq_worker`` are made by the owner, who may then hand them on, as the migrations do.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
from asyncpg import Connection, Record

from homeiq_server.errors import RetryLater

DATABASE: Final = "homeiq"
OWNER: Final = "homeiq_owner"
SUPERUSER: Final = "postgres"
_RESTORED: Final = "homeiq_restored"
_LOGINS: Final = {OWNER: "LOGIN CREATEROLE", "homeiq": "LOGIN"}
_OF_THE_OWNER: Final = {"homeiq_app": "NOLOGIN", "homeiq_worker": "NOLOGIN"}
_CONNECT_TIMEOUT_S: Final = 5
_COMMAND_TIMEOUT_S: Final = 60
_NOT_YET: Final = (
    OSError,
    TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
)


def url_of(role: str, sockets: Path) -> str:
    """Return what the role connects to the database with."""
    return f"postgresql://{role}@/{DATABASE}?host={quote(str(sockets))}"


async def answers(sockets: Path) -> bool:
    """Tell whether the server lets clients in by now.

    Raises:
        RetryLater: It refuses us.
    """
    with _errors_wrapped():
        try:
            connection = await _connect(sockets)
        except _NOT_YET:
            return False
        connection.terminate()
    return True


async def position(sockets: Path) -> int:
    """Return the number of the next transaction that writes: unchanged for as long as the data are.

    Raises:
        RetryLater: The server does not answer.
    """
    async with _superuser(sockets) as connection:
        number: int = await connection.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return number


async def ensure(sockets: Path, fill: Callable[[str], Awaitable[None]]) -> None:
    """Make the roles and the database where they are missing.

    Args:
        sockets: The folder of the server's socket.
        fill: Brings what is known of an earlier database into the one of the given name, which is new and empty. The
            database has its real name only once this is done.

    Raises:
        RetryLater: The server does not answer.
    """
    async with _superuser(sockets) as connection:
        await _ensure_roles(connection, _LOGINS)
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            return
        await connection.execute(f"SET ROLE {OWNER}")
        await _ensure_roles(connection, _OF_THE_OWNER)
        await connection.execute("RESET ROLE")
        await connection.execute(f"DROP DATABASE IF EXISTS {_RESTORED} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {_RESTORED} OWNER {OWNER}")
        await fill(_RESTORED)
        await connection.execute(f"ALTER DATABASE {_RESTORED} RENAME TO {DATABASE}")


async def _ensure_roles(connection: Connection[Record], roles: dict[str, str]) -> None:
    for name, rights in roles.items():
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name):
            await connection.execute(f"CREATE ROLE {name} NOSUPERUSER NOBYPASSRLS {rights}")


@asynccontextmanager
async def _superuser(sockets: Path) -> AsyncIterator[Connection[Record]]:
    with _errors_wrapped():
        connection = await _connect(sockets)
        try:
            yield connection
        finally:
            connection.terminate()  # unlike close, waits for nobody who hangs


@contextmanager
def _errors_wrapped() -> Iterator[None]:
    try:
        yield
    except (*_NOT_YET, asyncpg.PostgresError, asyncpg.InterfaceError) as err:
        raise RetryLater(f"the embedded PostgreSQL does not do its work: {str(err) or type(err).__name__}") from err


async def _connect(sockets: Path) -> Connection[Record]:
    return await asyncpg.connect(
        host=str(sockets),
        user=SUPERUSER,
        database="postgres",
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=_COMMAND_TIMEOUT_S,
    )
