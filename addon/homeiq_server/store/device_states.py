"""The newest that each device said. Late values never replace newer ones, metric by metric."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncpg import Record

from .moments import moment
from .pool import Conn

MOST_METRICS: Final = 256
"""Of a device that makes up ever new names, those with the newest values are kept."""

# Devices that were deleted meanwhile get no state. In the order of keys, so that two servers do not block each other.
_SAVE: Final = f"""
    INSERT INTO device_states AS s (tenant_id, device_id, metrics, last_telemetry_at, last_heartbeat_at, last_seen_at,
                                    latitude, longitude)
    SELECT g.tenant_id, g.device_id, g.metrics, g.last_telemetry_at, g.last_heartbeat_at, g.last_seen_at,
           CASE WHEN NOT late.position THEN g.latitude END, CASE WHEN NOT late.position THEN g.longitude END
      FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                  $7::float8[], $8::float8[], $9::bigint[])
        AS g (tenant_id, device_id, metrics, last_telemetry_at, last_heartbeat_at, last_seen_at, latitude, longitude,
              position_us)
      JOIN ingest_devices d ON d.tenant_id = g.tenant_id AND d.device_id = g.device_id AND d.status <> 'DELETED'
      LEFT JOIN device_states o ON o.tenant_id = g.tenant_id AND o.device_id = g.device_id AND g.latitude IS NOT NULL
     CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM jsonb_each(o.metrics) AS m
                                         WHERE (m.value ->> 1)::bigint > g.position_us) AS position) AS late
     ORDER BY g.tenant_id, g.device_id
    ON CONFLICT (tenant_id, device_id) DO UPDATE
       SET metrics = CASE WHEN excluded.metrics = '{{}}' THEN s.metrics ELSE (
               SELECT jsonb_object_agg(key, value)
                 FROM (SELECT key, value
                         FROM (SELECT DISTINCT ON (key) key, value, (value ->> 1)::bigint AS time_us
                                 FROM (SELECT key, value, 0 AS is_new FROM jsonb_each(s.metrics)
                                       UNION ALL SELECT key, value, 1 FROM jsonb_each(excluded.metrics)) AS both_of
                                ORDER BY key, (value ->> 1)::bigint DESC, is_new DESC) AS newest
                        ORDER BY time_us DESC, key LIMIT {MOST_METRICS}) AS kept) END,
           last_telemetry_at = greatest(s.last_telemetry_at, excluded.last_telemetry_at),
           last_heartbeat_at = greatest(s.last_heartbeat_at, excluded.last_heartbeat_at),
           last_seen_at = greatest(s.last_seen_at, excluded.last_seen_at),
           latitude = coalesce(excluded.latitude, s.latitude),
           longitude = coalesce(excluded.longitude, s.longitude)
"""
_TIMES: Final = """
    SELECT s.device_id, m.name, (s.metrics -> m.name ->> 1)::bigint AS time_us
      FROM device_states s CROSS JOIN unnest($3::text[]) AS m (name)
     WHERE s.tenant_id = $1 AND s.device_id = ANY($2) AND s.metrics ? m.name
"""
_VALUES: Final = """
    SELECT d.device_id, d.site_id, m.name, s.metrics -> m.name -> 0 AS value,
           (s.metrics -> m.name ->> 1)::bigint AS time_us
      FROM device_states s
      JOIN ingest_devices d ON d.tenant_id = s.tenant_id AND d.device_id = s.device_id AND d.status = 'ACTIVE'
     CROSS JOIN unnest($2::text[]) AS m (name)
     WHERE s.tenant_id = $1 AND s.metrics ? m.name
"""
_DEVICES: Final = """
    SELECT device_id, coalesce(name, device_id) AS name, site_id FROM ingest_devices
     WHERE tenant_id = $1 AND device_id = ANY($2) AND status = 'ACTIVE'
