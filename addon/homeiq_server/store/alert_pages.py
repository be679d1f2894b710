"""Alerts as they are looked through."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from .alert_changes import COLUMNS
from .pool import Conn

type State = Literal["open", "acknowledged", "cleared"]

_STATES: Final[dict[str, str]] = {
    "open": "a.cleared_at IS NULL AND a.acknowledged_at IS NULL",
    "acknowledged": "a.cleared_at IS NULL AND a.acknowledged_at IS NOT NULL",
    "cleared": "a.cleared_at IS NOT NULL",
}
_ONE: Final = f"SELECT {COLUMNS} FROM alerts a WHERE a.tenant_id = $1 AND a.id = $2"
_TREND: Final = """
    SELECT hour, (SELECT count(*) FROM alerts WHERE tenant_id = $1 AND opened_at >= hour
                                                AND opened_at < hour + interval '1 hour') AS opened,
           coalesce(ended.cleared, 0) AS cleared
      FROM generate_series(date_trunc('hour', $2::timestamptz), $3::timestamptz, interval '1 hour') AS hour
      LEFT JOIN (SELECT date_trunc('hour', cleared_at) AS hour, count(*) AS cleared FROM alerts
                  WHERE tenant_id = $1 AND cleared_at >= date_trunc('hour', $2::timestamptz) GROUP BY 1) AS ended
     USING (hour)
     ORDER BY hour
"""


class Wanted(Struct, frozen=True, kw_only=True):
    """Which alerts to list; None: whatever they are.

    Attributes:
        before: The moment of opening and the id of the last one that was shown.
    """

    state: State | None = None
    severity: int | None = None
    device_id: str | None = None
    rule_id: UUID | None = None
    before: tuple[datetime, int] | None = None


async def page(conn: Conn, tenant_id: str, wanted: Wanted, *, limit: int) -> list[Record]:
    """Return alerts, newest first."""
    values: list[object] = [tenant_id]

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = ["a.tenant_id = $1"]
    if wanted.state is not None:
        conditions.append(_STATES[wanted.state])
    for column, given in (
        ("severity", wanted.severity),
        ("device_id", wanted.device_id),
        ("rule_id", wanted.rule_id),
    ):
        if given is not None:
            conditions.append(f"a.{column} = {value(given)}")
    if wanted.before is not None:
        opened_at, alert_id = wanted.before
        conditions.append(f"(a.opened_at, a.id) < ({value(opened_at)}::timestamptz, {value(alert_id)}::bigint)")
    return await conn.fetch(
        f"SELECT {COLUMNS} FROM alerts a WHERE {' AND '.join(conditions)}"
        f" ORDER BY a.opened_at DESC, a.id DESC LIMIT {value(limit)}",
        *values,
    )


async def one(conn: Conn, tenant_id: str, alert_id: int) -> Record | None:
    """Return an alert, None when there is none."""
    return await conn.fetchrow(_ONE, tenant_id, alert_id)


async def trend(conn: Conn, tenant_id: str, since: datetime, until: datetime) -> list[Record]:
    """Return how many alerts opened and how many cleared in each hour, oldest first."""
    return await conn.fetch(_TREND, tenant_id, since, until)
