"""Looks every hour what has become of the subscriptions' terms.

Every server may do it at once: each subscription is locked, and what one has done the next one finds done.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn, Protocol
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from homeiq_server.errors import RetryLater
from homeiq_server.store import subscription_audit, subscriptions, terms
from homeiq_server.store.pool import Conn, Workers

from .lifecycle import AHEAD, Term, reminders_at, status_at

_LOGGER = logging.getLogger(__name__)

ACTOR: Final = "terms"
"""Who changes subscriptions here, in their audits."""

PERIOD_S: Final = 3_600
_AGAIN_S: Final = 60
_KEYS_KEPT: Final = timedelta(hours=48)


class Reminder(Struct, frozen=True, kw_only=True):
    """That a term will end.

    Attributes:
        days: How long before its end this is due; given late, the end is nearer.
    """

    tenant_id: str
    subscription_id: UUID
    term_end: datetime
    days: int


class OnReminder(Protocol):
    """Who delivers reminders."""

    async def __call__(self, conn: Conn, reminder: Reminder, /) -> None:
        """Take a reminder in the transaction in which it is noted as given: both happen, or neither."""
        ...


async def _nobody(_conn: Conn, _reminder: Reminder) -> None:
    """Deliver nothing; the audit and the log have it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Terms:
    """The terms of all tenants.

    Attributes:
        changed: How many subscriptions got another status, since the start.
        reminded: How many reminders were given, since the start.
    """

    def __init__(
        self, store: Workers, *, on_reminder: OnReminder = _nobody, now: Callable[[], datetime] = _now
    ) -> None:
        """Do nothing yet.

        Args:
            store: Of all tenants.
            on_reminder: Delivers reminders.
            now: The time, in UTC.
        """
        self.changed = 0
        self.reminded = 0
        self._store = store
        self._on_reminder = on_reminder
        self._now = now

    async def run(self) -> NoReturn:
        """Look every hour, and a minute after the store was away, until cancelled."""
        while True:
            pause = PERIOD_S
            try:
                await self.look()
            except RetryLater as err:
                _LOGGER.debug("the terms of subscriptions are looked at later: %s", err)
                pause = _AGAIN_S
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Bring every subscription to the status that is due now, give reminders, forget old keys of requests.

        Raises:
            RetryLater: The store is away; what is done so far stays done.
        """
        now = self._now()
        async with self._store.worker() as conn:
            await terms.forget_keys(conn, now - _KEYS_KEPT)
            tenants = await terms.concerned(conn, now + AHEAD)
        for tenant_id in tenants:
            try:
                await self._look_at(tenant_id, now)
            except RetryLater:
                raise
            except Exception:  # one tenant's rows must not hold up the others
                _LOGGER.exception("The terms of the tenant %s could not be looked at, they are in an hour", tenant_id)

    async def _look_at(self, tenant_id: str, now: datetime) -> None:
        told: list[tuple[str, tuple[object, ...]]] = []
        changed = reminded = 0
        async with self._store.tenant(tenant_id) as conn:
            for row in await terms.lock(conn, tenant_id, now + AHEAD):
                term = _term_of(row)
                if (status := status_at(term, now)) != term.status:
                    await subscriptions.change(conn, tenant_id, row, {"status": status}, event=status, actor=ACTOR)
                    told.append(("the subscription %s of %s is %s now", (row["id"], tenant_id, status)))
                    changed += 1
                elif days := await self._remind(conn, tenant_id, row, reminders_at(term, now), now):
                    told.append(("the subscription %s of %s ends in %d days", (row["id"], tenant_id, days)))
                    reminded += 1
        self.changed += changed
        self.reminded += reminded
        for text, values in told:
            _LOGGER.info(text, *values)

    async def _remind(self, conn: Conn, tenant_id: str, row: Record, due: list[int], now: datetime) -> int | None:
        """Give the newest of the reminders that are due, and note all; of those that were missed one is enough."""
        if not due:
            return None
        fresh = await terms.remind(conn, tenant_id, row["id"], row["term_end"], due, at=now)
        if (days := due[-1]) not in fresh:
            return None
        await subscription_audit.note(
            conn, tenant_id, row["id"], "REMINDER", actor=ACTOR, before=None, after=None, details={"days": days}
        )
        reminder = Reminder(tenant_id=tenant_id, subscription_id=row["id"], term_end=row["term_end"], days=days)
        await self._on_reminder(conn, reminder)
        return days


def _term_of(row: Record) -> Term:
    return Term(
        kind=row["kind"],
        status=row["status"],
        start=row["term_start"],
        end=row["term_end"],
        grace_days=row["grace_days"],
    )
