"""Circuits of routes: one that fails over and over is left alone for a while, on all servers.

Open is a route with ``failures`` at the limit: nothing goes there before ``paused_until``, and then one delivery alone,
the probe. What becomes of it decides for the rest.
"""

from typing import Final
from uuid import UUID

from .pool import Conn

FAILURES: Final = 5
"""So many in a row open the circuit."""

_PAUSE_S: Final = 30
_LONGEST_PAUSE_S: Final = 900

# The row's lock lets one of all probes through: the others see the new time.
_PROBE: Final = """
    UPDATE alert_routes SET paused_until = now() + make_interval(secs => $4)
     WHERE tenant_id = $1 AND id = $2 AND failures >= $3 AND paused_until <= now()
    RETURNING true
"""
# Those that were under way when the circuit opened make the pause no longer: only a probe does.
_FAIL: Final = """
    UPDATE alert_routes
       SET failures = failures + 1,
           paused_until = CASE WHEN failures + 1 >= $3
                               THEN now() + make_interval(secs => least($5 * power(2, failures + 1 - $3), $6)) END
     WHERE tenant_id = $1 AND id = $2 AND (failures < $3 OR $4) AND failures < 1000
    RETURNING paused_until
"""
_HOLD: Final = """
    UPDATE deliveries SET next_at = $3
     WHERE tenant_id = $1 AND route_id = $2 AND state = 'PENDING' AND next_at < $3
"""
_CLOSE: Final = """
    WITH closed AS (
        UPDATE alert_routes r SET failures = 0, paused_until = NULL
          FROM alert_routes o
         WHERE r.tenant_id = $1 AND r.id = ANY($2::uuid[]) AND r.failures > 0
           AND o.tenant_id = r.tenant_id AND o.id = r.id
        RETURNING r.id, o.paused_until
    )
    UPDATE deliveries d SET next_at = now()
      FROM closed c
     WHERE d.tenant_id = $1 AND d.route_id = c.id AND d.state = 'PENDING' AND d.next_at = c.paused_until
"""


async def probe(conn: Conn, tenant_id: str, route_id: UUID | None, *, lease_s: float) -> bool:
    """Tell whether a delivery may try an open circuit now; no other one may for the time of its lease."""
    return await conn.fetchval(_PROBE, tenant_id, route_id, FAILURES, lease_s) is True


async def fail(conn: Conn, tenant_id: str, route_id: UUID, *, is_probe: bool) -> None:
    """Note a failure; the last one of so many in a row holds back all that waits for the route."""
    paused_until = await conn.fetchval(_FAIL, tenant_id, route_id, FAILURES, is_probe, _PAUSE_S, _LONGEST_PAUSE_S)
    if paused_until is not None:
        await conn.execute(_HOLD, tenant_id, route_id, paused_until)


async def close(conn: Conn, tenant_id: str, route_ids: list[UUID]) -> None:
    """Note that what is behind these routes answers, or was changed: what was held back for it goes now."""
    await conn.execute(_CLOSE, tenant_id, route_ids)
