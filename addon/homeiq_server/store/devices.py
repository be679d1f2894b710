"""Devices as they are listed: what the registries say of them, what was measured, and how well they are."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from typing import Final, Literal

from asyncpg import Record
from msgspec import Struct

from homeiq_server.insights.finding import Kind

from .finding_sql import OPEN_AND_HEARD
from .pool import Conn

# Everything of some devices but their entities and their past. They are chosen first, so that nothing is joined or
# counted that is not shown.
_READ: Final = f"""
    WITH page AS (
        SELECT d.* FROM devices d WHERE {{}}
    ), heard AS MATERIALIZED (
        SELECT f.device_id, array_agg(DISTINCT f.kind ORDER BY f.kind) AS kinds FROM findings f
         WHERE f.tenant_id = $1 AND f.device_id = ANY(ARRAY(SELECT id FROM page)) AND {OPEN_AND_HEARD}
         GROUP BY f.device_id
    )
    SELECT d.id, d.source, d.shown_name AS name, d.area_id, a.name AS area, fl.name AS floor, d.integration,
           d.manufacturer, d.model, d.model_id, d.sw_version, d.hw_version, d.serial_number, d.via_device_id,
           d.parent_id, d.entry_type, d.disabled_by, d.configuration_url, d.labels, d.identifiers, d.connections,
           d.created_at, d.updated_at, d.removed_at,
           m.available, m.battery_level, m.battery_low, m.link_quality, m.link_unit, m.last_seen_at, m.last_reported_at,
           h.state, h.score, h.confidence, h.deductions, h.battery_end, h.assessed_at,
           coalesce(heard.kinds, '{{{{}}}}') AS kinds
      FROM page d
      LEFT JOIN areas a ON a.tenant_id = d.tenant_id AND a.source = d.source AND a.id = d.area_id
                       AND a.removed_at IS NULL
      LEFT JOIN floors fl ON fl.tenant_id = a.tenant_id AND fl.source = a.source AND fl.id = a.floor_id
                         AND fl.removed_at IS NULL
      LEFT JOIN device_facts m ON m.tenant_id = d.tenant_id AND m.device_id = d.id
      LEFT JOIN device_health h ON h.tenant_id = d.tenant_id AND h.device_id = d.id
      LEFT JOIN heard ON heard.device_id = d.id
     ORDER BY d.shown_name, d.id
"""
_ONE: Final = _READ.format("d.tenant_id = $1 AND d.id = $2")
_RELATED: Final = """
    SELECT d.id, d.shown_name AS name, d.via_device_id, d.parent_id
      FROM devices o
      JOIN devices d ON d.tenant_id = o.tenant_id AND d.id <> o.id AND d.removed_at IS NULL
                    AND (d.id = o.via_device_id OR d.id = o.parent_id OR d.via_device_id = o.id OR d.parent_id = o.id)
     WHERE o.tenant_id = $1 AND o.id = $2
     ORDER BY d.shown_name, d.id
"""

type HealthFilter = Literal["learning", "good", "fair", "poor", "affected", "unhealthy"]


class Wanted(Struct, frozen=True, kw_only=True):
    """Which devices to list; None: whatever it is.

    Attributes:
        area: The id of an area; ``floor`` likewise.
        health: ``unhealthy`` for fair or poor; what was never assessed is learning.
        finding: The kind of an open finding that is not muted; ``any`` for any.
        search: Part of the name, the manufacturer or the model, in any case.
        removed: Those too that Home Assistant no longer has.
        after: Name and id of the last one that was shown.
    """

    area: str | None = None
    floor: str | None = None
    integration: str | None = None
    health: HealthFilter | None = None
    finding: Kind | Literal["any"] | None = None
    search: str | None = None
    removed: bool = False
    after: tuple[str, str] | None = None


async def page(conn: Conn, tenant_id: str, wanted: Wanted, *, limit: int) -> list[Record]:
    """Return devices by name and id."""
    where, values = _where(tenant_id, wanted)
    page_of = f"{where} ORDER BY d.shown_name, d.id LIMIT ${len(values) + 1}"
    return await conn.fetch(_READ.format(page_of), *values, limit)


async def one(conn: Conn, tenant_id: str, device_id: str) -> Record | None:
    """Return a device, removed or not; None when there never was one."""
    return await conn.fetchrow(_ONE, tenant_id, device_id)


async def related(conn: Conn, tenant_id: str, device_id: str) -> list[Record]:
    """Return the present devices that one is connected to or a part of, or that are to it; by name."""
    return await conn.fetch(_RELATED, tenant_id, device_id)


def _where(tenant_id: str, wanted: Wanted) -> tuple[str, Sequence[object]]:
    """Return the conditions for what is asked for, and no other: each combination is planned by itself."""
    values: list[object] = [tenant_id]

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = ["d.tenant_id = $1"]
    if not wanted.removed:
        conditions.append("d.removed_at IS NULL")
    if wanted.area is not None:
        conditions.append(f"d.area_id = {value(wanted.area)}")
    if wanted.floor is not None:
        conditions.append(
            "(d.source, d.area_id) IN (SELECT a.source, a.id FROM areas a WHERE a.tenant_id = $1"
            f" AND a.removed_at IS NULL AND a.floor_id = {value(wanted.floor)})"
        )
    if wanted.integration is not None:
        conditions.append(f"d.integration = {value(wanted.integration)}")
    if wanted.health is not None:
        conditions.append(_health(wanted.health))
    if wanted.finding is not None:
        kind = "" if wanted.finding == "any" else f"AND f.kind = {value(wanted.finding)}"
        conditions.append(
            "EXISTS (SELECT FROM findings f WHERE f.tenant_id = d.tenant_id AND f.device_id = d.id"
            f" AND {OPEN_AND_HEARD} {kind})"
        )
    if wanted.search is not None:
        pattern = value(f"%{_escaped(wanted.search)}%")
        conditions.append(
            f"(d.shown_name ILIKE {pattern} OR d.manufacturer ILIKE {pattern} OR d.model ILIKE {pattern})"
        )
    if wanted.after is not None:
        name, device = wanted.after
        conditions.append(f"(d.shown_name, d.id) > ({value(name)}::text, {value(device)}::text)")
    return " AND ".join(conditions), values


def _health(state: HealthFilter) -> str:
    of_device = "SELECT FROM device_health h WHERE h.tenant_id = d.tenant_id AND h.device_id = d.id"
    match state:
        case "unhealthy":
            return f"EXISTS ({of_device} AND h.state IN ('fair', 'poor'))"
        case "learning":
            return f"NOT EXISTS ({of_device} AND h.state <> 'learning')"
        case _:
            return f"EXISTS ({of_device} AND h.state = '{state}')"


def _escaped(text: str) -> str:
    """Return a pattern that stands for nothing but the text."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
