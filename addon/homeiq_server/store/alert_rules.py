"""Rules that alerts come from, as a tenant has set them."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from asyncpg import Record
from msgspec import Struct, convert, structs

from .pool import Conn

type RuleKind = Literal["THRESHOLD", "NO_HEARTBEAT", "NO_TELEMETRY", "INSIGHT"]
type Operator = Literal["GT", "GTE", "LT", "LTE"]

_COLUMNS: Final = """
    id, name, kind, severity, enabled, metric, operator, threshold, hysteresis, duration_s, silence_s, finding_kinds,
    site_ids, device_ids, description, version, created_at, updated_at
"""
_PAGE: Final = f"""
    SELECT {_COLUMNS} FROM alert_rules
     WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
     ORDER BY created_at, id LIMIT $4
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM alert_rules WHERE tenant_id = $1 AND id = $2"
_LOCK_ONE: Final = f"{_ONE} FOR UPDATE"
_COUNT: Final = "SELECT count(*) FROM alert_rules WHERE tenant_id = $1"
_ADD: Final = f"""
    INSERT INTO alert_rules (tenant_id, name, kind, severity, enabled, metric, operator, threshold, hysteresis,
                             duration_s, silence_s, finding_kinds, site_ids, device_ids, description)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING {_COLUMNS}
"""
_CHANGE: Final = f"""
    UPDATE alert_rules
       SET name = $3, severity = $4, enabled = $5, metric = $6, operator = $7, threshold = $8, hysteresis = $9,
           duration_s = $10, silence_s = $11, finding_kinds = $12, site_ids = $13, device_ids = $14, description = $15,
           version = version + 1, updated_at = now()
     WHERE tenant_id = $1 AND id = $2 RETURNING {_COLUMNS}
"""
_DELETE: Final = "DELETE FROM alert_rules WHERE tenant_id = $1 AND id = $2 RETURNING id"
_ENABLED: Final = f"SELECT {_COLUMNS} FROM alert_rules WHERE tenant_id = $1 AND kind = $2 AND enabled"
_WATCHING: Final = "SELECT tenant_id, kind, metric FROM alert_rules WHERE enabled"


class RuleFields(Struct, frozen=True, kw_only=True):
    """What a person sets of a rule.

    Attributes:
        kind: Never changes.
        severity: 5 critical, 4 high, 3 medium, 2 low, 1 info. Of INSIGHT the least one: a finding's may be higher.
        metric: Of THRESHOLD; switches count as 1 and 0.
        hysteresis: How far a value must be back within the threshold for the alert to clear.
        duration_s: How long the device must say so, in its own time.
        silence_s: Of NO_HEARTBEAT (no message at all) and NO_TELEMETRY.
        finding_kinds: Of INSIGHT; None: any.
        site_ids: None: any.
        device_ids: None: any.
    """

    name: str
    kind: RuleKind
    severity: int = 3
    enabled: bool = True
    metric: str | None = None
    operator: Operator | None = None
    threshold: float | None = None
    hysteresis: float = 0.0
    duration_s: int = 0
    silence_s: int | None = None
    finding_kinds: list[str] | None = None
    site_ids: list[str] | None = None
    device_ids: list[str] | None = None
    description: str | None = None


class AlertRule(RuleFields, frozen=True, kw_only=True):
    """A rule as it is kept."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime

    def applies_to(self, device_id: str, site_id: str) -> bool:
        """Tell whether the rule is about a device at a site."""
        return (self.device_ids is None or device_id in self.device_ids) and (
            self.site_ids is None or site_id in self.site_ids
        )


async def page(conn: Conn, tenant_id: str, after: tuple[datetime, UUID] | None, *, limit: int) -> list[AlertRule]:
    """Return rules, oldest first, behind the one with this moment of creation and id."""
    created_at, rule_id = after or (None, None)
    return [_rule(row) for row in await conn.fetch(_PAGE, tenant_id, created_at, rule_id, limit)]


async def one(conn: Conn, tenant_id: str, rule_id: UUID, *, locked: bool = False) -> AlertRule | None:
    """Return a rule, None when there is none; ``locked``: nobody else changes it until the transaction ends."""
    row = await conn.fetchrow(_LOCK_ONE if locked else _ONE, tenant_id, rule_id)
    return None if row is None else _rule(row)


async def count(conn: Conn, tenant_id: str) -> int:
    """Return how many rules the tenant has."""
    number: int = await conn.fetchval(_COUNT, tenant_id)
    return number


async def add(conn: Conn, tenant_id: str, fields: RuleFields) -> AlertRule:
    """Make a rule."""
    row = await conn.fetchrow(_ADD, tenant_id, fields.name, fields.kind, *_values(fields))
    assert row is not None  # noqa: S101 - an insert returns its row or fails
    return _rule(row)


async def change(conn: Conn, tenant_id: str, rule_id: UUID, fields: RuleFields) -> AlertRule:
    """Let a rule that was locked be this; its kind stays."""
    row = await conn.fetchrow(_CHANGE, tenant_id, rule_id, fields.name, *_values(fields))
    assert row is not None  # noqa: S101 - it is locked
    return _rule(row)


async def delete(conn: Conn, tenant_id: str, rule_id: UUID) -> bool:
    """Delete a rule; False when there was none."""
    return await conn.fetchval(_DELETE, tenant_id, rule_id) is not None


async def enabled(conn: Conn, tenant_id: str, kind: RuleKind) -> list[AlertRule]:
    """Return the rules of a kind that are in force."""
    return [_rule(row) for row in await conn.fetch(_ENABLED, tenant_id, kind)]


async def watching(conn: Conn) -> Sequence[tuple[str, RuleKind, str | None]]:
    """Return tenant, kind and metric of every rule that is in force, of all tenants; as a worker."""
    return [(row["tenant_id"], row["kind"], row["metric"]) for row in await conn.fetch(_WATCHING)]


def _values(fields: RuleFields) -> tuple[object, ...]:
    given = structs.asdict(fields)
    return tuple(given[name] for name in RuleFields.__struct_fields__ if name not in ("name", "kind"))


def _rule(row: Record) -> AlertRule:
    return convert(dict(row), AlertRule)
