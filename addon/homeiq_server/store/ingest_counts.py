"""What devices sent, by the hour."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from asyncpg import Record
from msgspec import Struct

from .moments import moment
from .pool import Conn

# In order, so that two servers that add at once do not wait for each other. What belongs to a tenant that has gone is
# nobody's.
_ADD: Final = """
    INSERT INTO ingest_counts AS c (tenant_id, hour, outcome, messages, metrics, bytes)
    SELECT coalesce(t.tenant_id, '-'), g.hour, g.outcome, sum(g.messages), sum(g.metrics), sum(g.bytes)
      FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
           AS g (tenant_id, hour, outcome, messages, metrics, bytes)
      LEFT JOIN tenants t ON t.tenant_id = g.tenant_id
     GROUP BY 1, 2, 3
     ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, hour, outcome) DO UPDATE
       SET messages = c.messages + excluded.messages,
           metrics = c.metrics + excluded.metrics,
           bytes = c.bytes + excluded.bytes
"""
_PRUNE: Final = "DELETE FROM ingest_counts WHERE hour < $1"
_BETWEEN: Final = """
    SELECT date_trunc($4, hour, 'UTC') AS at, outcome, sum(messages)::bigint AS messages,
           sum(metrics)::bigint AS metrics, sum(bytes)::bigint AS bytes
      FROM ingest_counts WHERE tenant_id = $1 AND hour >= $2 AND hour < $3 GROUP BY 1, 2 ORDER BY 1, 2
"""
# A subscription without a limit has room for all, whatever the others say.
_PLACES: Final = """
    SELECT (SELECT count(*) FROM ingest_devices WHERE tenant_id = $1 AND status IN ('PENDING', 'ACTIVE')) AS taken,
           (SELECT CASE WHEN bool_or(device_limit IS NULL) THEN NULL ELSE coalesce(sum(device_limit), 0)::bigint END
              FROM subscriptions WHERE tenant_id = $1 AND status IN ('TRIAL', 'ACTIVE', 'GRACE')) AS places,
           messages_per_second, messages_burst
      FROM tenants WHERE tenant_id = $1
"""


class Count(Struct, frozen=True, kw_only=True):
    """What is added to an hour.

    Attributes:
        hour_us: When it began.
        outcome: ``ACCEPTED``, or the reason of a refusal.
        size: Of the payloads, in bytes.
    """

    tenant_id: str
    hour_us: int
    outcome: str
    messages: int
    metrics: int
    size: int


async def add(conn: Conn, counts: Sequence[Count]) -> None:
    """Add counts of any tenants, by the worker; adding them in pieces equals adding them at once."""
    await conn.execute(
        _ADD,
        [count.tenant_id for count in counts],
        [moment(count.hour_us) for count in counts],
        [count.outcome for count in counts],
        [count.messages for count in counts],
        [count.metrics for count in counts],
        [count.size for count in counts],
    )


async def prune(conn: Conn, before_us: int) -> None:
    """Forget the hours of all tenants that began before a time, by the worker."""
    await conn.execute(_PRUNE, moment(before_us))


async def between(
    conn: Conn, tenant_id: str, *, since: datetime, until: datetime, by: Literal["hour", "day"]
) -> list[Record]:
    """Return the counts of hours that begin within ``[since, until)``, by time and outcome; days are those of UTC."""
    return await conn.fetch(_BETWEEN, tenant_id, since, until, by)


async def places(conn: Conn, tenant_id: str) -> Record:
    """Return how many devices take a place, how many places there are (None: no limit), and the tenant's own rates."""
    found = await conn.fetchrow(_PLACES, tenant_id)
    assert found is not None  # noqa: S101 - who asks is a tenant
    return found
