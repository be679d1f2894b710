"""Follows what devices say: keeps the newest of it, and lets alerts be what the rules make of it.

Nothing here may cost a message: it is stored already when it is observed. What is observed waits in memory; what dies
with it is said again by the next message, and what was kept is judged once more after a start.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NoReturn

from homeiq_server.errors import RetryLater
from homeiq_server.store import alert_upkeep
from homeiq_server.store.alert_rules import RuleKind
from homeiq_server.store.changes import Change, Changes
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Workers

from .absence import Absence
from .insight import HOME, Insight
from .judging import review, tidy
from .keeping import Keeping
from .pending import Observation, Pending
from .watched import Watched

_LOGGER = logging.getLogger(__name__)
_KINDS: Final[tuple[RuleKind, ...]] = ("THRESHOLD", "NO_HEARTBEAT", "NO_TELEMETRY", "INSIGHT")
_ROUND_S: Final = 1
_LOOK_US: Final = 5 * 1_000_000
_DAY_US: Final = 86_400 * 1_000_000
_EARLY: Final = 10_000
_REVIEWS_A_ROUND: Final = 50
_CHANGES_KEPT_DAYS: Final = 90


class Follower:
    """What watches the devices of all tenants, on one server."""

    def __init__(  # noqa: PLR0913 - the parts it needs, and two settings
        self,
        store: Workers,
        changes: Changes,
        *,
        listening_since_us: Callable[[], int | None],
        on_change: Callable[[str], None] = lambda _: None,
        alert_days: int = 365,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """Follow nothing yet.

        Args:
            store: Where all is kept.
            changes: Tells of rules and devices that change.
            listening_since_us: Returns since when all that devices send reaches us; None while it does not.
            on_change: Is told of each tenant that there is something new of; never raises.
            alert_days: How long alerts that are over are kept.
            now_us: The time.
        """
        self._faults = 0
        self._store = store
        self._listening_since_us = listening_since_us
        self._on_change = on_change
        self._alerts_kept = timedelta(days=alert_days)
        self._now_us = now_us
        self._pending = Pending()
        self._watched = Watched(store, changes)
        self._keeping = Keeping(store, self._pending, self._watched.metrics, on_change)
        self._absence = Absence(store, on_change)
        self._insight = Insight(store, on_change)
        self._many = asyncio.Event()
        self._review: set[str] = set()
        self._tidy: set[str] = set()
        self._review_all = True
        self._whole_since_us: int | None = None  # since when all that was heard is in the store
        self._dropped = 0
        self._looked_us = 0
        self._pruned_us = now_us()
        self._away = False
        changes.follow(self._heard, self._missed)

    @property
    def waiting(self) -> int:
        """How many devices said something that the store does not have yet."""
        return len(self._pending)

    @property
    def dropped(self) -> int:
        """How many messages are not reflected, because too many devices were waiting; since the start."""
        return self._pending.dropped

    @property
    def faults(self) -> int:
        """How many times a fault of our own kept a part from being done, since the start."""
        return self._faults + self._keeping.faults + self._absence.faults

    def observe(self, accepted: Sequence[Observation]) -> None:
        """Take in messages that have just been stored. Never raises."""
        try:
            self._pending.add(accepted, self._watched.metrics)
        except Exception:
            self._faults += 1
            _LOGGER.exception("messages could not be followed, they are stored; please report this")
        if len(self._pending) >= _EARLY and not self._away:
            self._many.set()

    async def run(self) -> NoReturn:
        """Do a round every second, or at once when much waits, until cancelled."""
        while True:
            await self.round()
            with suppress(TimeoutError):
                async with asyncio.timeout(_ROUND_S):
                    await self._many.wait()
            self._many.clear()

    async def close(self) -> None:
        """Bring to the store what still waits, once; nothing may be observed any more."""
        await self._try(self._flush)

    async def round(self) -> None:
        """Do what is due. Never raises; what the store does not take now is done in a later round."""
        parts: list[Callable[[], Awaitable[None]]] = [self._watched.refresh, self._flush, self._reviews]
        if self._now_us() - self._looked_us >= _LOOK_US:
            self._looked_us = self._now_us()
            parts.append(self._look)
        if self._now_us() - self._pruned_us >= _DAY_US:
            parts.append(self._prune)
        done = [await self._try(part) for part in parts]
        self._away = not all(done)

    async def _flush(self) -> None:
        await self._keeping.flush(self._now)
        if self._pending.dropped != self._dropped:
            self._dropped, self._whole_since_us = self._pending.dropped, None
        if self._whole_since_us is None:
            self._whole_since_us = self._now_us()

    async def _look(self) -> None:
        await self._absence.look(self._watched.tenants("NO_HEARTBEAT", "NO_TELEMETRY"), self._since, self._now)
        await self._insight.look(self._now)

    async def _reviews(self) -> None:
        if self._review_all:
            self._review |= self._watched.tenants(*_KINDS)
            self._review_all = False
        self._tidy &= self._watched.tenants(*_KINDS)  # who has no rule has no alert
        self._tidy -= self._review
        for tenants, what in ((self._review, review), (self._tidy, tidy)):
            for tenant_id in sorted(tenants)[:_REVIEWS_A_ROUND]:
                tenants.discard(tenant_id)
                try:
                    async with self._store.tenant(tenant_id) as conn:
                        await what(conn, tenant_id, now=self._now)
                except RetryLater:
                    tenants.add(tenant_id)
                    raise
                self._on_change(tenant_id)

    async def _prune(self) -> None:
        now = self._now
        await alert_upkeep.prune(
            self._store,
            alerts_before=now - self._alerts_kept,
            changes_before=now - timedelta(days=_CHANGES_KEPT_DAYS),
        )
        self._pruned_us = self._now_us()

    @property
    def _now(self) -> datetime:
        return moment(self._now_us())

    @property
    def _since(self) -> datetime | None:
        """Since when a device that was not heard was silent, as far as we can tell."""
        listening_us = self._listening_since_us()
        if listening_us is None or self._whole_since_us is None:
            return None
        return moment(max(listening_us, self._whole_since_us))

    def _heard(self, change: Change) -> None:
        if change.table == "alert_rules":
            self._review.add(change.tenant_id)
            if change.tenant_id == HOME:
                self._insight.forget()
        elif change.table == "ingest_devices":
            self._tidy.add(change.tenant_id)
            self._on_change(change.tenant_id)

    def _missed(self) -> None:
        self._review_all = True
        self._insight.forget()

    async def _try(self, what: Callable[[], Awaitable[None]]) -> bool:
        """Do what may fail, and return False when it has to be done later.

        A store that is away is told of once, a fault of ours each time.
        """
        try:
            await what()
        except RetryLater as err:
            if not self._away:
                _LOGGER.info("what devices say waits for the store: %s", err)
            self._away, self._whole_since_us = True, None
            return False
        except Exception:
            self._faults += 1
            _LOGGER.exception("the alerts failed, ingest is not concerned; please report this")
        return True
