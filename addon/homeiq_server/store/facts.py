"""What was measured of devices last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from homeiq_server.insights.finding import Facts

from .moments import moment
from .pool import Conn

# What is not measured now keeps the value that it had: a process that has just started knows less than the table.
_SAVE: Final = """
    INSERT INTO device_facts AS f (tenant_id, device_id, available, battery_level, battery_low, link_quality, link_unit,
                                   last_seen_at, last_reported_at)
    SELECT $1, given.*
      FROM unnest($2::text[], $3::boolean[], $4::float8[], $5::boolean[], $6::float8[], $7::text[],
                  $8::timestamptz[], $9::timestamptz[]) AS given
    ON CONFLICT (tenant_id, device_id) DO UPDATE
       SET available = coalesce(excluded.available, f.available),
           battery_level = coalesce(excluded.battery_level, f.battery_level),
           battery_low = coalesce(excluded.battery_low, f.battery_low),
           link_quality = coalesce(excluded.link_quality, f.link_quality),
           link_unit = coalesce(excluded.link_unit, f.link_unit),
           last_seen_at = coalesce(excluded.last_seen_at, f.last_seen_at),
           last_reported_at = coalesce(excluded.last_reported_at, f.last_reported_at)
     WHERE (f.available, f.battery_level, f.battery_low, f.link_quality, f.link_unit, f.last_seen_at,
            f.last_reported_at)
           IS DISTINCT FROM
           (coalesce(excluded.available, f.available), coalesce(excluded.battery_level, f.battery_level),
            coalesce(excluded.battery_low, f.battery_low), coalesce(excluded.link_quality, f.link_quality),
            coalesce(excluded.link_unit, f.link_unit), coalesce(excluded.last_seen_at, f.last_seen_at),
            coalesce(excluded.last_reported_at, f.last_reported_at))
"""


async def save(conn: Conn, tenant_id: str, facts: Mapping[str, Facts]) -> None:
    """Keep the facts of devices, by id, where they are news; None leaves what was measured before."""
    ids = sorted(facts)  # every writer locks rows in the same order
    rows = [facts[device_id] for device_id in ids]
    await conn.execute(
        _SAVE,
        tenant_id,
        ids,
        [row.available for row in rows],
        [row.battery_level for row in rows],
        [row.battery_low for row in rows],
        [row.link_quality for row in rows],
        [row.link_unit for row in rows],
        [_moment(row.last_seen_us) for row in rows],
        [_moment(row.last_reported_us) for row in rows],
    )


def _moment(time_us: int | None) -> datetime | None:
    return None if time_us is None else moment(time_us)
