"""The outbox: what is to be told of alerts, to whom, and what became of it.

A delivery is written in the transaction of the change that it tells of: whatever dies then, it is told or never was.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from .pool import Conn

# A device's pattern that ends with * is a prefix. Home Assistant fetches its own: no worker ever finds them due.
_ENQUEUE: Final = """
    WITH told AS (
        INSERT INTO deliveries (tenant_id, route_id, integration_id, alert_id, change, change_cursor, payload, next_at)
        SELECT $1, r.id, r.integration_id, c.alert_id, c.change, c.cursor, c.payload,
               CASE i.kind WHEN 'home_assistant' THEN 'infinity' ELSE greatest(now(), r.paused_until) END
          FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[],
                      $9::jsonb[]) AS c (cursor, alert_id, change, kind, severity, device_id, site_id, payload)
          JOIN alert_routes r
            ON r.tenant_id = $1 AND r.enabled
           AND c.severity = ANY(r.severities)
           AND c.change = ANY(r.deliver_on)
           AND (r.kinds IS NULL OR c.kind = ANY(r.kinds))
           AND (r.site_ids IS NULL OR c.site_id = ANY(r.site_ids))
           AND (r.device_ids IS NULL
                OR EXISTS (SELECT FROM unnest(r.device_ids) AS pattern
                            WHERE CASE WHEN pattern LIKE '%*' THEN starts_with(c.device_id, left(pattern, -1))
                                       ELSE pattern = c.device_id END))
          JOIN integrations i ON i.tenant_id = $1 AND i.id = r.integration_id AND i.enabled
         ORDER BY c.cursor, r.created_at, r.id
            ON CONFLICT (tenant_id, route_id, change_cursor) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) FROM told
"""


class AlertChange(Struct, frozen=True, kw_only=True):
    """What became of an alert, as routes see it.

    Attributes:
        cursor: Of its row in ``alert_changes``.
        alert_id: Which alert.
        change: Such as ``opened``.
        kind: Of the alert, such as ``THRESHOLD``.
        severity: 1 info to 5 critical.
        device_id: None when it is about no device.
        site_id: None when it is about no site.
        payload: What is sent.
    """

    cursor: int
    alert_id: int
    change: str
    kind: str
    severity: int
    device_id: str | None
    site_id: str | None
    payload: Mapping[str, object]


async def enqueue(conn: Conn, tenant_id: str, changes: Sequence[AlertChange]) -> int:
    """Have each change delivered by every route that wants it, once: doing it twice is once.

    Args:
        conn: In the transaction that wrote the changes.
        tenant_id: The tenant.
        changes: Rows of ``alert_changes``.

    Returns:
        How many deliveries are new.
    """
    if not changes:
        return 0
    told: int = await conn.fetchval(
        _ENQUEUE,
        tenant_id,
        [each.cursor for each in changes],
        [each.alert_id for each in changes],
        [each.change for each in changes],
        [each.kind for each in changes],
        [each.severity for each in changes],
        [each.device_id for each in changes],
        [each.site_id for each in changes],
        [dict(each.payload) for each in changes],
    )
    return told
