"""Alerts as they are answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from asyncpg import Record
from msgspec import Struct, convert

from homeiq_server.store.alert_changes import SEVERITIES
from homeiq_server.store.alert_pages import State
from homeiq_server.store.alert_rules import RuleKind

type Change = Literal["opened", "raised", "acknowledged", "unacknowledged", "cleared"]
type SeverityName = Literal["info", "low", "medium", "high", "critical"]


class Alert(Struct, frozen=True, kw_only=True):
    """Something that a rule asks to be told, from when it was found until it is over.

    Attributes:
        cause: What it is about; one alert at most is not cleared for a cause.
        severity: 5 critical, 4 high, 3 medium, 2 low, 1 info.
        count: How often it was found to be so.
        opened_at: When it was found first.
        last_at: When it was found last.
        cleared_by: ``device``, ``rule`` or ``finding`` when it ended by itself, else who cleared it.
        silenced_until: Until then nothing is delivered of this cause.
        state: Cleared when it is; else whether somebody has acknowledged it.
    """

    id: int
    cause: str
    kind: RuleKind
    rule_id: UUID | None
    device_id: str | None
    site_id: str | None
    severity: int
    severity_name: SeverityName
    summary: str
    details: Mapping[str, object]
    count: int
    opened_at: datetime
    last_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    cleared_at: datetime | None
    cleared_by: str | None
    silenced_until: datetime | None
    state: State


class AlertPage(Struct, frozen=True, kw_only=True):
    """Some alerts, newest first."""

    alerts: Sequence[Alert]
    next_cursor: str | None


class AlertChange(Struct, frozen=True, kw_only=True):
    """What became of an alert, who did it, and the alert as it is now."""

    change: Change
    at: datetime
    actor: str
    alert: Alert


class AlertChanges(Struct, frozen=True, kw_only=True):
    """Changes, oldest first; ``cursor`` is the ``after`` of the next question."""

    changes: Sequence[AlertChange]
    cursor: str


class Hour(Struct, frozen=True, kw_only=True):
    """How many alerts opened and how many cleared in the hour that begins then."""

    hour: datetime
    opened: int
    cleared: int


class Trend(Struct, frozen=True, kw_only=True):
    """Hours, oldest first; the last one is not over."""

    hours: Sequence[Hour]


def alert_of(row: Record) -> Alert:
    """Return the answer for a row of an alert."""
    more = {"state": _state(row), "severity_name": SEVERITIES[row["severity"]]}
    return convert(dict(row) | more, Alert)


def change_of(row: Record) -> AlertChange:
    """Return the answer for a row of what became of an alert."""
    return AlertChange(change=row["change"], at=row["at"], actor=row["actor"], alert=alert_of(row))


def _state(row: Record) -> State:
    if row["cleared_at"]:
        return "cleared"
    return "acknowledged" if row["acknowledged_at"] else "open"
