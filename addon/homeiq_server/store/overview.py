"""How many devices are how, and by what they can be told apart."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from typing import Final

from asyncpg import Record

from .finding_sql import OPEN_AND_HEARD
from .pool import Conn

SOON_DAYS: Final = 45
"""No battery's end is foretold further ahead."""

# What is disabled, or is no thing, can be neither well nor ill.
_THING: Final = """
    d.tenant_id = $1 AND d.removed_at IS NULL AND d.disabled_by IS NULL AND d.entry_type IS DISTINCT FROM 'service'
"""
_COUNTS: Final = f"""
    SELECT count(*) AS devices_total,
           count(*) FILTER (WHERE h.state IN ('fair', 'poor')) AS devices_unhealthy,
           count(*) FILTER (WHERE coalesce(h.state, 'learning') = 'learning') AS devices_learning,
           count(*) FILTER (WHERE h.state = 'affected') AS devices_affected,
           (SELECT count(*) FROM findings f WHERE f.tenant_id = $1 AND {OPEN_AND_HEARD}) AS open_findings
      FROM devices d LEFT JOIN device_health h ON h.tenant_id = d.tenant_id AND h.device_id = d.id
     WHERE {_THING}
"""
_BATTERIES: Final = f"""
    SELECT * FROM (
        SELECT d.id AS device_id, d.shown_name AS name, a.name AS area, (h.battery_end->>'level')::float8 AS level,
               (h.battery_end->>'expected')::timestamptz AS expected,
               (h.battery_end->>'earliest')::timestamptz AS earliest,
               (h.battery_end->>'latest')::timestamptz AS latest
          FROM devices d
          JOIN device_health h ON h.tenant_id = d.tenant_id AND h.device_id = d.id
          LEFT JOIN areas a ON a.tenant_id = d.tenant_id AND a.source = d.source AND a.id = d.area_id
                           AND a.removed_at IS NULL
         WHERE {_THING} AND h.battery_end IS NOT NULL
    ) AS ending
     WHERE expected <= now() + make_interval(days => {SOON_DAYS})
     ORDER BY expected, name, device_id
"""
_AREAS: Final = """
    SELECT a.id, min(a.name) AS name, count(*) AS devices
      FROM devices d JOIN areas a ON a.tenant_id = d.tenant_id AND a.source = d.source AND a.id = d.area_id
     WHERE d.tenant_id = $1 AND d.removed_at IS NULL AND a.removed_at IS NULL
     GROUP BY a.id ORDER BY name, a.id
"""
_FLOORS: Final = """
    SELECT fl.id, min(fl.name) AS name, count(*) AS devices
      FROM devices d
      JOIN areas a ON a.tenant_id = d.tenant_id AND a.source = d.source AND a.id = d.area_id
      JOIN floors fl ON fl.tenant_id = a.tenant_id AND fl.source = a.source AND fl.id = a.floor_id
     WHERE d.tenant_id = $1 AND d.removed_at IS NULL AND a.removed_at IS NULL AND fl.removed_at IS NULL
     GROUP BY fl.id ORDER BY min(fl.level), name, fl.id
"""
_INTEGRATIONS: Final = """
    SELECT d.integration AS name, count(*) AS devices FROM devices d
     WHERE d.tenant_id = $1 AND d.removed_at IS NULL AND d.integration IS NOT NULL
     GROUP BY d.integration ORDER BY d.integration
"""
_HEALTH: Final = """
    SELECT coalesce(h.state, 'learning') AS name, count(*) AS devices
      FROM devices d LEFT JOIN device_health h ON h.tenant_id = d.tenant_id AND h.device_id = d.id
     WHERE d.tenant_id = $1 AND d.removed_at IS NULL GROUP BY 1 ORDER BY 1
"""
_FINDINGS: Final = f"""
    SELECT f.kind AS name, count(DISTINCT d.id) AS devices
      FROM devices d JOIN findings f ON f.tenant_id = d.tenant_id AND f.device_id = d.id
     WHERE d.tenant_id = $1 AND d.removed_at IS NULL AND {OPEN_AND_HEARD} GROUP BY f.kind ORDER BY f.kind
"""


async def counts(conn: Conn, tenant_id: str) -> Record:
    """Return how many things there are, how they are, and how many findings are open and not muted."""
    row = await conn.fetchrow(_COUNTS, tenant_id)
    assert row is not None  # noqa: S101 - counts are one row always
    return row


async def batteries(conn: Conn, tenant_id: str) -> list[Record]:
    """Return the batteries that end within ``SOON_DAYS``, soonest first."""
    return await conn.fetch(_BATTERIES, tenant_id)


async def areas(conn: Conn, tenant_id: str) -> list[Record]:
    """Return the areas that have devices, and how many."""
    return await conn.fetch(_AREAS, tenant_id)


async def floors(conn: Conn, tenant_id: str) -> list[Record]:
    """Return the floors that have devices, from the lowest, and how many."""
    return await conn.fetch(_FLOORS, tenant_id)


async def integrations(conn: Conn, tenant_id: str) -> list[Record]:
    """Return the integrations that have devices, and how many."""
    return await conn.fetch(_INTEGRATIONS, tenant_id)


async def health(conn: Conn, tenant_id: str) -> list[Record]:
    """Return how many devices are in each state of health; what was never assessed is learning."""
    return await conn.fetch(_HEALTH, tenant_id)


async def findings(conn: Conn, tenant_id: str) -> list[Record]:
    """Return how many devices have findings of each kind, open and not muted."""
    return await conn.fetch(_FINDINGS, tenant_id)
