"""Numbers by the hour."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from asyncpg import Record

from homeiq_server.insights.finding import Hour

from .moments import moment
from .pool import Conn

# Of two values at the same instant the greater is the last, so that the order of pieces does not matter.
_ADD: Final = """
    INSERT INTO entity_hours AS h (tenant_id, source, id, hour, count, min, max, sum, last, last_at)
    SELECT $1, $2, given.id, given.hour, sum(given.count), min(given.min), max(given.max), sum(given.sum),
           (array_agg(given.last ORDER BY given.last_at DESC, given.last DESC))[1], max(given.last_at)
      FROM unnest($3::text[], $4::timestamptz[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[], $9::float8[],
                  $10::timestamptz[]) AS given (id, hour, count, min, max, sum, last, last_at)
     GROUP BY given.id, given.hour
     ORDER BY given.id, given.hour
    ON CONFLICT (tenant_id, source, id, hour) DO UPDATE
       SET count = h.count + excluded.count,
           min = least(h.min, excluded.min),
           max = greatest(h.max, excluded.max),
           sum = h.sum + excluded.sum,
           last = CASE WHEN (excluded.last_at, excluded.last) > (h.last_at, h.last) THEN excluded.last ELSE h.last END,
           last_at = greatest(h.last_at, excluded.last_at)
"""
_BETWEEN: Final = """
    SELECT hour AS start, count, min, max, sum / count AS mean, last FROM entity_hours
     WHERE tenant_id = $1 AND source = $2 AND id = $3 AND hour >= $4 AND hour < $5 ORDER BY hour LIMIT $6
"""
_PRUNE: Final = "DELETE FROM entity_hours WHERE tenant_id = $1 AND hour < $2"


async def add(conn: Conn, tenant_id: str, source: str, hours: Sequence[Hour]) -> None:
    """Merge numbers into those that are there; adding them in pieces equals adding them at once."""
    await conn.execute(
        _ADD,
        tenant_id,
        source,
        [hour.id for hour in hours],
        [moment(hour.hour_us) for hour in hours],
        [hour.count for hour in hours],
        [hour.min for hour in hours],
        [hour.max for hour in hours],
        [hour.sum for hour in hours],
        [hour.last for hour in hours],
        [moment(hour.last_us) for hour in hours],
    )


async def between(  # noqa: PLR0913 - an entity has a tenant, a source and an id, and its hours two ends
    conn: Conn, tenant_id: str, source: str, entity: str, *, since: datetime, until: datetime, limit: int
) -> list[Record]:
    """Return the hours of an entity that begin within ``[since, until)``, oldest first."""
    return await conn.fetch(_BETWEEN, tenant_id, source, entity, since, until, limit)


async def prune(conn: Conn, tenant_id: str, before_us: int) -> None:
    """Forget the hours that began before a time."""
    await conn.execute(_PRUNE, tenant_id, moment(before_us))
