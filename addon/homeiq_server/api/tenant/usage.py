"""``/tenant/v1/usage``: what the tenant's devices sent, and how much of what he may have is taken."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from asyncpg import Record
from msgspec import Struct, field

from homeiq_server.errors import Rejected
from homeiq_server.store import ingest_counts

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, Operation, Reply
from .times import Moment, checked, now

_ACCEPTED: Final = "ACCEPTED"
_DAY: Final = timedelta(days=1)
_LONGEST: Final = {"hour": timedelta(days=31), "day": timedelta(days=400)}
_USUAL: Final = {"hour": _DAY, "day": timedelta(days=30)}


class Rates(Protocol):
    """How much the devices of a tenant may send that has no limits of its own."""

    @property
    def ingest_tenant_rate(self) -> int:
        """Messages a second."""
        ...

    @property
    def ingest_tenant_burst(self) -> int:
        """How many at once."""
        ...


class UsageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which time is asked for: the day until now, or 30 days of it by day, unless it is said otherwise."""

    since: Moment | None = field(name="from", default=None)
    until: Moment | None = field(name="to", default=None)
    by: Literal["hour", "day"] = "hour"


class Outcome(Struct, frozen=True, kw_only=True):
    """Messages with one outcome; ``bytes`` are those of their payloads."""

    messages: int
    metrics: int
    bytes: int


class Usage(Struct, frozen=True, kw_only=True):
    """What came in a time.

    Attributes:
        messages: All of them.
        accepted: Those that were taken.
        refused: Those that were not.
        metrics: Of those that were taken.
        bytes: Of all payloads.
        outcomes: The same by ``ACCEPTED`` and the reasons of refusals.
    """

    messages: int
    accepted: int
    refused: int
    metrics: int
    bytes: int
    outcomes: Mapping[str, Outcome]


class UsageAt(Struct, frozen=True, kw_only=True):
    """What came in an hour, or in a day of UTC, that began at ``at``."""

    at: datetime
    usage: Usage


class Limits(Struct, frozen=True, kw_only=True):
    """What the tenant may have, as of now.

    Attributes:
        devices: That take a place, because they are in use or are about to be.
        device_limit: Places of all subscriptions in force; null when there is no limit.
        messages_per_second: That all of his devices together may send.
        messages_burst: How many of them at once.
    """

    devices: int
    device_limit: int | None
    messages_per_second: float
    messages_burst: int


class UsageAnswer(Struct, frozen=True, kw_only=True):
    """What came, all in all and one time after the other; times in which nothing came are left out.

    Attributes:
        since: Where it begins: the beginning of the hour or day of what was asked for.
        until: Where it ends; hours that begin later are not counted.
        total: All of it.
        usage: The same by hour or day, oldest first; the newest seconds may not be counted yet.
        limits: What the tenant may have.
    """

    since: datetime = field(name="from")
    until: datetime = field(name="to")
    total: Usage
    usage: list[UsageAt]
    limits: Limits


class _Usages:
    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    async def get(self, call: Call[UsageQuery, NoBody]) -> Reply:
        since, until = _asked(call.query)
        async with call.conn() as conn:
            rows = await ingest_counts.between(conn, call.tenant_id, since=since, until=until, by=call.query.by)
            places = await ingest_counts.places(conn, call.tenant_id)
        by_time: dict[datetime, list[Record]] = {}
        for row in rows:
            by_time.setdefault(row["at"], []).append(row)
        answer = UsageAnswer(
            since=since,
            until=until,
            total=_usage_of(rows),
            usage=[UsageAt(at=at, usage=_usage_of(of_time)) for at, of_time in by_time.items()],
            limits=Limits(
                devices=places["taken"],
                device_limit=places["places"],
                messages_per_second=places["messages_per_second"] or self._rates.ingest_tenant_rate,
                messages_burst=places["messages_burst"] or self._rates.ingest_tenant_burst,
            ),
        )
        return Reply(content=answer)


def _asked(query: UsageQuery) -> tuple[datetime, datetime]:
    """Return the time that is asked for; the hour or day in which it begins counts in full.

    Raises:
        Rejected: It is none, or too long.
    """
    until = now() if query.until is None else checked(query.until, field="to")
    since = until - _USUAL[query.by] if query.since is None else checked(query.since, field="from")
    if since >= until:
        raise Rejected("from, to: from must be earlier than to, which is now unless given")
    if until - since > _LONGEST[query.by]:
        raise Rejected(f"from, to: at most {_LONGEST[query.by].days} days by {query.by} can be asked for at once")
    since = since.replace(minute=0, second=0, microsecond=0)
    return (since if query.by == "hour" else since.replace(hour=0)), until


def _usage_of(rows: Iterable[Record]) -> Usage:
    outcomes: dict[str, Outcome] = {}
    for row in rows:
        before = outcomes.get(row["outcome"], Outcome(messages=0, metrics=0, bytes=0))
        outcomes[row["outcome"]] = Outcome(
            messages=before.messages + row["messages"],
            metrics=before.metrics + row["metrics"],
            bytes=before.bytes + row["bytes"],
        )
    messages = sum(each.messages for each in outcomes.values())
    accepted = outcomes[_ACCEPTED].messages if _ACCEPTED in outcomes else 0
    return Usage(
        messages=messages,
        accepted=accepted,
        refused=messages - accepted,
        metrics=sum(each.metrics for each in outcomes.values()),
        bytes=sum(each.bytes for each in outcomes.values()),
        outcomes=outcomes,
    )


def operations(rates: Rates) -> tuple[AnyOperation, ...]:
    """Return what can be asked about usage."""
    return (
        Operation(
            method="GET",
            path="/tenant/v1/usage",
            tag="Usage",
            summary="Count what devices sent, by hour or day, and tell how much more there may be",
            scope=Scope.USAGE_READ,
            query=UsageQuery,
            body=NoBody,
            answer=UsageAnswer,
            handle=_Usages(rates).get,
        ),
    )
