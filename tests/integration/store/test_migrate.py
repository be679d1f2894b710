"""Migrations: applied once, in order, whole or not at all; and never on a database that is not this release's."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from homeiq_server.errors import Misconfigured
from homeiq_server.store import checkpoints, finding_actions, findings, health, hours
from homeiq_server.store.migrate import Migration, migrate, shipped
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.store.provisioning import NewDevice, provision
from tests.integration.store.rows import AT_US, SOURCE, condition, device, entity, home, hour, tell, unwell
from tests.postgres import Cluster, Database, as_owner, open_pool

_APP = "homeiq"


@pytest.fixture
async def empty(cluster: Cluster) -> AsyncIterator[Database]:
    async with cluster.database(migrated=False) as database:
        yield database


def _file(version: int, sql: str) -> Migration:
    return Migration(version, f"step_{version}", sql, hashlib.sha256(sql.encode()).hexdigest())


def _later(sql: str) -> Sequence[Migration]:
    """Return the shipped migrations with one more."""
    return [*shipped(), _file(len(shipped()) + 1, sql)]


async def _relations(connection: Conn) -> set[str]:
    found = await connection.fetch("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('homeiq')")
    return {row["relname"] for row in found}


async def test_all_are_applied_once(empty: Database) -> None:
    async with as_owner(empty) as owner:
        assert await migrate(owner, app_role=_APP) == len(shipped())
        assert await migrate(owner, app_role=_APP) == 0
        assert await owner.fetchval("SELECT max(version) FROM schema_version") == len(shipped())


async def test_of_several_runners_at_once_exactly_one_applies(empty: Database) -> None:
    async with AsyncExitStack() as stack:
        owners = [await stack.enter_async_context(as_owner(empty)) for _ in range(5)]
        applied = await asyncio.gather(*(migrate(owner, app_role=_APP) for owner in owners))
    assert sorted(applied) == [0, 0, 0, 0, len(shipped())]


async def test_a_file_that_fails_leaves_nothing_of_itself_and_what_was_before_it(empty: Database) -> None:
    files = _later("CREATE TABLE half (id int); SELECT 1 / 0")
    async with as_owner(empty) as owner:
        with pytest.raises(Misconfigured, match=r"migration \d+ .* nothing of it was applied: division by zero"):
            await migrate(owner, app_role=_APP, migrations=files)
        assert await owner.fetchval("SELECT count(*) FROM schema_version") == len(shipped())
        assert "half" not in await _relations(owner)
        assert await migrate(owner, app_role=_APP, migrations=_later("CREATE TABLE half (id int)")) == 1


async def test_a_failure_lets_the_next_runner_through(empty: Database) -> None:
    async with as_owner(empty) as first, as_owner(empty) as second:
        with pytest.raises(Misconfigured):
            await migrate(first, app_role=_APP, migrations=_later("nonsense"))
        async with asyncio.timeout(10):
            assert await migrate(second, app_role=_APP) == 0


async def test_a_file_that_was_edited_after_it_was_applied_is_refused(database: Database) -> None:
    edited = [*shipped()[:-1], _file(len(shipped()), "SELECT 1")]
    async with as_owner(database) as owner:
        with pytest.raises(Misconfigured, match="from another text"):
            await migrate(owner, app_role=_APP, migrations=edited)


async def test_files_with_a_number_missing_are_refused_before_anything_is_applied(empty: Database) -> None:
    files = [_file(1, "CREATE TABLE one (id int)"), _file(3, "CREATE TABLE three (id int)")]
    async with as_owner(empty) as owner:
        with pytest.raises(Misconfigured, match="migration 2 is missing"):
            await migrate(owner, app_role=_APP, migrations=files)
        assert await _relations(owner) == {"schema_version", "schema_version_pkey"}


async def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    async with as_owner(database) as owner:
        await migrate(owner, app_role=_APP, migrations=_later("CREATE TABLE later (id int)"))
        with pytest.raises(Misconfigured, match=f"has version {len(shipped()) + 1}, this release knows"):
            await migrate(owner, app_role=_APP)


async def test_a_database_that_skipped_a_migration_is_refused(database: Database) -> None:
    files = _later("CREATE TABLE later (id int)")
    async with as_owner(database) as owner:
        await migrate(owner, app_role=_APP, migrations=files)
        await owner.execute("DELETE FROM schema_version WHERE version = 1")
        with pytest.raises(Misconfigured, match="another text"):
            await migrate(owner, app_role=_APP, migrations=files)


async def test_a_role_that_does_not_exist_is_named(empty: Database) -> None:
    async with as_owner(empty) as owner:
        with pytest.raises(Misconfigured, match="nobody-of-that-name"):
            await migrate(owner, app_role="nobody-of-that-name")


async def test_the_shipped_files_are_numbered_without_holes() -> None:
    assert [migration.version for migration in shipped()] == list(range(1, len(shipped()) + 1))


async def test_an_upgrade_step_by_step_ends_where_a_fresh_start_does(cluster: Cluster) -> None:
    files = _later("CREATE TABLE later (tenant_id text, id int); SELECT homeiq_isolate('later')")
    async with cluster.database(migrated=False) as fresh, cluster.database(migrated=False) as upgraded:
        async with as_owner(fresh) as owner:
            await migrate(owner, app_role=_APP, migrations=files)
            at_once = await _catalogue(owner)
        async with as_owner(upgraded) as owner:
            for count in range(1, len(files) + 1):
                assert await migrate(owner, app_role=_APP, migrations=files[:count]) == 1
            assert await _catalogue(owner) == at_once
    assert {"columns", "constraints", "indexes", "policies", "functions", "rights"} == {kind for kind, *_ in at_once}


async def test_an_update_keeps_every_row_and_lets_the_home_s_devices_send(cluster: Cluster) -> None:
    async with cluster.database(migrated=False) as older:
        async with as_owner(older) as owner:
            await migrate(owner, app_role=_APP, migrations=shipped()[:1])
        async with open_pool(older) as pool:
            await _live_in(pool)
        async with as_owner(older) as owner:
            before = await _rows(owner)
            assert {
                "areas",
                "devices",
                "entities",
                "device_health",
                "findings",
                "mutes",
                "entity_hours",
                "insight_state",
            } <= before.keys()
            await migrate(owner, app_role=_APP)
            after = await _rows(owner)
            for table, rows in before.items():
                kept = [{name: row[name] for name in rows[0]} for row in after[table]]
                assert [row for row in kept if row["tenant_id"] == "home"] == rows, table
        async with open_pool(older) as pool, pool.tenant("home") as connection:
            done = await provision(connection, "home", [NewDevice(device_id="meter", site_id="home")])
            assert done.new == {"meter"}


async def _live_in(pool: Pool) -> None:
    """Let a home have something in the tables of the first release."""
    await tell(pool, home(device(), entity()))
    async with pool.tenant("home") as connection:
        await findings.reconcile(connection, "home", SOURCE, [condition()], at_us=AT_US, settled=True, evaluated=None)
        finding = await connection.fetchval("SELECT id FROM findings")
        await finding_actions.mute(connection, "home", str(finding), None)
        await health.save(connection, "home", AT_US, {"lamp": unwell()})
        await hours.add(connection, "home", SOURCE, [hour(1.0, 2.0)])
        await checkpoints.save(connection, "home", SOURCE, [("a", b"1")])


async def _rows(owner: Conn) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table of tenants that has any."""
    found = await owner.fetch("SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id'")
    asked = "SELECT to_jsonb(t) AS row FROM {} t ORDER BY to_jsonb(t)::text"
    rows = {table: [row for (row,) in await owner.fetch(asked.format(table))] for (table,) in found}
    return {table: each for table, each in rows.items() if each}


async def _catalogue(owner: Conn) -> list[tuple[str, ...]]:
    """Return all that the schema is made of, in words."""
    return [tuple(row) for row in await owner.fetch(_CATALOGUE)]


_CATALOGUE = """
SELECT 'columns' AS kind, c.relname::text AS place, concat_ws(' ', a.attnum, a.attname, format_type(a.atttypid,
       a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid)) AS what
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
 WHERE c.relnamespace = 'homeiq'::regnamespace AND c.relkind IN ('r', 'p', 'v')
UNION ALL
SELECT 'constraints', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'homeiq'::regnamespace
UNION ALL
SELECT 'indexes', tablename, indexdef FROM pg_indexes WHERE schemaname = 'homeiq'
UNION ALL
SELECT 'policies', tablename, concat_ws(' ', policyname, permissive, roles, cmd, qual, with_check)
  FROM pg_policies WHERE schemaname = 'homeiq'
UNION ALL
SELECT 'functions', proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'homeiq'::regnamespace
UNION ALL
SELECT 'rights', relname, concat_ws(' ', relkind, relrowsecurity, relforcerowsecurity, relacl)
  FROM pg_class WHERE relnamespace = 'homeiq'::regnamespace
ORDER BY 1, 2, 3
"""
