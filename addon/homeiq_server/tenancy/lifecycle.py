"""What becomes of a subscription as time goes by. Pure."""

from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

REMINDERS: Final = (90, 60, 30, 14, 7, 1)
"""The days before the end of a term at which somebody is reminded of it."""

AHEAD: Final = timedelta(days=max(REMINDERS))
"""How long before its end the first thing can happen to a subscription."""

type Running = Literal["TRIAL", "ACTIVE", "GRACE"]
type Status = Literal["TRIAL", "ACTIVE", "GRACE", "SUSPENDED", "EXPIRED"]


class Term(Struct, frozen=True, kw_only=True):
    """A subscription that runs and has an end.

    Attributes:
        kind: MAIN, ADDON, TRIAL or TEMPORARY.
        grace_days: How long after the end devices may still send.
    """

    kind: str
    status: Running
    start: datetime
    end: datetime
    grace_days: int


def status_at(term: Term, now: datetime) -> Status:
    """Return the status that a subscription has by now: GRACE from its end on, then SUSPENDED.

    What was meant to end, a TRIAL or TEMPORARY one, is EXPIRED instead.
    """
    if now < term.end:
        return term.status
    if now < term.end + timedelta(days=term.grace_days):
        return "GRACE"
    return "EXPIRED" if term.kind in ("TRIAL", "TEMPORARY") else "SUSPENDED"


def reminders_at(term: Term, now: datetime) -> list[int]:
    """Return the reminders whose time has come, the newest one last.

    A term that began later than a reminder would have been due has none of it; nor has an ADDON, which ends with its
    parent, nor what has ended already.
    """
    if term.kind == "ADDON" or now >= term.end:
        return []
    due = ((days, term.end - timedelta(days=days)) for days in REMINDERS)
    return [days for days, at in due if term.start < at <= now]
