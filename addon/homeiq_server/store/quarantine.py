"""Refused messages on their way in and out of the quarantine; across all tenants, by the server's own tasks."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from .moments import moment
from .pool import Conn

# Who cannot have the lock leaves the oldest to whoever has it: two servers that delete the same rows would wait for
# each other. A tenant that has gone meanwhile must not cost the other messages their place.
_KEEP: Final = """
    WITH added AS (
        INSERT INTO quarantine (tenant_id, received_at, transport, topic, device_id, reason, detail, payload, size,
                                authenticated)
        SELECT coalesce(t.tenant_id, '-'), g.received_at, g.transport, g.topic, g.device_id, g.reason, g.detail,
               g.payload, g.size, g.authenticated
          FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                      $8::bytea[], $9::int[], $10::bool[]) WITH ORDINALITY
               AS g (tenant_id, received_at, transport, topic, device_id, reason, detail, payload, size, authenticated,
                     place)
          LEFT JOIN tenants t ON t.tenant_id = g.tenant_id
         ORDER BY g.place
        RETURNING tenant_id, reason
    ), places AS (
        SELECT tenant_id, reason, count(*) AS taken FROM added
         WHERE (SELECT pg_try_advisory_xact_lock(hashtextextended('quarantine', 0)))
         GROUP BY tenant_id, reason
    )
    DELETE FROM quarantine q
     USING places p
     CROSS JOIN LATERAL (
               SELECT o.id FROM quarantine o WHERE o.tenant_id = p.tenant_id AND o.reason = p.reason
                ORDER BY o.received_at DESC, o.id DESC OFFSET greatest($11::int - p.taken, 0)
           ) AS oldest
     WHERE q.tenant_id = p.tenant_id AND q.id = oldest.id
"""
_PRUNE: Final = """
    DELETE FROM quarantine q
     USING (SELECT tenant_id, id, received_at,
                   row_number() OVER (PARTITION BY tenant_id, reason ORDER BY received_at DESC, id DESC) AS place
              FROM quarantine) AS o
     WHERE q.tenant_id = o.tenant_id AND q.id = o.id AND (o.place > $1 OR o.received_at < $2)
       AND (SELECT pg_try_advisory_xact_lock(hashtextextended('quarantine', 0)))
"""


class NewRow(Struct, frozen=True, kw_only=True):
    """A refused message as it is stored.

    Attributes:
        tenant_id: Whose it is; nobody's when there is no such tenant.
        payload: Its first bytes.
        size: Of all of it, in bytes.
        authenticated: Whether who sent it had proved who he was.
    """

    tenant_id: str
    received_us: int
    transport: str
    topic: str
    device_id: str | None
    reason: str
    detail: str
    payload: bytes
    size: int
    authenticated: bool


async def keep(conn: Conn, rows: Sequence[NewRow], *, kept: int) -> None:
    """Add messages; of each tenant and reason among them the oldest beyond ``kept`` go.

    Args:
        conn: Of the worker.
        rows: At most ``kept`` of each tenant and reason.
        kept: How many of each tenant and reason there may be then.
    """
    await conn.execute(
        _KEEP,
        [row.tenant_id for row in rows],
        [moment(row.received_us) for row in rows],
        [row.transport for row in rows],
        [row.topic for row in rows],
        [row.device_id for row in rows],
        [row.reason for row in rows],
        [row.detail for row in rows],
        [row.payload for row in rows],
        [row.size for row in rows],
        [row.authenticated for row in rows],
        kept,
    )


async def prune(conn: Conn, *, kept: int, before_us: int) -> None:
    """Remove what came before a time, and the oldest beyond ``kept`` of each tenant and reason.

    Args:
        conn: Of the worker.
        kept: How many of each there may be; a replay gives messages other reasons, so that there can be more.
        before_us: The time.
    """
    await conn.execute(_PRUNE, kept, moment(before_us))
