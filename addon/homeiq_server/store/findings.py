"""Findings: conditions that were seen to begin and to end, as one row for each time."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import Struct, json

from homeiq_server.insights.finding import Condition, Kind

from . import finding_changes
from .finding_sql import COLUMNS, END_MUTES, JOINS, RECONCILE
from .moments import moment
from .pool import Conn

_ONE: Final = f"SELECT {COLUMNS} FROM findings f {JOINS} WHERE f.tenant_id = $1 AND f.id = $2"
_OF_DEVICE: Final = f"""
    (SELECT {COLUMNS} FROM findings f {JOINS}
      WHERE f.tenant_id = $1 AND (f.device_id = $2 OR $2 = ANY(f.affected)) AND f.resolved_at IS NULL)
    UNION ALL
    (SELECT {COLUMNS} FROM findings f {JOINS}
      WHERE f.tenant_id = $1 AND (f.device_id = $2 OR $2 = ANY(f.affected)) AND f.resolved_at IS NOT NULL
      ORDER BY f.resolved_at DESC LIMIT $3)
    ORDER BY opened_at DESC, id DESC
"""
_PRUNE: Final = "DELETE FROM findings WHERE tenant_id = $1 AND resolved_at < $2"


class Changes(Struct, frozen=True, kw_only=True):
    """How many findings an evaluation has opened and resolved, muted ones among them."""

    opened: int
    resolved: int


class Wanted(Struct, frozen=True, kw_only=True):
    """Which findings to list; None: whatever they are.

    Attributes:
        device_id: Of this device, or affecting it.
        before: The moment of opening and the id of the last one that was shown.
    """

    is_open: bool | None = True
    kind: Kind | None = None
    device_id: str | None = None
    muted: bool | None = None
    min_severity: int | None = None
    before: tuple[datetime, UUID] | None = None


async def reconcile(  # noqa: PLR0913 - what was evaluated has a place, a time and two bounds
    conn: Conn,
    tenant_id: str,
    source: str,
    conditions: Sequence[Condition],
    *,
    at_us: int,
    settled: bool,
    evaluated: Collection[Kind] | None,
) -> Changes:
    """Make the open findings of a source those of ``conditions``: open, change, resolve. Doing it twice is once.

    Args:
        conn: In a transaction of the tenant.
        tenant_id: The tenant.
        source: The Home Assistant.
        conditions: All that hold; of two with one kind and subject the first counts.
        at_us: When they were found to.
        settled: Whether the absence of a condition means that it is gone.
        evaluated: The kinds that were looked for: no other is resolved. None: all kinds were.
    """
    await finding_changes.lock(conn, tenant_id)
    await conn.execute(END_MUTES, tenant_id, source, moment(at_us))
    first = {(each.kind, each.subject): each for each in reversed(conditions)}
    given = list(reversed(first.values()))
    counts = await conn.fetchrow(
        RECONCILE,
        tenant_id,
        source,
        moment(at_us),
        settled,
        None if evaluated is None else list(evaluated),
        [each.kind for each in given],
        [each.subject_type for each in given],
        [each.subject for each in given],
        [each.device_id for each in given],
        [each.entity_id for each in given],
        [each.severity for each in given],
        [each.title for each in given],
        [each.explanation for each in given],
        [dict(each.evidence) for each in given],
        [moment(each.since_us) for each in given],
        [json.encode(each.affected).decode() for each in given],
    )
    assert counts is not None  # noqa: S101 - it has no FROM
    return Changes(opened=counts["opened"], resolved=counts["resolved"])


async def page(conn: Conn, tenant_id: str, wanted: Wanted, *, limit: int) -> list[Record]:
    """Return findings, newest first."""
    values: list[object] = [tenant_id]

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = ["f.tenant_id = $1"]
    if wanted.is_open is not None:
        conditions.append(f"f.resolved_at IS {'' if wanted.is_open else 'NOT '}NULL")
    if wanted.kind is not None:
        conditions.append(f"f.kind = {value(wanted.kind)}")
    if wanted.device_id is not None:
        device = value(wanted.device_id)
        conditions.append(f"(f.device_id = {device} OR {device} = ANY(f.affected))")
    if wanted.muted is not None:
        conditions.append(f"m.kind IS {'NOT ' if wanted.muted else ''}NULL")
    if wanted.min_severity is not None:
        conditions.append(f"f.severity >= {value(wanted.min_severity)}")
    if wanted.before is not None:
        opened_at, finding = wanted.before
        conditions.append(f"(f.opened_at, f.id) < ({value(opened_at)}::timestamptz, {value(finding)}::uuid)")
    return await conn.fetch(
        f"SELECT {COLUMNS} FROM findings f {JOINS} WHERE {' AND '.join(conditions)}"
        f" ORDER BY f.opened_at DESC, f.id DESC LIMIT {value(limit)}",
        *values,
    )


async def one(conn: Conn, tenant_id: str, finding: str) -> Record | None:
    """Return a finding by its id, None when there is none."""
    try:
        return await conn.fetchrow(_ONE, tenant_id, UUID(finding))
    except ValueError:
        return None


async def of_device(conn: Conn, tenant_id: str, device_id: str, *, resolved: int) -> list[Record]:
    """Return the open findings of a device or affecting it, and so many that were resolved lately; newest first."""
    return await conn.fetch(_OF_DEVICE, tenant_id, device_id, resolved)


async def prune(conn: Conn, tenant_id: str, before_us: int) -> None:
    """Forget findings that were resolved before a time."""
    await conn.execute(_PRUNE, tenant_id, moment(before_us))
