"""How well devices are, and how well they were."""

from collections.abc import Mapping, Sequence
from typing import Final

from asyncpg import Record
from msgspec import json

from homeiq_server.insights.finding import BatteryEnd, Deduction, Health

from .moments import moment
from .pool import Conn

MAX_HISTORY: Final = 200

# All parts of a statement see the tables as they were before it: "before" is what the device was until now.
_SAVE: Final = """
    WITH given AS (
        SELECT device_id, state, score, confidence, deductions::jsonb, battery_end
          FROM unnest($3::text[], $4::text[], $5::smallint[], $6::float8[], $7::text[], $8::jsonb[])
            AS given (device_id, state, score, confidence, deductions, battery_end)
    ), saved AS (
        INSERT INTO device_health AS h (tenant_id, device_id, state, score, confidence, deductions, battery_end,
                                        assessed_at)
        SELECT $1, given.*, $2 FROM given
        ON CONFLICT (tenant_id, device_id) DO UPDATE
           SET state = excluded.state, score = excluded.score, confidence = excluded.confidence,
               deductions = excluded.deductions, battery_end = excluded.battery_end, assessed_at = excluded.assessed_at
         WHERE (h.state, h.score, h.confidence, h.deductions, h.battery_end)
               IS DISTINCT FROM
               (excluded.state, excluded.score, excluded.confidence, excluded.deductions, excluded.battery_end)
    )
    INSERT INTO device_health_history (tenant_id, device_id, at, state, score, deductions)
    SELECT $1, given.device_id, $2, given.state, given.score, given.deductions
      FROM given LEFT JOIN device_health AS before ON before.tenant_id = $1 AND before.device_id = given.device_id
     WHERE (before.state, before.score) IS DISTINCT FROM (given.state, given.score)
    ON CONFLICT (tenant_id, device_id, at) DO UPDATE
       SET state = excluded.state, score = excluded.score, deductions = excluded.deductions
"""
_HISTORY: Final = """
    SELECT at, state, score, deductions FROM device_health_history
     WHERE tenant_id = $1 AND device_id = $2 ORDER BY at DESC LIMIT $3
"""
_PRUNE: Final = "DELETE FROM device_health_history WHERE tenant_id = $1 AND at < $2"


async def save(conn: Conn, tenant_id: str, at_us: int, health: Mapping[str, Health]) -> None:
    """Keep the health of devices, by id, where it is another one; its history where state or score are.

    ``assessed_at`` is when the present answer was first found.
    """
    ids = sorted(health)  # every writer locks rows in the same order
    rows = [health[device_id] for device_id in ids]
    await conn.execute(
        _SAVE,
        tenant_id,
        moment(at_us),
        ids,
        [row.state for row in rows],
        [row.score for row in rows],
        [row.confidence for row in rows],
        [_deductions(row.deductions) for row in rows],
        [None if row.battery_end is None else _battery_end(row.battery_end) for row in rows],
    )


async def history(conn: Conn, tenant_id: str, device_id: str) -> list[Record]:
    """Return what a device's health was from when on, newest first, at most ``MAX_HISTORY``."""
    return await conn.fetch(_HISTORY, tenant_id, device_id, MAX_HISTORY)


async def prune(conn: Conn, tenant_id: str, before_us: int) -> None:
    """Forget the history before a time; what is true now stays."""
    await conn.execute(_PRUNE, tenant_id, moment(before_us))


def _deductions(deductions: Sequence[Deduction]) -> str:
    """Return them as JSON: asyncpg takes a list within a list for another dimension of the array."""
    shown = [
        {"name": each.name, "points": each.points, "since": moment(each.since_us), "evidence": each.evidence}
        for each in deductions
    ]
    return json.encode(shown).decode()


def _battery_end(end: BatteryEnd) -> dict[str, object]:
    return {
        "level": end.level,
        "expected": moment(end.expected_us),
        "earliest": moment(end.earliest_us),
        "latest": moment(end.latest_us),
    }
