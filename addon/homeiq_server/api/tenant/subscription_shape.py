"""How subscriptions are shown, and what is given of a new one."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from asyncpg import Record
from msgspec import Meta, Struct

from homeiq_server.api.parameters import Words
from homeiq_server.errors import Rejected
from homeiq_server.store.subscriptions import Kind, NewSubscription, Status

from .times import Moment, checked

type Limit = Annotated[int, Meta(ge=0, le=10_000_000)]
type Days = Annotated[int, Meta(ge=1, le=3_650)]
type GraceDays = Annotated[int, Meta(ge=0, le=365)]

_DAY: Final = timedelta(days=1)


class Subscription(Struct, frozen=True, kw_only=True):
    """A right to have devices.

    Attributes:
        parent_id: Of an ADDON, whose term it shares.
        device_limit: How many places it has; null: no limit.
        taken: How many of them are, counted now.
        free: How many are not; null: no limit.
        term_end: Null: no end.
        days_left: Until its end, begun ones counted; 0 after it.
        grace_days: How long after its end devices may still send.
    """

    id: UUID
    kind: Kind
    parent_id: UUID | None
    status: Status
    device_limit: int | None
    taken: int
    free: int | None
    term_start: datetime
    term_end: datetime | None
    days_left: int | None
    grace_days: int
    plan: str | None
    description: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class Summary(Struct, frozen=True, kw_only=True):
    """All subscriptions together with which devices may send (TRIAL, ACTIVE and GRACE).

    Attributes:
        device_limit: How many places they have; null: no limit.
        taken: How many of them are.
        free: How many are not; null: no limit.
        term_end: When the first of them ends; null: none does.
        days_left: Until then, begun ones counted; 0 after it.
    """

    subscriptions: int
    device_limit: int | None
    taken: int
    free: int | None
    term_end: datetime | None
    days_left: int | None


class Subscriptions(Struct, frozen=True, kw_only=True):
    """A page of subscriptions, oldest first; the summary is of all of them."""

    subscriptions: list[Subscription]
    summary: Summary
    next_cursor: str | None


class SubscriptionBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subscription that is to be made.

    Attributes:
        parent_id: Needed for an ADDON, whose term is the parent's.
        device_limit: Null: no limit.
        term_days: How long it lasts from now on; neither this nor term_end: for ever.
    """

    kind: Kind
    parent_id: UUID | None = None
    device_limit: Limit | None = None
    term_days: Days | None = None
    term_end: Moment | None = None
    grace_days: GraceDays = 14
    plan: Words | None = None
    description: Words | None = None

    def made(self, now: datetime) -> NewSubscription:
        """Return what is to be made now.

        Raises:
            Rejected: Its fields contradict one another.
        """
        if (self.kind == "ADDON") != (self.parent_id is not None):
            raise Rejected("parent_id: is needed for an ADDON, and for nothing else")
        if self.kind == "ADDON" and (self.term_days or self.term_end):
            raise Rejected("term_end: an ADDON ends with its parent: leave term_days and term_end out")
        return NewSubscription(
            kind=self.kind,
            parent_id=self.parent_id,
            device_limit=self.device_limit,
            term_end=end_of(self.term_days, self.term_end, start=now),
            grace_days=self.grace_days,
            plan=self.plan,
            description=self.description,
        )


def end_of(days: int | None, end: datetime | None, *, start: datetime) -> datetime | None:
    """Return when a term ends of which either the length or the end is given, or neither.

    Raises:
        Rejected: Both are given, or the end lies too far away.
    """
    if days is not None and end is not None:
        raise Rejected("term_end: give it or term_days, not both")
    if days is not None:
        return checked(start + days * _DAY, field="term_days")
    return None if end is None else checked(end, field="term_end")


def subscription_of(row: Record, now: datetime) -> Subscription:
    """Return how a subscription is shown."""
    limit: int | None = row["device_limit"]
    computed: dict[str, Any] = {
        "free": None if limit is None else max(0, limit - row["taken"]),
        "days_left": days_left(row["term_end"], now),
    }
    kept = {name: row[name] for name in Subscription.__struct_fields__ if name not in computed}
    return Subscription(**kept, **computed)


def summary_of(row: Record, now: datetime) -> Summary:
    """Return how the summary is shown."""
    kept = {name: row[name] for name in Summary.__struct_fields__ if name != "days_left"}
    return Summary(**kept, days_left=days_left(row["term_end"], now))


def days_left(end: datetime | None, now: datetime) -> int | None:
    """Return the days until an end, begun ones counted."""
    return None if end is None else max(0, -((now - end) // _DAY))
