"""Devices that ought to be heard and are not.

A silence is counted from the last of: when the device was heard, when it or what it hangs on (its tenant, its
subscription) was set up or changed, and when we began to listen. Only an ACTIVE device that would be let in is absent.
"""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from .pool import Conn

type Pair = tuple[UUID, str]
"""A rule and a device."""

KINDS: Final = ("NO_HEARTBEAT", "NO_TELEMETRY")

_HEARD: Final = "CASE r.kind WHEN 'NO_HEARTBEAT' THEN s.last_seen_at ELSE s.last_telemetry_at END"
_SINCE: Final = f"greatest({_HEARD}, d.created_at, d.activated_at, d.updated_at, t.updated_at, u.updated_at)"
_ABSENT: Final = f"""
      FROM alert_rules r
      JOIN tenants t ON t.tenant_id = r.tenant_id AND t.status = 'ACTIVE'
      JOIN ingest_devices d ON d.tenant_id = r.tenant_id AND d.status = 'ACTIVE'
                           AND (r.device_ids IS NULL OR d.device_id = ANY(r.device_ids))
                           AND (r.site_ids IS NULL OR d.site_id = ANY(r.site_ids))
      LEFT JOIN subscriptions u ON u.tenant_id = d.tenant_id AND u.id = d.subscription_id
      LEFT JOIN device_states s ON s.tenant_id = d.tenant_id AND s.device_id = d.device_id
     WHERE r.enabled AND r.kind IN ('NO_HEARTBEAT', 'NO_TELEMETRY')
       AND coalesce(u.status, 'ACTIVE') NOT IN ('SUSPENDED', 'EXPIRED')
       AND greatest({_SINCE}, $1) <= $2::timestamptz - make_interval(secs => r.silence_s)
"""
_ALL: Final = f"SELECT r.tenant_id, r.id AS rule_id, d.device_id {_ABSENT}"
_OF_TENANT: Final = f"""
    SELECT r.id AS rule_id, r.name AS rule, r.kind, r.severity, r.silence_s, d.device_id, d.site_id,
           coalesce(d.name, d.device_id) AS name, {_HEARD} AS heard_at, {_SINCE} AS since {_ABSENT} AND r.tenant_id = $3
"""
_HEARD_AGAIN: Final = f"""
    SELECT DISTINCT r.tenant_id
      FROM unnest($1::text[], $2::uuid[], $3::text[]) AS k (tenant_id, rule_id, device_id)
      JOIN alert_rules r ON r.tenant_id = k.tenant_id AND r.id = k.rule_id
      JOIN device_states s ON s.tenant_id = k.tenant_id AND s.device_id = k.device_id
     WHERE {_HEARD} > $4::timestamptz - make_interval(secs => r.silence_s)
"""
_OVER: Final = f"""
    SELECT a.cause
      FROM alerts a
      JOIN alert_rules r ON r.tenant_id = a.tenant_id AND r.id = a.rule_id
      JOIN device_states s ON s.tenant_id = a.tenant_id AND s.device_id = a.device_id
     WHERE a.tenant_id = $1 AND a.cleared_at IS NULL AND a.kind IN ('NO_HEARTBEAT', 'NO_TELEMETRY')
       AND {_HEARD} > $2::timestamptz - make_interval(secs => r.silence_s)
"""
_OPEN: Final = """
    SELECT rule_id, device_id FROM alerts
     WHERE tenant_id = $1 AND cleared_at IS NULL AND kind IN ('NO_HEARTBEAT', 'NO_TELEMETRY')
"""


async def absent_everywhere(conn: Conn, listening_since: datetime, now: datetime) -> list[Record]:
    """Return tenant, rule and device of each absence, of all tenants; as a worker."""
    return await conn.fetch(_ALL, listening_since, now)


async def heard_again(conn: Conn, known: Collection[tuple[str, UUID, str]], now: datetime) -> set[str]:
    """Return the tenants of those rules and devices that are no absence any more; as a worker."""
    if not known:
        return set()
    tenant_ids, rule_ids, device_ids = zip(*known, strict=True)
    rows = await conn.fetch(_HEARD_AGAIN, tenant_ids, rule_ids, device_ids, now)
    return {row["tenant_id"] for row in rows}


async def absent(conn: Conn, tenant_id: str, listening_since: datetime, now: datetime) -> list[Record]:
    """Return the absences of a tenant with what is to be told of them."""
    return await conn.fetch(_OF_TENANT, listening_since, now, tenant_id)


async def over(conn: Conn, tenant_id: str, now: datetime) -> list[str]:
    """Return the causes of open alerts whose devices are heard."""
    return [row["cause"] for row in await conn.fetch(_OVER, tenant_id, now)]


async def open_pairs(conn: Conn, tenant_id: str) -> set[Pair]:
    """Return the rules and devices whose alerts are open."""
    return {(row["rule_id"], row["device_id"]) for row in await conn.fetch(_OPEN, tenant_id)}
