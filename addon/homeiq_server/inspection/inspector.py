"""Watches what comes in, judges it every minute, and keeps the store up to date.

Nothing here may cost an event: history goes on whatever happens to the insights. What comes in before the store has
told what was known is not observed; that is a gap for the engines, and they know what a gap is.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from homeiq_server.errors import RetryLater
from homeiq_server.insights.finding import Facts, Report
from homeiq_server.model import Event, Position
from homeiq_server.registry import Removed, Rows
from homeiq_server.status import utc_or_none
from homeiq_server.status.shape import InsightsStatus
from homeiq_server.store import checkpoints, registry
from homeiq_server.store.pool import Tenants
from homeiq_server.wire import Batch

from .round import Pending, bring, checkpoint, evaluate, prune
from .sources import Source, Sources

_LOGGER = logging.getLogger(__name__)

HOME: Final = "home"
ROUND_S: Final = 60
CHECKPOINT_US: Final = 300 * 1_000_000
_SOON_S: Final = 2
_AGAIN_S: Final = 5
_DAY_S: Final = 86_400
_HISTORY_KEPT_US: Final = 90 * _DAY_S * 1_000_000


class Inspector:
    """The insights of one server, for the tenant ``home``."""

    def __init__(
        self, store: Tenants, *, hourly_days: int = 30, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        """Keep the hours of numbers for ``hourly_days``."""
        self._store = store
        self._hours_kept_us = hourly_days * _DAY_S * 1_000_000
        self._now_us = now_us
        self._sources = Sources()
        self._pending: defaultdict[str, Pending] = defaultdict(Pending)
        self._conditions: dict[str, Counter[str]] = {}
        self._restored = False
        self._outdated = False
        self._changed = asyncio.Event()
        self._begun_us = now_us()
        self._evaluated_us: int | None = None
        self._checkpoint_us: int | None = None
        self._pruned_us = 0
        self._away = False
        self._faults = 0

    def observe(self, batch: Batch[Event]) -> None:
        """Take in events that have just been stored. Never raises."""
        if self._restored and (source := self._sources.get(batch.position.source)):
            self._guarded(lambda: self._observe(source, batch))

    def hear(self, name: str, report: Report) -> None:
        """Take in what a Home Assistant tells every five minutes. Never raises."""
        if self._restored and (source := self._sources.get(name)):
            self._guarded(lambda: self._hear(source, report))

    def sight(self, identifier: tuple[str, str], at_us: int, link_quality: int | None) -> None:
        """Take in that a hub has heard a device, in whatever home it is. Never raises."""
        if self._restored:
            for source in self._sources:
                self._guarded(partial(source.engine.sight, identifier, at_us, link_quality))

    def place(self, name: str, rows: Rows, removed: Removed | None) -> None:
        """Take in what the registries of a Home Assistant say, all (``removed`` is None) or what changed.

        The store has it already: while it still tells what was known, it is asked once more.
        """
        self._outdated = True
        if self._restored:
            self._guarded(lambda: self._sources.place(name, rows, removed))
            self._changed.set()

    def facts(self, device_id: str) -> Facts | None:
        """Return what was measured of a device last, None when nothing was since the start."""
        return self._sources.facts(device_id)

    async def run(self) -> None:
        """Restore what was known, then judge every minute, until cancelled."""
        while not self._restored:
            await self._try(self.restore)
            if not self._restored:
                await asyncio.sleep(_AGAIN_S)
        while True:
            await self._pause()
            await self._try(self.round)
            if self._now_us() - (self._checkpoint_us or self._begun_us) >= CHECKPOINT_US:
                await self._try(self.checkpoint)
                await self._try(self.prune)

    async def _pause(self) -> None:
        """Wait for a minute, or for a moment when the registries change: who tidies up wants to see it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ROUND_S):
                await self._changed.wait()
                await asyncio.sleep(_SOON_S)
        self._changed.clear()

    async def round(self) -> None:
        """Judge everything now, and bring it to the store.

        Raises:
            RetryLater: The store is away.
        """
        for source in self._sources:
            if source.heard:
                evaluation = await evaluate(source.engine, self._now_us())
                self._conditions[source.name] = Counter(condition.kind.value for condition in evaluation.conditions)
                await bring(self._store, HOME, source.engine, evaluation, self._pending[source.name])
        self._evaluated_us = self._now_us()

    async def close(self) -> None:
        """Bring what is remembered to the store, once; nothing may be observed any more."""
        if self._restored:
            await self._try(self.checkpoint)

    def status(self) -> InsightsStatus:
        """Return how it goes; no I/O."""
        engines = [source.engine for source in self._sources]
        return InsightsStatus(
            tracked=sum(engine.tracked for engine in engines),
            evicted=sum(engine.evicted for engine in engines),
            evaluated_at=utc_or_none(self._evaluated_us),
            checkpoint_at=utc_or_none(self._checkpoint_us),
            sources=len(engines),
            conditions=sum(self._conditions.values(), Counter()),
            faults=self._faults,
        )

    def _observe(self, source: Source, batch: Batch[Event]) -> None:
        position: Position = batch.position
        source.listen(position.stream, position.started_us or self._now_us())
        source.engine.observe(batch.items.good)
        self._sources.keep_bounded()

    def _hear(self, source: Source, report: Report) -> None:
        source.listen(report.stream, report.at_us)
        source.engine.hear(report)
        self._sources.keep_bounded()

    async def restore(self) -> None:
        """Begin with what the store knows.

        Raises:
            RetryLater: The store is away, or the registries changed meanwhile.
        """
        self._outdated = False
        sources, saved = Sources(), defaultdict[str, list[tuple[str, bytes]]](list)
        async with self._store.tenant(HOME) as connection:
            for name in await registry.sources(connection, HOME):
                sources.place(name, await registry.load(connection, HOME, name), None)
            async for name, key, state in checkpoints.load(connection, HOME):
                saved[name].append((key, state))
        if self._outdated:
            raise RetryLater("the registries changed while they were read")
        for source in sources:
            source.engine.restore(saved.pop(source.name, []))
        self._sources = sources
        self._restored = True

    async def checkpoint(self) -> None:
        """Bring what is remembered to the store.

        Raises:
            RetryLater: The store is away.
        """
        for source in self._sources:
            await checkpoint(self._store, HOME, source.engine, self._pending[source.name])
        self._checkpoint_us = self._now_us()

    async def prune(self) -> None:
        """Delete what is older than it is kept, once a day.

        Raises:
            RetryLater: The store is away.
        """
        now_us = self._now_us()
        if now_us - self._pruned_us > _DAY_S * 1_000_000:
            await prune(
                self._store, HOME, now_us=now_us, hours_kept_us=self._hours_kept_us, history_kept_us=_HISTORY_KEPT_US
            )
            self._pruned_us = now_us

    async def _try(self, what: Callable[[], Awaitable[None]]) -> None:
        """Do what may fail; a store that is away is told of once, a fault of ours each time."""
        try:
            await what()
        except RetryLater as err:
            if not self._away:
                _LOGGER.info("the insights wait for the store: %s", err)
            self._away = True
        except Exception:
            self._faults += 1
            _LOGGER.exception("the insights failed, history is not concerned; please report this")
        else:
            self._away = False

    def _guarded(self, what: Callable[[], None]) -> None:
        """Do what may not fail: the events are stored, and their sender waits for the answer."""
        try:
            what()
        except Exception:
            self._faults += 1
            if self._faults == 1:
                _LOGGER.exception("the insights failed, history is not concerned; please report this")
