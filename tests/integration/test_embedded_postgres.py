"""The embedded PostgreSQL as it really runs; in folders outside of pytest's, which are closed to other users."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psutil
import pytest
from asyncpg import Connection, Record

from homeiq_server.embedded.child import State
from homeiq_server.embedded.pid_file import ProcessId
from homeiq_server.embedded.postgres import Postgres
from homeiq_server.embedded.postgres_dumps import Dumps
from homeiq_server.store.migrate import migrate
from homeiq_server.store.pool import Pool
from tests.postgres import PROGRAMS

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "postgres").exists(), reason="there is no PostgreSQL here: scripts/setup brings it"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")

MAJOR = 18  # of the programs that scripts/setup brings

SERVER = """
import asyncio, sys
from pathlib import Path
from homeiq_server.embedded.postgres import Postgres

async def main():
    database = Postgres(Path(sys.argv[1]), Path(sys.argv[2]))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(database.run())
        await database.ready()
        print(database.pid, flush=True)

asyncio.run(main())
"""


@contextmanager
def own_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="homeiq-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def empty() -> Iterator[Path]:
    """A data folder before the first start."""
    with own_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder after the first start, to be copied."""

    async def make(folder: Path) -> None:
        async with running(folder):
            pass

    with own_folder() as folder:
        asyncio.run(make(folder))
        shutil.rmtree(folder / "dumps")
        yield folder


@pytest.fixture
def data_dir(made: Path, empty: Path) -> Path:
    """A data folder after the first start, which left no dump."""
    subprocess.run(["cp", "-a", f"{made}/.", empty], check=True)  # noqa: S607 - as on every Unix
    return empty


@asynccontextmanager
async def started(database: Postgres) -> AsyncIterator[Postgres]:
    """Run it without waiting; stop it in order afterwards."""
    task = asyncio.create_task(database.run(), name="database")
    try:
        yield database
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


@asynccontextmanager
async def running(data_dir: Path, *, dumps: Dumps | None = None) -> AsyncIterator[Postgres]:
    async with started(Postgres(data_dir, PROGRAMS, dumps=dumps)) as database:
        async with asyncio.timeout(60):
            await database.ready()
        yield database


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection[Record]]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a condition on another process has no event
            await asyncio.sleep(0.02)


async def kept(database: Postgres, text: str) -> None:
    async with connected(database.owner_url) as owner:
        await owner.execute("CREATE TABLE IF NOT EXISTS public.kept (text text)")
        await owner.execute("INSERT INTO public.kept VALUES ($1)", text)


async def found(database: Postgres) -> list[str]:
    async with connected(database.owner_url) as owner:
        return [row["text"] for row in await owner.fetch("SELECT text FROM public.kept ORDER BY text")]


def in_folder(data_dir: Path) -> list[psutil.Process]:
    """Return the processes that have a folder in there as their working folder, as all of PostgreSQL's have."""
    processes = psutil.process_iter(["cwd", "status"])
    return [
        one
        for one in processes
        if (one.info["cwd"] or "").startswith(f"{data_dir}/") and one.info["status"] != "zombie"
    ]


def open_to_all(folder: Path) -> Path:
    """Make a folder that everybody can reach."""
    folder.parent.chmod(0o711)
    folder.mkdir()
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def dumps_in(data_dir: Path) -> list[Path]:
    return sorted((data_dir / "dumps").glob("*"))


def renamed_to_older(data_dir: Path) -> None:
    """Let everything look like that of the major version before."""
    (data_dir / f"postgresql-{MAJOR}").rename(data_dir / f"postgresql-{MAJOR - 1}")
    for dump in dumps_in(data_dir):
        dump.rename(dump.with_name(dump.name.replace(f"-{MAJOR}-", f"-{MAJOR - 1}-")))


