"""Brings the schema up to date: numbered SQL files, each in one transaction, each known by its checksum.

Runs as the owner of the schema, who is not the role that the pool works as. Forward only: the way back is a dump.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from asyncpg import Record

from homeiq_server.errors import Misconfigured

from .pool import SCHEMA, Conn, errors_wrapped, unforeseen_wrapped

_LOGGER = logging.getLogger(__name__)

_LOCK: Final = 0x686F6D656971  # "homeiq": one runner at a time, however many nodes start
_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_OLDEST_MAJOR: Final = 16  # GRANT ... WITH INHERIT
_FILE_TIMEOUT_S: Final = 600

_ROLES: Final = """
DO $$
DECLARE needed text;
BEGIN
    FOREACH needed IN ARRAY ARRAY['homeiq_app', 'homeiq_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = needed) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', needed);
        END IF;
    END LOOP;
END $$
"""
_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS schema_version (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_NOTE: Final = "INSERT INTO schema_version (version, name, sha256) VALUES ($1, $2, $3)"
_MAY: Final = """
SELECT has_schema_privilege('homeiq_app', $2, 'USAGE') AND has_schema_privilege('homeiq_worker', $2, 'USAGE')
           AS in_schema,
       pg_has_role($1, 'homeiq_app', 'USAGE') AS is_app,
       pg_has_role($1, 'homeiq_worker', 'SET') AS becomes_worker
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file.

    Attributes:
        version: Its number, from 1, without holes.
        sha256: Of its text; an applied file must never change.
    """

    version: int
    name: str
    sql: str
    sha256: str


def shipped() -> Sequence[Migration]:
    """Return the migrations of this release, in order."""
    found = []
    for file in (files("homeiq_server") / "store" / "sql").iterdir():
        if match := _NAME.fullmatch(file.name):
            sql = file.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), match[2], sql, hashlib.sha256(sql.encode()).hexdigest()))
    return sorted(found, key=lambda migration: migration.version)


async def migrate(connection: Conn, *, app_role: str, migrations: Sequence[Migration] | None = None) -> int:
    """Bring the schema to the newest version; the login ``app_role`` may then act as the roles of the pool.

    Returns:
        How many migrations were applied.

    Raises:
        RetryLater: The database is away, or another runner is at work for too long.
        Misconfigured: It is older than we support, newer than this release, or was changed by somebody else.
    """
    with errors_wrapped(), unforeseen_wrapped():
        if (major := connection.get_server_version().major) < _OLDEST_MAJOR:
            raise Misconfigured(f"PostgreSQL {major} is too old: {_OLDEST_MAJOR} is the oldest that works")
        async with _locked(connection):
            return await _migrate(connection, app_role, shipped() if migrations is None else migrations)


@asynccontextmanager
async def _locked(connection: Conn) -> AsyncIterator[None]:
    """Let one runner at a time through, of all that share the database."""
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        yield
    except asyncio.CancelledError:
        connection.terminate()  # a server that hangs must not delay the stop; the lock goes with the connection
        raise
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _migrate(connection: Conn, app_role: str, migrations: Sequence[Migration]) -> int:
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    await connection.execute(f"SET search_path = {SCHEMA}")
    await connection.execute(_ROLES)
    await connection.execute(_VERSIONS)
    applied = await connection.fetch("SELECT version, name, sha256 FROM schema_version ORDER BY version")
    _check(applied, migrations)
    pending = migrations[len(applied) :]
    for migration in pending:
        await _apply(connection, migration)
    await _let_in(connection, app_role)
    return len(pending)


def _check(applied: Sequence[Record], migrations: Sequence[Migration]) -> None:
    """Refuse unless ``migrations`` are numbered from 1 without holes, and begin with what was applied."""
    for expected, migration in enumerate(migrations, 1):
        if migration.version != expected:
            raise Misconfigured(f"migration {expected} is missing in this release: install it again")
    if len(applied) > len(migrations):
        raise Misconfigured(
            f"the database's schema has version {applied[-1]['version']}, this release knows {len(migrations)}: start"
            " the newer release again, or restore the backup that was made before the update"
        )
    for row, migration in zip(applied, migrations, strict=False):
        if (row["version"], row["sha256"]) != (migration.version, migration.sha256):
            raise Misconfigured(
                f"migration {row['version']} ({row['name']}) was applied from another text than this release has: this"
                " is no release, or the database is another one's"
            )


async def _apply(connection: Conn, migration: Migration) -> None:
    failed = f"migration {migration.version} ({migration.name}) failed, nothing of it was applied"
    with unforeseen_wrapped(failed):
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '5s'")
            await connection.execute(migration.sql, timeout=_FILE_TIMEOUT_S)
            await connection.execute(_NOTE, migration.version, migration.name, migration.sha256)
    _LOGGER.info("schema of the store brought to version %d (%s)", migration.version, migration.name)


async def _let_in(connection: Conn, app_role: str) -> None:
    """Let the pool's login act as ``homeiq_app`` always, and as ``homeiq_worker`` when it asks for that.

    Nothing is granted twice, so that an owner who may not grant can do with what an administrator granted before.
    """
    ((in_schema, is_app, becomes_worker),) = await connection.fetch(_MAY, app_role, SCHEMA)
    quoted = '"' + app_role.replace('"', '""') + '"'
    async with connection.transaction():
        if not in_schema:
            await connection.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO homeiq_app, homeiq_worker")
        if not is_app:
            await connection.execute(f"GRANT homeiq_app TO {quoted} WITH INHERIT TRUE")
        if not becomes_worker:
            await connection.execute(f"GRANT homeiq_worker TO {quoted} WITH INHERIT FALSE, SET TRUE")
