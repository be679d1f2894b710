"""The pool: what its connections are set up with, which roles it refuses, and whose errors come out of it."""

import asyncio

import asyncpg
import pytest

from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.store.pool import Conn, Pool
from tests.postgres import Database, as_owner, open_pool


async def test_a_connection_knows_its_tenant_within_its_transaction_alone(pool: Pool) -> None:
    asked = "SELECT current_setting('app.tenant_id', true)"
    async with pool.tenant("home") as connection:
        assert await connection.fetchval(asked) == "home"
    async with pool.worker() as connection:  # the same connection again
        assert not await connection.fetchval(asked)
        assert await connection.fetchval("SELECT current_user") == "homeiq_worker"
    async with pool.tenant("other") as connection:
        assert await connection.fetchval("SELECT current_user") == "homeiq"


async def test_jsonb_is_objects_on_both_sides(pool: Pool) -> None:
    value = {"text": "ä", "list": [1, 2.5, None, True], "deep": {"a": {}}}
    async with pool.tenant("home") as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == value
        assert await connection.fetchval("SELECT jsonb_typeof($1::jsonb)", value) == "object"
        assert await connection.fetchval("SELECT $1::jsonb", None) is None


async def test_times_are_utc_whatever_the_server_thinks(pool: Pool) -> None:
    async with pool.tenant("home") as connection:
        assert await connection.fetchval("SHOW timezone") == "UTC"


async def test_what_fails_is_undone(pool: Pool) -> None:
    async def rename_and_fail() -> None:
        async with pool.tenant("home") as connection:
            await connection.execute("UPDATE tenants SET name = 'Other'")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await rename_and_fail()
    async with pool.tenant("home") as connection:
        assert await connection.fetchval("SELECT name FROM tenants") == "Home"


async def test_the_pool_works_as_a_role_that_could_not_even_make_a_table(pool: Pool) -> None:
    for place in ("homeiq", "public"):
        with pytest.raises(Misconfigured, match="permission denied"):
            async with pool.tenant("home") as connection:
                await connection.execute(f"CREATE TABLE {place}.mine (id int)")


async def test_the_owner_of_the_tables_is_refused(database: Database) -> None:
    with pytest.raises(Misconfigured, match=r"the role homeiq_owner owns the tables.*database_owner_url"):
        await Pool.open(database.owner_url)


async def test_a_superuser_is_refused(database: Database) -> None:
    with pytest.raises(Misconfigured, match="postgres is a superuser and bypasses row-level security"):
        await Pool.open(database._url("postgres"))


@pytest.mark.parametrize(
    ("right", "why"),
    [
        ("ALTER ROLE strong BYPASSRLS", "bypasses row-level security"),
        ("GRANT homeiq_owner TO strong WITH INHERIT FALSE", "owns the tables"),
        ("GRANT homeiq_worker TO strong WITH INHERIT TRUE", "inherits the rights of homeiq_worker"),
    ],
)
async def test_a_role_that_could_get_around_the_policies_is_refused(database: Database, right: str, why: str) -> None:
    admin = await asyncpg.connect(database._url("postgres"))
    await admin.execute("CREATE ROLE strong LOGIN")
    try:
        await admin.execute(right)
        with pytest.raises(Misconfigured, match=f"the role strong {why}"):
            await Pool.open(database._url("strong"))
    finally:
        await admin.execute("DROP ROLE strong")
        await admin.close()


async def test_a_role_or_database_that_does_not_exist_is_misconfigured(database: Database) -> None:
    with pytest.raises(Misconfigured, match='role "nobody-of-that-name" does not exist'):
        await Pool.open(database._url("nobody-of-that-name"))
    with pytest.raises(Misconfigured, match='database "missing" does not exist'):
        await Pool.open(Database("missing", database.folder).url)


async def test_a_server_that_is_away_is_for_later(database: Database) -> None:
    with pytest.raises(RetryLater, match="No such file or directory"):
        await Pool.open(Database(database.name, database.folder / "nowhere").url)
    with pytest.raises(RetryLater, match=r"127\.0\.0\.1"):
        await Pool.open("postgresql://homeiq:marker@127.0.0.1:1/homeiq")


async def test_a_connection_that_is_cut_is_for_later_and_the_next_one_works(database: Database, pool: Pool) -> None:
    async def be_cut() -> None:
        async with pool.tenant("home") as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            admin = await asyncpg.connect(database._url("postgres"))
            await admin.execute("SELECT pg_terminate_backend($1)", pid)
            await admin.close()
            await connection.execute("SELECT 1")

    with pytest.raises(RetryLater):
        await be_cut()
    async with pool.tenant("home") as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_lock_that_is_not_to_be_had_is_for_later(pool: Pool) -> None:
    async def lock(connection: Conn) -> None:
        await connection.execute("SET LOCAL lock_timeout = '10ms'")
        await connection.execute("SELECT FROM tenants FOR UPDATE")

    async with pool.tenant("home") as holder:
        await lock(holder)
        with pytest.raises(RetryLater, match="lock timeout"):
            async with pool.tenant("home") as waiter:
                await lock(waiter)


async def test_a_fault_of_our_own_is_no_reason_to_retry(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        async with pool.tenant("home") as connection:
            await connection.execute("SELECT 1 / 0")
    with pytest.raises(asyncpg.DataError, match="expected str"):
        async with pool.tenant("home") as connection:
            await connection.execute("SELECT $1::text", 5)


async def test_an_address_that_cannot_be_used_is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="sslmode"):
        await Pool.open("postgresql://homeiq:marker@127.0.0.1:1/homeiq?sslmode=surely")


async def test_it_is_exhausted_when_every_connection_is_in_use(pool: Pool) -> None:
    release, entered = asyncio.Event(), asyncio.Semaphore(0)

    async def hold() -> None:
        async with pool.tenant("home"):
            entered.release()
            await release.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(pool._pool.get_max_size()):
            tasks.create_task(hold())
        for _ in range(pool._pool.get_max_size()):
            await entered.acquire()
        assert pool.is_exhausted
        release.set()
    assert not pool.is_exhausted


async def test_a_probe_sees_that_the_tables_are_gone(database: Database) -> None:
    async with open_pool(database) as pool, as_owner(database) as owner:
        await pool.probe()
        await owner.execute("DROP SCHEMA homeiq CASCADE")
        with pytest.raises(RetryLater, match="lost its tables"):
            await pool.probe()
