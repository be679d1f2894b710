"""Alerts open and clear: one is open for a cause at most, whoever finds it and however often.

Every function here takes the lock of ``alert_changes`` first, tells what it did, and has that delivered, all in the
transaction it is called in.
"""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from . import alert_changes
from .alert_changes import COLUMNS
from .pool import Conn

type Cause = Literal["device", "rule", "finding"]
"""What ends an alert when no person does: its device, what became of its rule, or of its finding."""

_BY_ITSELF: Final = ["device", "rule", "finding"]

# What a person cleared stays so until its cause has ended: the same cause with the same beginning is not told again.
# Whoever asked for silence about a cause has it also when it ends and begins again.
_OPEN: Final = """
    WITH given AS (
        SELECT * FROM unnest($2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::text[],
                             $9::jsonb[], $10::int[])
            AS given (cause, rule_id, kind, device_id, site_id, severity, summary, details, times)
    ), latest AS (
        SELECT a.* FROM given CROSS JOIN LATERAL (
            SELECT * FROM alerts WHERE tenant_id = $1 AND cause = given.cause ORDER BY id DESC LIMIT 1) AS a
    ), written AS (
        INSERT INTO alerts AS a (tenant_id, cause, rule_id, kind, device_id, site_id, severity, summary, details, count,
                                 opened_at, last_at, silenced_until)
        SELECT $1, g.cause, g.rule_id, g.kind, g.device_id, g.site_id, g.severity, g.summary, g.details, g.times,
               $11, $11, CASE WHEN l.silenced_until > $11 THEN l.silenced_until END
          FROM given g LEFT JOIN latest l ON l.cause = g.cause
         WHERE l.cleared_at IS NULL OR l.cleared_by = ANY($12)
            OR l.details ->> 'since' IS DISTINCT FROM g.details ->> 'since'
        ON CONFLICT (tenant_id, cause) WHERE cleared_at IS NULL DO UPDATE
           SET last_at = greatest(a.last_at, excluded.last_at),
               count = a.count + excluded.count,
               summary = CASE WHEN excluded.severity > a.severity THEN excluded.summary ELSE a.summary END,
               details = CASE WHEN excluded.severity > a.severity THEN excluded.details ELSE a.details END,
               severity = greatest(a.severity, excluded.severity)
        RETURNING *
    )
    SELECT w.*, CASE WHEN l.id IS DISTINCT FROM w.id THEN 'opened'
                     WHEN w.severity > l.severity THEN 'raised' END AS change
      FROM written w LEFT JOIN latest l ON l.cause = w.cause
     ORDER BY w.id
"""
_CLEAR: Final = f"""
    UPDATE alerts a SET cleared_at = $2, cleared_by = $3
     WHERE tenant_id = $1 AND cleared_at IS NULL AND {{}} RETURNING {COLUMNS}
"""
_CLEAR_CAUSES: Final = _CLEAR.format("cause = ANY($4)")
_CLEAR_RULE: Final = _CLEAR.format("rule_id = $4")
_CLEAR_RULELESS: Final = _CLEAR.format("""rule_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM alert_rules r
     WHERE r.tenant_id = $1 AND r.id = a.rule_id AND r.enabled
       AND (r.device_ids IS NULL OR a.device_id = ANY(r.device_ids))
       AND (r.site_ids IS NULL OR a.site_id = ANY(r.site_ids)))""")
_CLEAR_INACTIVE: Final = _CLEAR.format("""kind <> 'INSIGHT' AND device_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM ingest_devices d
     WHERE d.tenant_id = $1 AND d.device_id = a.device_id AND d.status = 'ACTIVE')""")
_OPEN_CAUSES: Final = """
    SELECT cause, severity FROM alerts WHERE tenant_id = $1 AND cleared_at IS NULL AND kind = ANY($2)
"""
_OPEN_OF_DEVICES: Final = """
    SELECT cause FROM alerts WHERE tenant_id = $1 AND cleared_at IS NULL AND device_id = ANY($2)
"""
_PRUNE: Final = "DELETE FROM alerts WHERE tenant_id = $1 AND cleared_at < $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A cause that was found to hold.

    Attributes:
        cause: What it is about; the same cause is the same text.
        rule_id: The rule that asked for it.
        kind: Of the rule.
        device_id: None when it is about no device of ingest.
        site_id: Where that is.
        severity: 1 info to 5 critical.
        summary: A sentence.
        details: What it rests on. ``since`` names the beginning of the cause.
        times: How often it was found since the last time it was told.
    """

    cause: str
    rule_id: UUID
    kind: str
    device_id: str | None
    site_id: str | None
    severity: int
    summary: str
    details: Mapping[str, object]
    times: int = 1


async def open_alerts(conn: Conn, tenant_id: str, openings: Sequence[Opening], *, at: datetime) -> None:
    """Open an alert for each cause that has none, and count on those that are open; each cause comes once."""
    if not openings:
        return
    await alert_changes.lock(conn, tenant_id)
    rows = await conn.fetch(
        _OPEN,
        tenant_id,
        [each.cause for each in openings],
        [each.rule_id for each in openings],
        [each.kind for each in openings],
        [each.device_id for each in openings],
        [each.site_id for each in openings],
        [each.severity for each in openings],
        [each.summary for each in openings],
        [dict(each.details) for each in openings],
        [each.times for each in openings],
        at,
        _BY_ITSELF,
    )
    changed = [(row, row["change"]) for row in rows if row["change"]]
    await alert_changes.tell(conn, tenant_id, changed, at=at, actor="rule")


async def clear_causes(conn: Conn, tenant_id: str, causes: Sequence[str], *, at: datetime, actor: Cause) -> None:
    """Clear the alerts of these causes."""
    if causes:
        await _clear(conn, tenant_id, _CLEAR_CAUSES, at, actor, causes)


async def clear_rule(conn: Conn, tenant_id: str, rule_id: UUID, *, at: datetime) -> None:
    """Clear the alerts of a rule, which is going or judges something else from now on."""
    await _clear(conn, tenant_id, _CLEAR_RULE, at, "rule", rule_id)


async def clear_unfounded(conn: Conn, tenant_id: str, *, at: datetime) -> None:
    """Clear the alerts that no rule in force asks for, and those of devices that may not send any more."""
    await _clear(conn, tenant_id, _CLEAR_RULELESS, at, "rule")
    await _clear(conn, tenant_id, _CLEAR_INACTIVE, at, "device")


async def open_causes(conn: Conn, tenant_id: str, kinds: Sequence[str]) -> dict[str, int]:
    """Return the causes of alerts of these kinds that are open, with the severity of each."""
    return {row["cause"]: row["severity"] for row in await conn.fetch(_OPEN_CAUSES, tenant_id, kinds)}


async def open_of_devices(conn: Conn, tenant_id: str, device_ids: Sequence[str]) -> set[str]:
    """Return the causes of alerts of these devices that are open."""
    return {row["cause"] for row in await conn.fetch(_OPEN_OF_DEVICES, tenant_id, device_ids)}


async def prune(conn: Conn, tenant_id: str, before: datetime) -> None:
    """Forget alerts that were cleared before a time."""
    await conn.execute(_PRUNE, tenant_id, before)


async def _clear(conn: Conn, tenant_id: str, statement: str, at: datetime, actor: Cause, *values: object) -> None:
    await alert_changes.lock(conn, tenant_id)
    rows = await conn.fetch(statement, tenant_id, at, actor, *values)
    await alert_changes.tell(conn, tenant_id, [(row, "cleared") for row in rows], at=at, actor=actor)
