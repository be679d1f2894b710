"""Emptying the outbox: claim what is due, look whether it may go, note what became of it.

A claim is a lease: a server that dies has its deliveries sent again by another one when it is over. The moment of its
end is its proof: whoever comes back after it changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from . import circuits
from .moments import moment
from .pool import Conn

# Tenants that have anything open are found by one step of the index each, however many rows they have; those whose
# oldest waits longest come first, and each gets a few places. The lock skips what another server claims just now.
_CLAIM: Final = """
    WITH RECURSIVE waiting (tenant_id) AS (
        (SELECT tenant_id FROM deliveries WHERE state IN ('PENDING', 'SENDING') ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.tenant_id FROM deliveries d
                 WHERE d.state IN ('PENDING', 'SENDING') AND d.tenant_id > w.tenant_id ORDER BY d.tenant_id LIMIT 1)
          FROM waiting w WHERE w.tenant_id IS NOT NULL
    ), heads AS (
        SELECT w.tenant_id, $2 - coalesce(b.number, 0) AS places
          FROM waiting w LEFT JOIN unnest($3::text[], $4::int[]) AS b (tenant_id, number) USING (tenant_id)
         CROSS JOIN LATERAL (SELECT d.next_at FROM deliveries d
                              WHERE d.tenant_id = w.tenant_id AND d.state IN ('PENDING', 'SENDING')
                                AND d.next_at <= now() ORDER BY d.next_at LIMIT 1) AS oldest
         WHERE coalesce(b.number, 0) < $2
         ORDER BY oldest.next_at LIMIT $1
    ), due AS MATERIALIZED (
        SELECT h.tenant_id, d.id, d.next_at
          FROM heads h
         CROSS JOIN LATERAL (SELECT d.id, d.next_at FROM deliveries d
                              WHERE d.tenant_id = h.tenant_id AND d.state IN ('PENDING', 'SENDING')
                                AND d.next_at <= now()
                              ORDER BY d.next_at LIMIT h.places FOR UPDATE SKIP LOCKED) AS d
    ), turns AS (
        SELECT tenant_id, id, next_at, row_number() OVER (PARTITION BY tenant_id ORDER BY next_at, id) AS turn FROM due
    ), picked AS (
        SELECT tenant_id, id FROM turns ORDER BY turn, next_at, id LIMIT $1
    )
    UPDATE deliveries d
       SET state = 'SENDING', claimed_until = now() + make_interval(secs => $5),
           next_at = now() + make_interval(secs => $5)
      FROM picked p
     WHERE d.tenant_id = p.tenant_id AND d.id = p.id
    RETURNING d.tenant_id, d.id, d.route_id, d.integration_id, d.attempts, d.payload, d.claimed_until
"""
_TARGET: Final = """
    SELECT i.kind, i.config, i.secrets, i.enabled AND (d.route_id IS NULL OR coalesce(r.enabled, false)) AS wanted,
           coalesce(r.failures, 0) AS failures
      FROM deliveries d
      JOIN integrations i ON i.tenant_id = d.tenant_id AND i.id = d.integration_id
      LEFT JOIN alert_routes r ON r.tenant_id = d.tenant_id AND r.id = d.route_id
     WHERE d.tenant_id = $1 AND d.id = $2 AND d.state = 'SENDING' AND d.claimed_until = $3
"""
_DISCARD: Final = """
    UPDATE deliveries SET state = 'DISCARDED', finished_at = now(), claimed_until = NULL, last_error = $4
     WHERE tenant_id = $1 AND id = $2 AND state = 'SENDING' AND claimed_until = $3
"""
_PUT_BACK: Final = """
    UPDATE deliveries d
       SET state = 'PENDING', claimed_until = NULL,
           next_at = greatest(now(), (SELECT r.paused_until FROM alert_routes r
                                       WHERE r.tenant_id = d.tenant_id AND r.id = d.route_id))
     WHERE tenant_id = $1 AND id = $2 AND state = 'SENDING' AND claimed_until = $3
"""
_NOTE: Final = """
    UPDATE deliveries
       SET attempts = attempts + 1, claimed_until = NULL, last_status = $5, last_error = $6,
           state = $4, next_at = now() + make_interval(secs => $7),
           finished_at = CASE WHEN $4 <> 'PENDING' THEN now() END
     WHERE tenant_id = $1 AND id = $2 AND state = 'SENDING' AND claimed_until = $3
    RETURNING attempts
