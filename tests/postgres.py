"""A real PostgreSQL for tests: one server for a test run, one fresh database for each test.

Run as root it drops to ``nobody``, because PostgreSQL refuses to run as root.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg

from homeiq_server.store.migrate import migrate
from homeiq_server.store.pool import Conn, Pool, register_codecs

PROGRAMS: Final = Path(__file__).parents[1] / ".tools" / "postgresql" / "bin"
_NOBODY: Final = 65534 if os.geteuid() == 0 else None
_NUMBERS: Final = count()
_OPTIONS: Final = "-c listen_addresses='' -c max_connections=50"
# Nothing in a test has to survive a power failure.
_FAST: Final = f"{_OPTIONS} -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
# As the app gives its own one.
_SMALL: Final = f"{_OPTIONS} -c shared_buffers=16MB -c max_wal_size=64MB -c jit=off -c max_parallel_workers=0"


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a test.

    Attributes:
        url: Of the role that the server works as: owns nothing, bypasses nothing.
        owner_url: Of the role that owns the tables.
    """

    name: str
    folder: Path

    @property
    def url(self) -> str:
        return self._url("homeiq")

    @property
    def owner_url(self) -> str:
        return self._url("homeiq_owner")

    def _url(self, user: str) -> str:
        return f"postgresql://{user}@/{self.name}?host={self.folder}"


class Cluster:
    """A running server with the roles of HomeIQ and a migrated template."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def _admin(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.folder}"

    async def prepare(self) -> None:
        """Make the roles, and the template with the newest schema."""
        admin = await asyncpg.connect(self._admin)
        try:
            await admin.execute("CREATE ROLE homeiq_owner LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS")
            await admin.execute("CREATE ROLE homeiq LOGIN NOSUPERUSER NOBYPASSRLS")
            await admin.execute("CREATE DATABASE template OWNER homeiq_owner")
        finally:
            await admin.close()
        template = Database("template", self.folder)
        owner = await asyncpg.connect(template.owner_url)
        try:
            await migrate(owner, app_role="homeiq")
        finally:
            await owner.close()

    @asynccontextmanager
    async def database(self, *, migrated: bool = True) -> AsyncIterator[Database]:
        """Give a fresh database, with the newest schema or empty, and drop it afterwards."""
        name = f"test_{next(_NUMBERS)}"
        admin = await asyncpg.connect(self._admin)
        try:
            template = " TEMPLATE template" if migrated else ""
            await admin.execute(f"CREATE DATABASE {name} OWNER homeiq_owner{template}")
            try:
                yield Database(name, self.folder)
            finally:
                await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            await admin.close()


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Start a server in a folder of its own, and stop it afterwards; ``RuntimeError`` when there is no PostgreSQL.

    A ``durable`` one waits for the disk at each commit and has little memory, as that of a user.
    """
    if not (PROGRAMS / "postgres").exists():
        raise RuntimeError("there is no PostgreSQL here: scripts/setup brings it")
    folder = Path(tempfile.mkdtemp(prefix="homeiq-pg-"))
    if _NOBODY:
        os.chown(folder, _NOBODY, _NOBODY)
    data, options = folder / "data", _SMALL if durable else _FAST
    try:
        _run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8", "--wal-segsize=1")
        _run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", f"{options} -k {folder}", "start")
        try:
            running = Cluster(folder)
            asyncio.run(running.prepare())
            yield running
        finally:
            _run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def as_owner(database: Database) -> AsyncIterator[Conn]:
    """Give a connection of the owner, who sees all tenants' rows."""
    connection = await asyncpg.connect(database.owner_url, server_settings={"search_path": "homeiq", "timezone": "UTC"})
    try:
        await register_codecs(connection)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def open_pool(database: Database) -> AsyncIterator[Pool]:
    """Give the pool that the server would use."""
    pool = await Pool.open(database.url)
    try:
        yield pool
    finally:
        await pool.close()


def _run(program: str, *arguments: str) -> None:
    command = [str(PROGRAMS / program), *arguments]
    others = None if _NOBODY is None else ()
    subprocess.run(
        command, check=True, capture_output=True, timeout=60, cwd="/", user=_NOBODY, group=_NOBODY, extra_groups=others
    )