async def test_it_starts_with_its_roles_and_stops_without_a_trace(empty: Path) -> None:
    async with running(empty) as database:
        assert (database.state, database.generation, database.error) == (State.RUNNING, 1, None)
        assert database.major == MAJOR
        async with connected(database.url) as connection:
            role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = current_user")
            assert role
            assert (role["rolname"], role["rolsuper"], role["rolbypassrls"]) == ("homeiq", False, False)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("CREATE TABLE public.mine ()")
        async with connected(database.owner_url) as owner:
            owned = "SELECT datname FROM pg_database WHERE datdba = 'homeiq_owner'::regrole"
            assert await owner.fetchval(owned) == "homeiq"
            assert await owner.fetchval("SHOW is_superuser") == "off"

    assert database.state is State.STOPPED
    assert in_folder(empty) == []
    assert list((empty / "postgresql-socket").iterdir()) == []
    assert not (empty / f"postgresql-{MAJOR}.pid").exists()


async def test_the_store_s_schema_and_pool_work_on_it(data_dir: Path) -> None:
    async with running(data_dir) as database:
        async with connected(database.owner_url) as owner:
            assert await migrate(owner, app_role="homeiq")
        pool = await Pool.open(database.url)
        async with pool.tenant("home") as connection:
            assert await connection.fetchval("SELECT count(*) FROM devices") == 0
        await pool.close()


async def test_it_takes_little_and_loses_nothing(data_dir: Path) -> None:
    async with running(data_dir) as database, connected(database.url) as connection:
        expected = {
            "listen_addresses": "",
            "shared_buffers": "16MB",
            "max_connections": "20",
            "max_parallel_workers": "0",
            "max_logical_replication_workers": "0",
            "jit": "off",
            "huge_pages": "off",
            "io_method": "sync",
            "wal_segment_size": "1MB",
            "wal_level": "minimal",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "autovacuum": "on",
            "server_encoding": "UTF8",
            "lc_messages": "C",
            "TimeZone": "UTC",
            "unix_socket_permissions": "0700",
        }
        assert {name: await connection.fetchval(f"SHOW {name}") for name in expected} == expected
        assert len(in_folder(data_dir)) <= 7  # with the connection's


@as_root
async def test_root_s_server_belongs_to_nobody_of_rank(data_dir: Path) -> None:
    async with running(data_dir) as database:
        account = database.account
        assert account
        for process in in_folder(data_dir):
            assert set(process.uids()) == {account.uid} != {0}
            assert set(process.gids()) == {account.gid}
        assert mode(data_dir) == 0o710
        for name in (f"postgresql-{MAJOR}", "postgresql-socket"):
            assert ((data_dir / name).owner(), mode(data_dir / name)) == (account.name, 0o700)


@as_root
async def test_a_closed_folder_above_is_named_until_it_is_opened(empty: Path) -> None:
    inner = open_to_all(empty / "closed") / "inner"
    inner.mkdir()
    inner.parent.chmod(0o700)
    async with started(Postgres(inner, PROGRAMS)) as database:
        await until(lambda: database.state is State.WAITING)
        assert f"the folder {inner.parent} is closed to the user" in (database.error or "")
        assert f"chmod o+x {inner.parent}" in (database.error or "")
        inner.parent.chmod(0o711)
        async with asyncio.timeout(60):
            await database.ready()


async def test_what_was_committed_is_there_after_an_orderly_restart(data_dir: Path) -> None:
    async with running(data_dir) as database:
        await kept(database, "a")
    async with running(data_dir) as database:
        assert await found(database) == ["a"]


async def test_a_killed_server_comes_back_at_the_same_address_with_everything(data_dir: Path) -> None:
    async with running(data_dir) as database:
        await kept(database, "a")
        first, url = database.pid, database.url
        assert first
        os.kill(first, signal.SIGKILL)
        await until(lambda: database.generation == 2)
        async with asyncio.timeout(60):
            await database.ready()
        assert database.url == url
        assert await found(database) == ["a"]


async def test_a_killed_server_s_busy_backend_does_not_keep_the_next_from_starting(data_dir: Path) -> None:
    async with running(data_dir) as database:
        connection = await asyncpg.connect(database.url)
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        busy = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 10_000_000_000)"))
        await until(lambda: "SELECT" in " ".join(psutil.Process(backend).cmdline()))
        first = database.pid
        assert first
        os.kill(first, signal.SIGKILL)
        await until(lambda: database.generation > 1)
        async with asyncio.timeout(60):
            await database.ready()
        assert ProcessId.of(backend) is None
        with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
            await busy


