"""Since when devices are beyond thresholds, in their own time; a row is there only while they are."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from .moments import moment, moment_us
from .pool import Conn

type Pair = tuple[UUID, str]
"""A rule and a device."""

_LOAD: Final = """
    SELECT rule_id, device_id, breached_since, value FROM rule_states
     WHERE tenant_id = $1 AND rule_id = ANY($2) AND device_id = ANY($3)
"""
_SAVE: Final = """
    INSERT INTO rule_states (tenant_id, rule_id, device_id, breached_since, value)
    SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::float8[])
    ON CONFLICT (tenant_id, rule_id, device_id)
    DO UPDATE SET breached_since = excluded.breached_since, value = excluded.value
"""
_DELETE: Final = """
    DELETE FROM rule_states s USING unnest($2::uuid[], $3::text[]) AS over (rule_id, device_id)
     WHERE s.tenant_id = $1 AND s.rule_id = over.rule_id AND s.device_id = over.device_id
"""
_FORGET_RULE: Final = "DELETE FROM rule_states WHERE tenant_id = $1 AND rule_id = $2"
_FORGET_REST: Final = """
    DELETE FROM rule_states s
     WHERE s.tenant_id = $1
       AND NOT EXISTS (SELECT FROM ingest_devices d WHERE d.tenant_id = $1 AND d.device_id = s.device_id
                                                      AND d.status = 'ACTIVE')
"""


async def load(
    conn: Conn, tenant_id: str, rule_ids: Sequence[UUID], device_ids: Sequence[str]
) -> dict[Pair, tuple[int, float]]:
    """Return since when (µs), and the value then, of those of these rules and devices that are beyond."""
    return {
        (row["rule_id"], row["device_id"]): (moment_us(row["breached_since"]), row["value"])
        for row in await conn.fetch(_LOAD, tenant_id, rule_ids, device_ids)
    }


async def save(conn: Conn, tenant_id: str, states: Mapping[Pair, tuple[int, float] | None]) -> None:
    """Keep since when, and the value; None: not beyond any more. The rules must be there."""
    kept = [(rule_id, device_id, *state) for (rule_id, device_id), state in states.items() if state]
    over = [pair for pair, state in states.items() if not state]
    if kept:
        rule_ids, device_ids, since_us, values = zip(*kept, strict=True)
        await conn.execute(_SAVE, tenant_id, rule_ids, device_ids, [moment(each) for each in since_us], values)
    if over:
        rule_ids, device_ids = zip(*over, strict=True)
        await conn.execute(_DELETE, tenant_id, rule_ids, device_ids)


async def forget_rule(conn: Conn, tenant_id: str, rule_id: UUID) -> None:
    """Let a rule begin anew."""
    await conn.execute(_FORGET_RULE, tenant_id, rule_id)


async def forget_inactive(conn: Conn, tenant_id: str) -> None:
    """Forget what is kept of devices that do not send any more."""
    await conn.execute(_FORGET_REST, tenant_id)
