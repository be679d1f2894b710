"""Tenants cannot reach one another: as the catalogue says, and as the pool's own role finds out."""

import asyncpg
import pytest

from homeiq_server.errors import Misconfigured
from homeiq_server.store.pool import Pool
from tests.postgres import Database, as_owner

_TABLES = """
    SELECT c.relname AS name, c.relrowsecurity AS secured, c.relforcerowsecurity AS forced,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS has_tenant,
           has_any_column_privilege('homeiq', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
               OR has_table_privilege('homeiq', c.oid, 'DELETE, TRUNCATE') AS reachable
      FROM pg_class c
     WHERE c.relnamespace = 'homeiq'::regnamespace AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
"""
_POLICIES = """
    SELECT tablename, permissive, cmd, qual, with_check FROM pg_policies
     WHERE schemaname = 'homeiq' AND roles && ARRAY['homeiq_app', 'homeiq', 'public']::name[]
"""
_RULE = "(tenant_id = NULLIF(current_setting('app.tenant_id'::text, true), ''::text))"


async def _with_a_tenant(database: Database) -> list[str]:
    async with as_owner(database) as owner:
        return [row["name"] for row in await owner.fetch(_TABLES) if row["has_tenant"]]


async def test_every_table_of_tenants_is_secured_also_against_its_owner(database: Database) -> None:
    async with as_owner(database) as owner:
        tables = [row for row in await owner.fetch(_TABLES) if row["has_tenant"]]
    assert len(tables) >= 16
    assert [row["name"] for row in tables if not (row["secured"] and row["forced"])] == []


async def test_all_that_the_pool_can_reach_has_a_tenant(database: Database) -> None:
    async with as_owner(database) as owner:
        assert [row["name"] for row in await owner.fetch(_TABLES) if row["reachable"] and not row["has_tenant"]] == []


async def test_every_table_has_one_policy_for_the_pool_in_both_directions(database: Database) -> None:
    async with as_owner(database) as owner:
        policies = await owner.fetch(_POLICIES)
    assert sorted(row["tablename"] for row in policies) == sorted(await _with_a_tenant(database))
    rules = {(row["permissive"], row["cmd"], row["qual"], row["with_check"]) for row in policies}
    assert rules == {("PERMISSIVE", "ALL", _RULE, _RULE)}


async def test_every_key_begins_with_the_tenant(database: Database) -> None:
    asked = """
        SELECT i.indrelid::regclass::text AS place FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = 'homeiq'::regnamespace AND i.indisunique AND i.indkey[0] <> a.attnum
    """
    async with as_owner(database) as owner:
        assert [row["place"] for row in await owner.fetch(asked)] == []


async def _fill(database: Database) -> None:
    """Give the home and a neighbour a row each in some of the tables."""
    async with as_owner(database) as owner:
        await owner.execute("INSERT INTO tenants (tenant_id, name) VALUES ('neighbour', 'Neighbour')")
        for tenant in ("home", "neighbour"):
            await owner.execute(
                "INSERT INTO insight_state (tenant_id, source, key, state, saved_at) VALUES ($1, 's', 'k', '', now())",
                tenant,
            )
            await owner.execute(
                "INSERT INTO mutes (tenant_id, source, kind, subject, muted_at) VALUES ($1, 's', 'k', 'x', now())",
                tenant,
            )


async def test_without_a_tenant_every_table_is_empty(database: Database, pool: Pool) -> None:
    await _fill(database)
    bare = await asyncpg.connect(database.url, server_settings={"search_path": "homeiq"})
    try:
        for table in await _with_a_tenant(database):
            assert await bare.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - of the catalogue
    finally:
        await bare.close()
    async with pool.tenant("") as connection:
        assert await connection.fetchval("SELECT count(*) FROM mutes") == 0


async def test_another_tenant_s_rows_are_not_seen(database: Database, pool: Pool) -> None:
    await _fill(database)
    for tenant in ("home", "neighbour"):
        async with pool.tenant(tenant) as connection:
            for table in ("tenants", "mutes", "insight_state"):
                seen = await connection.fetch(f"SELECT tenant_id FROM {table}")  # noqa: S608 - one of three
                assert [row["tenant_id"] for row in seen] == [tenant]
    async with pool.tenant("nobody") as connection:
        assert await connection.fetchval("SELECT count(*) FROM mutes") == 0


async def test_another_tenant_s_rows_are_neither_changed_nor_deleted(database: Database, pool: Pool) -> None:
    await _fill(database)
    async with pool.tenant("home") as connection:
        assert await connection.execute("UPDATE mutes SET kind = 'z' WHERE tenant_id = 'neighbour'") == "UPDATE 0"
        assert await connection.execute("DELETE FROM mutes") == "DELETE 1"
    async with as_owner(database) as owner:
        assert await owner.fetchval("SELECT array_agg(tenant_id || kind) FROM mutes") == ["neighbourk"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO mutes (tenant_id, source, kind, subject, muted_at) VALUES ('neighbour', 's', 'k', 'new', now())",
        "UPDATE mutes SET tenant_id = 'neighbour', subject = 'moved'",
    ],
)
async def test_a_row_for_another_tenant_is_refused(database: Database, pool: Pool, statement: str) -> None:
    await _fill(database)
    with pytest.raises(Misconfigured, match="violates row-level security policy"):
        async with pool.tenant("home") as connection:
            await connection.execute(statement)


async def test_the_versions_of_the_schema_are_not_the_pool_s_to_see(pool: Pool) -> None:
    with pytest.raises(Misconfigured, match="permission denied"):
        async with pool.tenant("home") as connection:
            await connection.execute("SELECT FROM schema_version")


_RIGHTS = """
    SELECT c.relname AS name, array_agg(p.name ORDER BY p.place) AS rights
      FROM pg_class c,
           unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) WITH ORDINALITY AS p (name, place)
     WHERE c.relnamespace = 'homeiq'::regnamespace AND c.relkind IN ('r', 'p')
       AND has_table_privilege('homeiq_worker', c.oid, p.name)
     GROUP BY c.relname
"""
_GIVEN = {
    "tenants": ["SELECT"],
    "subscriptions": ["SELECT"],
    "ingest_devices": ["SELECT"],
    "device_states": ["SELECT", "INSERT", "UPDATE"],
    "alert_rules": ["SELECT"],
    "deliveries": ["SELECT", "UPDATE"],
    "quarantine": ["SELECT", "INSERT", "DELETE"],
    "ingest_counts": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "idempotency_keys": ["SELECT", "DELETE"],
}


async def test_the_worker_has_no_rights_but_those_that_it_was_given(database: Database, pool: Pool) -> None:
    async with as_owner(database) as owner:
        assert {row["name"]: row["rights"] for row in await owner.fetch(_RIGHTS)} == _GIVEN
    for table in set(await _with_a_tenant(database)) - set(_GIVEN):
        with pytest.raises(Misconfigured, match="permission denied"):
            async with pool.worker() as connection:
                await connection.execute(f"SELECT FROM {table}")
