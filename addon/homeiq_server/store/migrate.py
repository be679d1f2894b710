"""Brings the schema up to date: numbered SQL files, each in one transaction, each known by its checksum.

Runs as the owner of the schema, who is not the role that the pool works as. Forward only: the way back is a dump.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import asyncpg

from homeiq_server.errors import Misconfigured

from .pool import SCHEMA, Conn, errors_wrapped

_LOGGER = logging.getLogger(__name__)

_LOCK: Final = 0x686F6D656971  # "homeiq": one runner at a time, however many nodes start
_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")
OLDEST_SERVER: Final = 160_000

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
        RetryLater: The database is away.
        Misconfigured: It is older than we support, newer than this release, or was changed by somebody else.
    """
    with errors_wrapped():
        if (version := connection.get_server_version()) < (OLDEST_SERVER // 10_000,):
            raise Misconfigured(f"PostgreSQL {version.major} is too old: 16 is the oldest that works")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            return await _migrate(connection, app_role, shipped() if migrations is None else migrations)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _migrate(connection: Conn, app_role: str, migrations: Sequence[Migration]) -> int:
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    await connection.execute(f"SET search_path = {SCHEMA}")
    await connection.execute(_ROLES)
    await connection.execute(_VERSIONS)
    applied = {row["version"]: row for row in await connection.fetch("SELECT * FROM schema_version")}
    _check(applied, migrations)
    pending = [migration for migration in migrations if migration.version not in applied]
    for migration in pending:
        await _apply(connection, migration)
    await _let_in(connection, app_role)
    return len(pending)


def _check(applied: dict[int, asyncpg.Record], migrations: Sequence[Migration]) -> None:
    known = {migration.version: migration for migration in migrations}
    if newer := sorted(applied.keys() - known.keys()):
        raise Misconfigured(
            f"the database's schema has version {newer[-1]}, this release knows {max(known)}: start the newer release"
            " again, or restore the backup that was made before the update"
        )
    for version, row in applied.items():
        if row["sha256"] != known[version].sha256:
            raise Misconfigured(
                f"migration {version} ({row['name']}) was applied from another text than this release has: this is"
                " no release, or the database is another one's"
            )


async def _apply(connection: Conn, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        await connection.execute(migration.sql, timeout=600)
        await connection.execute(
            "INSERT INTO schema_version (version, name, sha256) VALUES ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.sha256,
        )
    _LOGGER.info("schema of the store brought to version %d (%s)", migration.version, migration.name)


async def _let_in(connection: Conn, app_role: str) -> None:
    """Let the pool's login act as ``homeiq_app`` always, and as ``homeiq_worker`` when it asks for that."""
    quoted = '"' + app_role.replace('"', '""') + '"'
    async with connection.transaction():
        await connection.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO homeiq_app, homeiq_worker")
        await connection.execute(f"GRANT homeiq_app TO {quoted} WITH INHERIT TRUE")
        await connection.execute(f"GRANT homeiq_worker TO {quoted} WITH INHERIT FALSE, SET TRUE")
