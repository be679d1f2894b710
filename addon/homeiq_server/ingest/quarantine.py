"""Refused messages, kept so that somebody can find out what is wrong with a device and send them once more.

What is kept is a sample: of each tenant and reason so many a minute and so many in all, so that no device can fill the
disk. All of them are counted, here or not.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from homeiq_server.errors import HomeIQError
from homeiq_server.store import quarantine
from homeiq_server.store.pool import Workers
from homeiq_server.store.quarantine import NewRow
from homeiq_server.store.texts import storable

from .message import Inbound, Reason, Refused

_LOGGER = logging.getLogger(__name__)

PAYLOAD_BYTES: Final = 16 * 1024
"""Of a payload so many are kept; what is longer can be looked at, but not replayed."""

A_MINUTE: Final = 60
"""So many of a tenant and reason are kept each minute, at most."""

_TOPIC_LETTERS: Final = 512  # the longest that is a message's has some 350
_NAME_LETTERS: Final = 128
DETAIL_LETTERS: Final = 1_000
_PRUNE_S: Final = 3_600
_AGAIN_S: Final = 60
_DAY_US: Final = 86_400_000_000

type _Group = tuple[str, Reason]


class Quarantine:
    """The way into the quarantine.

    Attributes:
        left_out: Messages that were not kept because there were too many like them, since the start.
        faults: How many times a fault of our own kept it from being pruned.
    """

    def __init__(
        self,
        store: Workers,
        *,
        kept: int,
        days: int,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep nothing yet.

        Args:
            store: Where messages are kept.
            kept: How many of each tenant and reason; of two servers that add in the same instant a few more, until
                the next is added. 0 keeps none.
            days: For how long.
            now_us: The time.
            clock: In seconds; goes on whatever the time does.
        """
        self.left_out = 0
        self.faults = 0
        self._store = store
        self._kept = kept
        self._days = days
        self._now_us = now_us
        self._clock = clock
        self._minute = 0
        self._sampled: Counter[_Group] = Counter()

    async def keep(self, refused: Sequence[tuple[Inbound, Refused]]) -> None:
        """Return once a sample of them is on disk; replays, which are in the quarantine already, are left alone.

        Raises:
            RetryLater: Nothing can be kept now; nothing was.
        """
        sample = self._sample(refused)
        if not sample:
            return
        try:
            async with self._store.worker() as conn:
                await quarantine.keep(conn, [_row(*each) for each in sample], kept=self._kept)
        except BaseException:
            self._sampled.subtract(_group(verdict) for _, verdict in sample)
            raise

    async def run(self) -> NoReturn:
        """Remove what is too old and too much, each hour, and a minute after the store was away, as at a start."""
        while True:
            pause_s = _PRUNE_S
            try:
                await self.prune()
            except HomeIQError as err:
                _LOGGER.debug("the quarantine is not pruned this time: %s", err)
                pause_s = _AGAIN_S
            except Exception:
                self.faults += 1
                _LOGGER.exception("the quarantine cannot be pruned; please report this")
            await asyncio.sleep(pause_s)

    async def prune(self) -> None:
        """Remove what is too old and too much.

        Raises:
            RetryLater: The store is down.
        """
        before_us = self._now_us() - self._days * _DAY_US
        async with self._store.worker() as conn:
            await quarantine.prune(conn, kept=self._kept, before_us=before_us)

    def _sample(self, refused: Sequence[tuple[Inbound, Refused]]) -> list[tuple[Inbound, Refused]]:
        if (minute := int(self._clock() // 60)) != self._minute:
            self._minute = minute
            self._sampled.clear()
        most = min(self._kept, A_MINUTE)
        sample = []
        for inbound, verdict in refused:
            if inbound.replay_of is not None:
                continue
            if self._sampled[_group(verdict)] >= most:
                self.left_out += 1
                continue
            self._sampled[_group(verdict)] += 1
            sample.append((inbound, verdict))
        return sample


def _group(verdict: Refused) -> _Group:
    return verdict.tenant_id, verdict.reason


def _row(inbound: Inbound, verdict: Refused) -> NewRow:
    return NewRow(
        tenant_id=verdict.tenant_id,
        received_us=inbound.received_us,
        transport=inbound.transport,
        topic=storable(inbound.topic, _TOPIC_LETTERS),
        device_id=None if verdict.device_id is None else storable(verdict.device_id, _NAME_LETTERS),
        reason=verdict.reason,
        detail=storable(verdict.detail, DETAIL_LETTERS),
        payload=inbound.payload[:PAYLOAD_BYTES],
        size=len(inbound.payload),
        authenticated=verdict.authenticated,
    )
