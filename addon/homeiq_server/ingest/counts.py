"""What devices sent, counted by tenant, hour and outcome; the store gets the counts every few seconds."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from homeiq_server.errors import HomeIQError
from homeiq_server.store import ingest_counts
from homeiq_server.store.ingest_counts import Count
from homeiq_server.store.pool import Workers

_LOGGER = logging.getLogger(__name__)

FLUSH_S: Final = 5
_LAST_FLUSH_S: Final = 2
_MOST: Final = 50_000
_AT_ONCE: Final = 5_000
_PRUNE_S: Final = 3_600
_HOUR_US: Final = 3_600_000_000
_KEPT_US: Final = 400 * 24 * _HOUR_US  # a year can be compared with the one before

type _Place = tuple[str, int, str]


@dataclass(slots=True)
class _Sum:
    messages: int = 0
    metrics: int = 0
    size: int = 0


class Counts:
    """Gathers counts; while the store is down they wait here.

    There is one sum for each tenant, hour and outcome. When there are ``limit`` of them, because the store has been
    down for long, messages of another tenant, hour or outcome are not counted any more.

    Attributes:
        uncounted: Messages for which there was no room, since the start.
        faults: How many times a fault of our own kept counts from the store; they wait.
    """

    def __init__(
        self, store: Workers, *, limit: int = _MOST, now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    ) -> None:
        self.uncounted = 0
        self.faults = 0
        self._store = store
        self._limit = limit
        self._now_us = now_us
        self._sums: dict[_Place, _Sum] = {}

    def __len__(self) -> int:
        """Return how many sums wait."""
        return len(self._sums)

    def add(self, tenant_id: str, outcome: str, *, metrics: int = 0, size: int = 0) -> None:
        """Count a message of a tenant.

        Args:
            tenant_id: Whose.
            outcome: ``ACCEPTED``, or the reason of a refusal.
            metrics: How many were taken of it.
            size: Of its payload, in bytes.
        """
        now_us = self._now_us()
        self._add((tenant_id, now_us - now_us % _HOUR_US, outcome), _Sum(1, metrics, size))

    async def run(self) -> NoReturn:
        """Bring the counts to the store until cancelled, and then once more."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_pruning(), name="counts: pruning")
                while True:
                    await asyncio.sleep(FLUSH_S)
                    await self._try(self.flush)
        finally:
            try:
                async with asyncio.timeout(_LAST_FLUSH_S):
                    await self._try(self.flush)
            except TimeoutError:
                _LOGGER.warning("the store does not answer: what devices sent lately is not in the usage")

    async def flush(self) -> None:
        """Bring the counts to the store.

        A server that dies between its commit and its answer leaves it open whether they were taken: then they are
        added once more.

        Raises:
            RetryLater: The store is down; they wait.
        """
        while self._sums:
            taken = {place: self._sums.pop(place) for place in list(self._sums)[:_AT_ONCE]}
            try:
                async with self._store.worker() as conn:
                    await ingest_counts.add(conn, [_count(*each) for each in taken.items()])
            except BaseException:
                self._give_back(taken)
                raise

    async def prune(self) -> None:
        """Forget what is older than 400 days.

        Raises:
            RetryLater: The store is down.
        """
        async with self._store.worker() as conn:
            await ingest_counts.prune(conn, self._now_us() - _KEPT_US)

    async def _keep_pruning(self) -> NoReturn:
        while True:
            await self._try(self.prune)
            await asyncio.sleep(_PRUNE_S)

    async def _try(self, what: Callable[[], Awaitable[None]]) -> None:
        try:
            await what()
        except HomeIQError as err:
            _LOGGER.debug("counts wait for the store: %s", err)
        except Exception:
            self.faults += 1
            if self.faults == 1:
                _LOGGER.exception("what devices send cannot be counted; please report this")

    def _give_back(self, taken: Mapping[_Place, _Sum]) -> None:
        for place, sums in taken.items():
            self._add(place, sums)

    def _add(self, place: _Place, more: _Sum) -> None:
        if (sums := self._sums.get(place)) is None:
            if len(self._sums) >= self._limit:
                self.uncounted += more.messages
                return
            sums = self._sums[place] = _Sum()
        sums.messages += more.messages
        sums.metrics += more.metrics
        sums.size += more.size


def _count(place: _Place, sums: _Sum) -> Count:
    tenant_id, hour_us, outcome = place
    return Count(
        tenant_id=tenant_id,
        hour_us=hour_us,
        outcome=outcome,
        messages=sums.messages,
        metrics=sums.metrics,
        size=sums.size,
    )
