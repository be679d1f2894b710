"""What the schema itself promises, as its catalogue says."""

import asyncpg
import pytest

from tests.postgres import Database, as_owner

_COLUMNS = """
    SELECT table_name::text AS place, column_name::text AS name, data_type AS kind, is_nullable = 'YES' AS may_be_null
      FROM information_schema.columns WHERE table_schema = 'homeiq'
"""


async def _columns(database: Database) -> dict[str, asyncpg.Record]:
    async with as_owner(database) as owner:
        return {f"{row['place']}.{row['name']}": row for row in await owner.fetch(_COLUMNS)}


async def test_places_are_counted_from_the_devices_and_kept_nowhere(database: Database) -> None:
    columns = await _columns(database)
    numbers = [
        name
        for name, row in columns.items()
        if row["place"] in ("tenants", "subscriptions", "ingest_devices") and row["kind"] in ("integer", "bigint")
    ]
    assert sorted(numbers) == [
        "ingest_devices.change",
        "ingest_devices.heartbeat_s",
        "ingest_devices.version",
        "subscriptions.device_limit",
        "subscriptions.grace_days",
        "subscriptions.version",
        "tenants.messages_burst",
        "tenants.version",
    ]
    # How often an alert was seen and what an hour of an entity holds are facts of their own, counted from nothing else.
    counters = [name for name in columns if name.endswith("count")]
    assert sorted(counters) == ["alerts.count", "entity_hours.count"]


async def test_every_time_has_a_zone(database: Database) -> None:
    kinds = {row["kind"] for row in (await _columns(database)).values()}
    assert "timestamp with time zone" in kinds
    assert not kinds & {"timestamp without time zone", "date", "time without time zone", "json"}


async def test_a_device_always_has_a_site_and_a_tenant(database: Database) -> None:
    columns = await _columns(database)
    for name in ("ingest_devices.site_id", "ingest_devices.tenant_id", "ingest_devices.device_id"):
        assert not columns[name]["may_be_null"]


async def test_one_field_alone_decides_by_severity(database: Database) -> None:
    fields = [name for name in await _columns(database) if "severit" in name and name.startswith("alert_routes.")]
    assert fields == ["alert_routes.severities"]


@pytest.mark.parametrize("severities", ["{}", "{0}", "{6}", "{1,7}"])
async def test_a_route_of_no_severity_or_of_one_that_is_none_cannot_be_stored(
    database: Database, severities: str
) -> None:
    async with as_owner(database) as owner:
        integration = await owner.fetchval(
            "INSERT INTO integrations (tenant_id, name, kind, config) VALUES ('home', 'x', 'home_assistant', $1)"
            " RETURNING id",
            {},
        )
        with pytest.raises(asyncpg.CheckViolationError):
            await owner.execute(
                "INSERT INTO alert_routes (tenant_id, integration_id, name, severities)"
                " VALUES ('home', $1, 'x', $2::text::smallint[])",
                integration,
                severities,
            )


async def test_a_cause_has_one_alert_that_is_not_cleared_whether_acknowledged_or_not(database: Database) -> None:
    opening = (
        "INSERT INTO alerts (tenant_id, cause, kind, severity, summary, opened_at, last_at, acknowledged_at)"
        " VALUES ('home', 'c', 'THRESHOLD', 3, 's', now(), now(), $1)"
    )
    async with as_owner(database) as owner:
        await owner.execute(opening, None)
        await owner.execute("UPDATE alerts SET acknowledged_at = now()")
        with pytest.raises(asyncpg.UniqueViolationError):
            await owner.execute(opening, None)
        await owner.execute("UPDATE alerts SET cleared_at = now()")
        await owner.execute(opening, None)