async def test_a_server_that_hangs_is_killed_at_the_stop(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(data_dir) as database:
        assert database.pid
        os.kill(database.pid, signal.SIGSTOP)
    assert "PostgreSQL did not stop within 3 s: killed" in caplog.text
    await until(lambda: not in_folder(data_dir))


async def test_a_killed_app_leaves_no_server_behind(data_dir: Path) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(data_dir), str(PROGRAMS), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout
    async with asyncio.timeout(60):
        pid = int(await server.stdout.readline())
    assert pid in [process.pid for process in in_folder(data_dir)]

    server.kill()
    await server.wait()
    await until(lambda: not in_folder(data_dir))

    async with running(data_dir) as database:
        assert database.generation == 1


async def test_locks_that_name_a_living_process_of_ours_do_not_keep_it_from_starting(data_dir: Path) -> None:
    async with running(data_dir) as database:
        await kept(database, "a")
        folder = data_dir / f"postgresql-{MAJOR}"
        lock = (folder / "postmaster.pid").read_text()
        uid = folder.stat().st_uid
    stranger = await asyncio.create_subprocess_exec("/bin/sleep", "600", user=uid)
    try:
        lines = lock.splitlines(keepends=True)
        stale = "".join([f"{stranger.pid}\n", *lines[1:]])
        for path in (folder / "postmaster.pid", data_dir / "postgresql-socket" / ".s.PGSQL.5432.lock"):
            path.write_text(stale)
            shutil.chown(path, uid)
        async with running(data_dir) as database:
            assert database.generation == 1
            assert await found(database) == ["a"]
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_second_app_on_the_same_folder_is_told_so_and_harms_nobody(data_dir: Path) -> None:
    async with running(data_dir) as first:
        (data_dir / f"postgresql-{MAJOR}.pid").unlink()
        async with started(Postgres(data_dir, PROGRAMS)) as second:
            await until(lambda: second.state is State.WAITING)
            assert f"another PostgreSQL (process {first.pid}) runs on" in (second.error or "")
        await kept(first, "a")
        assert await found(first) == ["a"]


async def test_the_folder_of_a_newer_version_is_refused_and_left_alone(empty: Path) -> None:
    newer = empty / f"postgresql-{MAJOR + 1}"
    newer.mkdir()
    (newer / "PG_VERSION").write_text(f"{MAJOR + 1}\n")
    async with started(Postgres(empty, PROGRAMS)) as database:
        await until(lambda: database.state is State.WAITING)
        assert f"belongs to PostgreSQL {MAJOR + 1}, this app brings {MAJOR}" in (database.error or "")
    assert [path.name for path in newer.iterdir()] == ["PG_VERSION"]


async def test_an_initdb_that_was_killed_is_made_up_for(empty: Path) -> None:
    half = empty / f"postgresql-{MAJOR}.new"
    half.mkdir()
    (half / "PG_VERSION").write_text(f"{MAJOR}\n")
    async with running(empty) as database:
        await kept(database, "a")
    assert not half.exists()


async def test_a_dump_is_written_at_each_stop_if_something_changed_and_two_are_kept(data_dir: Path) -> None:
    for number in range(3):
        async with running(data_dir) as database:
            await kept(database, str(number))
            await database.dump()
            before = dumps_in(data_dir)
        assert dumps_in(data_dir) == before
    async with running(data_dir) as database:
        await kept(database, "last")
    assert before[1:] == dumps_in(data_dir)[:1]
    assert len(dumps_in(data_dir)) == 2


async def test_a_dump_is_written_daily(data_dir: Path) -> None:
    slept = []
    woken = asyncio.Event()
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        asleep.set()
        await woken.wait()
        woken.clear()

    dumps = Dumps(data_dir / "dumps", MAJOR, now=lambda: datetime(2026, 11, 22, tzinfo=UTC), sleep=sleep)
    async with running(data_dir, dumps=dumps) as database:
        await kept(database, "a")
        for expected in ([600], [600, 86400]):
            async with asyncio.timeout(60):
                await asleep.wait()
            assert slept == expected
            asleep.clear()
            woken.set()
        async with asyncio.timeout(60):
            await asleep.wait()
        assert [path.name for path in dumps_in(data_dir)] == [f"postgresql-{MAJOR}-20261122T000000Z.dump"]


async def test_a_dump_that_takes_too_long_does_not_keep_it_from_stopping(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running(data_dir) as database:
        await kept(database, "a")
        owner = await asyncpg.connect(database.owner_url)
        locked = owner.transaction()
        await locked.start()
        await owner.execute("LOCK TABLE public.kept IN ACCESS EXCLUSIVE MODE")
    assert "would take longer than the stop may: left out" in caplog.text
    assert dumps_in(data_dir) == []
    assert in_folder(data_dir) == []
    owner.terminate()


async def test_the_dump_of_an_older_version_is_restored_with_its_rights(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running(data_dir) as database:
        async with connected(database.owner_url) as owner:
            await migrate(owner, app_role="homeiq")
        await kept(database, "a")
    renamed_to_older(data_dir)

    async with running(data_dir) as database:
        assert await found(database) == ["a"]
        async with connected(database.owner_url) as owner:
            assert await migrate(owner, app_role="homeiq") == 0
        pool = await Pool.open(database.url)
        async with pool.tenant("home") as connection:
            assert await connection.fetchval("SELECT count(*) FROM tenants") == 1
        await pool.close()
        await kept(database, "b")

    older = data_dir / f"postgresql-{MAJOR - 1}"
    assert older.exists()
    assert f"{older} is no longer used and may be deleted" in caplog.text
    async with running(data_dir) as database:
        assert await found(database) == ["a", "b"]


async def test_an_older_folder_without_a_dump_is_named(data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(data_dir) as database:
        await kept(database, "a")
    renamed_to_older(data_dir)
    shutil.rmtree(data_dir / "dumps")
    async with running(data_dir):
        assert f"there is no dump of {data_dir / f'postgresql-{MAJOR - 1}'}" in caplog.text


async def test_a_lost_folder_is_restored_from_its_own_dump_and_a_damaged_dump_gives_way(data_dir: Path) -> None:
    async with running(data_dir) as database:
        await kept(database, "a")
        await database.dump()
        await kept(database, "b")
    shutil.rmtree(data_dir / f"postgresql-{MAJOR}")
    newest = dumps_in(data_dir)[-1]
    newest.write_bytes(newest.read_bytes()[:500])
    async with running(data_dir) as database:
        assert await found(database) == ["a"]


async def test_dumps_that_cannot_be_restored_are_an_error_until_they_are_moved_away(empty: Path) -> None:
    (empty / "dumps").mkdir()
    (empty / "dumps" / f"postgresql-{MAJOR - 1}-20261122T120000Z.dump").write_bytes(b"no dump")
    async with started(Postgres(empty, PROGRAMS)) as database:
        await until(lambda: database.state is State.WAITING)
        assert f"no dump in {empty / 'dumps'} can be restored: move them away" in (database.error or "")
        shutil.rmtree(empty / "dumps")
        async with asyncio.timeout(60):
            await database.ready()


async def test_a_folder_with_a_long_path_has_its_socket_elsewhere(empty: Path) -> None:
    long = open_to_all(empty / ("with spaces, " * 7).strip())
    async with running(long) as database:
        await kept(database, "a")
        assert await found(database) == ["a"]
        sockets = Path(database.url.partition("host=")[2])
        assert mode(sockets) == 0o700
    assert not (long / "postgresql-socket").exists()
    await until(lambda: not sockets.exists())


async def test_a_folder_with_an_odd_name_works(empty: Path) -> None:
    odd = open_to_all(empty / "a \"b\" %2F 'c' ü")
    async with running(odd) as database:
        await kept(database, "a")
        assert await found(database) == ["a"]
    assert (odd / "postgresql-socket").exists()
    assert len(dumps_in(odd)) == 1