"""
# Those that were replayed go on counting.
_ATTEMPT: Final = """
    INSERT INTO delivery_attempts (tenant_id, delivery_id, number, at, ok, status, duration_s, error)
    SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7
      FROM delivery_attempts WHERE tenant_id = $1 AND delivery_id = $2
"""
_OLD: Final = """
    SELECT created_at + $3 < now() + make_interval(secs => $4) FROM deliveries WHERE tenant_id = $1 AND id = $2
"""
_OFF: Final = "its route or integration is switched off or gone"


class Claimed(Struct, frozen=True, kw_only=True):
    """A delivery that is ours until ``claimed_until``."""

    tenant_id: str
    id: int
    route_id: UUID | None
    integration_id: UUID
    attempts: int
    payload: dict[str, Any]
    claimed_until: datetime


class Target(Struct, frozen=True, kw_only=True):
    """Where a delivery goes, and whether what becomes of it decides about the route's circuit."""

    kind: str
    config: dict[str, Any]
    secrets: list[str]
    is_probe: bool


class Attempt(Struct, frozen=True, kw_only=True):
    """What became of a delivery once it was tried.

    Attributes:
        at_us: When it began.
        duration_s: How long it took.
        ok: It was taken.
        final: It was refused for good.
        status: The receiver's own.
        error: What went wrong, without secrets.
        wait_s: Until the next attempt, if there is one.
    """

    at_us: int
    duration_s: float
    ok: bool
    final: bool
    status: int | None
    error: str | None
    wait_s: float


async def claim(
    conn: Conn, *, most: int, most_of_tenant: int, busy: Mapping[str, int], lease_s: float
) -> list[Claimed]:
    """Take what is due, the oldest first but each tenant in turn.

    Args:
        conn: A worker's.
        most: So many at the most, from 1.
        most_of_tenant: So many of one tenant at the most, those that are under way among them.
        busy: How many of each tenant are under way here.
        lease_s: How long they are ours.
    """
    rows = await conn.fetch(_CLAIM, most, most_of_tenant, list(busy), list(busy.values()), lease_s)
    return [Claimed(**dict(row)) for row in rows]


async def begin(conn: Conn, claimed: Claimed, *, lease_s: float) -> Target | None:
    """Return where a delivery goes now; None when it does not: put back, discarded, or no longer ours."""
    ours = (claimed.tenant_id, claimed.id, claimed.claimed_until)
    target = await conn.fetchrow(_TARGET, *ours)
    if target is None:
        return None
    if not target["wanted"]:
        await conn.execute(_DISCARD, *ours, _OFF)
        return None
    is_open = target["failures"] >= circuits.FAILURES
    if is_open and not await circuits.probe(conn, claimed.tenant_id, claimed.route_id, lease_s=lease_s):
        await put_back(conn, claimed)
        return None
    return Target(kind=target["kind"], config=target["config"], secrets=target["secrets"], is_probe=is_open)


async def put_back(conn: Conn, claimed: Claimed) -> None:
    """Let a delivery wait as if it had not been claimed, until its route's pause is over if there is one."""
    await conn.execute(_PUT_BACK, claimed.tenant_id, claimed.id, claimed.claimed_until)


async def note(conn: Conn, claimed: Claimed, attempt: Attempt, *, most_age: timedelta, is_probe: bool) -> str | None:
    """Note an attempt, and what becomes of the delivery and its route's circuit.

    Returns:
        The state that the delivery is in then, None when it was no longer ours.
    """
    state, error = "DELIVERED" if attempt.ok else "DEAD" if attempt.final else "PENDING", attempt.error
    if state == "PENDING" and await conn.fetchval(_OLD, claimed.tenant_id, claimed.id, most_age, attempt.wait_s):
        state, error = "DEAD", f"given up: {error}"
    noted = await conn.fetchval(
        _NOTE,
        claimed.tenant_id,
        claimed.id,
        claimed.claimed_until,
        state,
        attempt.status,
        error,
        attempt.wait_s,
    )
    if noted is None:
        return None
    await conn.execute(
        _ATTEMPT,
        claimed.tenant_id,
        claimed.id,
        moment(attempt.at_us),
        attempt.ok,
        attempt.status,
        attempt.duration_s,
        attempt.error,
    )
    if claimed.route_id is not None:
        if attempt.ok or attempt.final:  # who refuses answers
            await circuits.close(conn, claimed.tenant_id, [claimed.route_id])
        else:
            await circuits.fail(conn, claimed.tenant_id, claimed.route_id, is_probe=is_probe)
    return state
