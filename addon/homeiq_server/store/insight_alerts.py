"""Findings that rules make alerts of."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from typing import Final

from asyncpg import Record

from .finding_sql import OPEN_AND_HEARD
from .pool import Conn

_WANTED: Final = f"""
    SELECT r.id AS rule_id, r.name AS rule, greatest(r.severity, f.severity) AS severity, f.id AS finding_id,
           f.kind AS finding_kind, f.title, f.explanation, f.evidence, f.device_id, f.entity_id, f.since, f.opened_at
      FROM alert_rules r
      JOIN findings f ON f.tenant_id = r.tenant_id AND {OPEN_AND_HEARD}
     WHERE r.tenant_id = $1 AND r.enabled AND r.kind = 'INSIGHT'
       AND (r.finding_kinds IS NULL OR f.kind = ANY(r.finding_kinds))
       AND (r.device_ids IS NULL OR f.device_id = ANY(r.device_ids))
     ORDER BY f.opened_at, f.id, r.id
"""


async def wanted(conn: Conn, tenant_id: str) -> list[Record]:
    """Return rule and finding of each alert that should be open now: of findings that are open and not muted."""
    return await conn.fetch(_WANTED, tenant_id)