"""

# All below xmin is over. A number that no transaction has had yet is of the database that this one was restored from.
_BOUNDS: Final = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xmax
"""
_SHOWN: Final = """
    d.device_id, d.name, d.site_id, d.status, d.manufacturer, d.model, d.sw_version, d.heartbeat_s,
    s.last_seen_at, s.last_heartbeat_at, s.last_telemetry_at, coalesce(s.metrics, '{}') AS metrics,
    s.latitude, s.longitude
"""
_CHANGE: Final = """
    greatest(CASE WHEN d.change < b.xmax THEN d.change ELSE 0 END, CASE WHEN s.change < b.xmax THEN s.change ELSE 0 END)
"""
_ALL: Final = f"""
    WITH b AS ({_BOUNDS})
    SELECT * FROM (
        SELECT {_SHOWN}, {_CHANGE} AS change, b.xmin
          FROM b CROSS JOIN ingest_devices d
          LEFT JOIN device_states s ON s.tenant_id = d.tenant_id AND s.device_id = d.device_id
         WHERE d.tenant_id = $1 AND d.status <> 'DELETED') AS shown
     ORDER BY change, device_id LIMIT $2
"""
_CHANGED: Final = f"""
    WITH b AS ({_BOUNDS}), touched AS (
        SELECT device_id FROM ingest_devices WHERE tenant_id = $1 AND change >= $2
        UNION SELECT device_id FROM device_states WHERE tenant_id = $1 AND change >= $2
    )
    SELECT * FROM (
        SELECT {_SHOWN}, {_CHANGE} AS change, b.xmin
          FROM b CROSS JOIN touched
          JOIN ingest_devices d ON d.tenant_id = $1 AND d.device_id = touched.device_id
          LEFT JOIN device_states s ON s.tenant_id = $1 AND s.device_id = touched.device_id) AS shown
     WHERE (change, device_id) > ($2, $3) AND change < xmin
     ORDER BY change, device_id LIMIT $4
"""

type Value = float | int | bool | str
type Place = tuple[int, str]
"""A transaction and a device: all changes up to there were told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """What was heard of a device since it was last kept; times in microseconds.

    Attributes:
        metrics: The newest value of each name, and its own time.
        last_seen_us: Like the next two when it came, by our clock.
        position: The newest latitude and longitude, in degrees, and its own time. One that is older than a value that
            is kept is late, too.
    """

    tenant_id: str
    device_id: str
    metrics: Mapping[str, tuple[Value, int]]
    last_seen_us: int
    last_telemetry_us: int | None
    last_heartbeat_us: int | None
    position: tuple[float, float, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastValue:
    """The newest value of a metric of a device that may send."""

    device_id: str
    site_id: str
    metric: str
    value: object
    time_us: int


async def save(conn: Conn, states: Sequence[DeviceState]) -> None:
    """Keep what is newer than what is kept, as the tenant of all of them or as a worker; each device comes once."""
    positions = [each.position or (None, None, None) for each in states]
    await conn.execute(
        _SAVE,
        [each.tenant_id for each in states],
        [each.device_id for each in states],
        [dict(each.metrics) for each in states],
        [_moment(each.last_telemetry_us) for each in states],
        [_moment(each.last_heartbeat_us) for each in states],
        [moment(each.last_seen_us) for each in states],
        *(list(part) for part in zip(*positions, strict=True)),
    )


async def metric_times(
    conn: Conn, tenant_id: str, device_ids: Sequence[str], metrics: Sequence[str]
) -> dict[tuple[str, str], int]:
    """Return the time of the newest value that is kept, by device and metric, in microseconds."""
    rows = await conn.fetch(_TIMES, tenant_id, device_ids, metrics)
    return {(row["device_id"], row["name"]): row["time_us"] for row in rows}


async def last_values(conn: Conn, tenant_id: str, metrics: Sequence[str]) -> list[LastValue]:
    """Return the newest values of these metrics, of all active devices."""
    return [
        LastValue(
            device_id=row["device_id"],
            site_id=row["site_id"],
            metric=row["name"],
            value=row["value"],
            time_us=row["time_us"],
        )
        for row in await conn.fetch(_VALUES, tenant_id, metrics)
    ]


async def active_devices(conn: Conn, tenant_id: str, device_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return name (its id when it has none) and site of those that are active."""
    rows = await conn.fetch(_DEVICES, tenant_id, list(device_ids))
    return {row["device_id"]: (row["name"], row["site_id"]) for row in rows}


async def follow(conn: Conn, tenant_id: str, after: Place | None, *, limit: int) -> tuple[list[Record], Place]:
    """Return devices that have changed behind a place, in order, and the place up to which all have been told.

    Without a place, and with one of a database that this one was restored from: all that are not deleted.
    """
    bounds = await conn.fetchrow(_BOUNDS)
    assert bounds is not None  # noqa: S101 - it has no FROM
    whole = after is None or after[0] > bounds["xmin"]
    if after is None or whole:
        rows = await conn.fetch(_ALL, tenant_id, limit)
    else:
        rows = await conn.fetch(_CHANGED, tenant_id, *after, limit)
    # What is written between the two statements is after the first one's bound, so that it is told again at worst.
    if len(rows) == limit and rows[-1]["change"] < bounds["xmin"]:
        return rows, (rows[-1]["change"], rows[-1]["device_id"])
    return rows, (bounds["xmin"], "")


def _moment(time_us: int | None) -> Any:  # noqa: ANN401 - asyncpg takes any
    return None if time_us is None else moment(time_us)
