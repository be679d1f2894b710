"""Fills what the app does not have out of the recorder: by itself what was lost, and on demand what was before.

The app keeps the gaps, and closes one only when it is told that all of it was handed over. Whatever stops a filling
in the middle, the gap is open still, and is filled from its beginning again. That writes nothing twice: a change out
of the recorder has the series of its live event, and its time to the microsecond.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from homeassistant.core import callback

from .coverage import Stretch
from .errors import AppError, CannotConnect
from .recorder_history import RecorderFault, RecorderHistory, async_recorder_history
from .started import async_until_started
from .supply import Link, Report, Supply
from .time_us import time_us

_LOGGER = logging.getLogger(__name__)

INTERVAL_S: Final = 300.0


class Backfill:
    """Follows the gaps of one app, and fills one after the other.

    Attributes:
        counts: Since the entry was loaded: gaps ``closed``, changes ``sent`` and ``missed`` in them, gaps
            ``uncertain`` of which nobody knows how many are missed, and ``faults`` that nobody foresaw.
        filling: What is being filled now.
        trouble: Why the last attempt failed, or None.
    """

    def __init__(self, link: Link) -> None:
        self.counts: Counter[str] = Counter()
        self.filling: Stretch | None = None
        self.trouble: str | None = None
        self._link = link
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._said: set[str] = set()
        self._said_no_recorder = False

    @callback
    def async_wake(self) -> None:
        """Look for gaps now: there may be a new one, or the app is back."""
        self._wake.set()

    async def run(self) -> None:
        """Fill gaps until cancelled, from when Home Assistant has started: before, the recorder writes nothing."""
        await async_until_started(self._link.hass)
        while True:
            await self._until_worthwhile()
            try:
                await self._fill_gaps()
                self.trouble = None
                self._said.clear()
            except (AppError, RecorderFault) as err:
                self._note(err)
            except Exception as err:
                self.counts["faults"] += 1
                self.trouble = repr(err)
                _LOGGER.exception("Unforeseen error while gaps were filled")

    async def async_fill(self, start_us: int, end_us: int) -> Report:
        """Hand over what the app does not have between two instants: its gaps, and what was before it had anything.

        Raises:
            AppError, RecorderFault: It ended in the middle. What was handed over by then is there.
        """
        link = self._link
        async with self._one_at_a_time:
            history = await self._settled_history()
            supply = Supply(link, history)
            coverage = await link.client.coverage(link.source, start_us, end_us)
            for stretch in await history.async_clip(coverage.before()):
                await supply.async_hand_over(stretch)
                await self._complete(stretch, missed=0)  # nobody had promised to keep what was before
            for gap in coverage.gaps():
                await self._close(gap, supply, history)
            held = await history.async_count(start_us, end_us)
            supply.report.skipped_covered = max(0, held - supply.report.read)
            return supply.report

    async def async_fill_entities(self, start_us: int, end_us: int, entity_ids: Collection[str]) -> Report:
        """Hand over all of some entities: that the app has a stretch does not mean that it has these.

        Raises:
            AppError, RecorderFault: As in ``async_fill``.
        """
        async with self._one_at_a_time:
            supply = Supply(self._link, await self._settled_history())
            await supply.async_hand_over(Stretch(start_us, end_us), entity_ids)
            return supply.report

    async def _until_worthwhile(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(INTERVAL_S):
                await self._wake.wait()
        self._wake.clear()

    async def _settled_history(self) -> RecorderHistory:
        if (history := async_recorder_history(self._link.hass)) is None:
            raise RecorderFault("there is none")
        await history.async_settle()
        return history

    async def _fill_gaps(self) -> None:
        """Close every gap that the app knows of."""
        link = self._link
        await link.client.info()  # raises when its version does not fit
        async with self._one_at_a_time:
            gaps = (await link.client.coverage(link.source, 0, _now_us())).gaps()
            if gaps and async_recorder_history(link.hass) is None:
                self._say_no_recorder()
                for gap in gaps:
                    await self._complete(gap, missed=gap.events)
            elif gaps:
                history = await self._settled_history()
                for gap in gaps:
                    await self._close(gap, Supply(link, history), history)

    async def _close(self, gap: Stretch, supply: Supply, history: RecorderHistory) -> None:
        """Hand over what the recorder has of a gap, and tell what it does not have."""
        span = f"from {_clock(gap.start_us)} to {_clock(gap.end_us)}"
        _LOGGER.info("Filling the gap %s out of the recorder", span)
        self.filling = gap
        try:
            sent = await supply.async_hand_over(gap)
            missed = await self._missed(gap, sent, history)
            await self._complete(gap, missed)
        finally:
            self.filling = None
        self.counts["sent"] += sent
        lost = "an unknown number" if missed is None else missed
        _LOGGER.info("Filled the gap %s with %d changes, %s are missing", span, sent, lost)

    async def _missed(self, gap: Stretch, sent: int, history: RecorderHistory) -> int | None:
        """Return how many changes of a gap nobody has any more, or None when that cannot be known."""
        if gap.events is not None:
            return max(0, gap.events - sent)
        link = self._link
        unrecorded = (one for one in link.hass.states.async_entity_ids() if not history.async_records(one))
        is_recorded = not any(map(link.entity_filter.async_forwards, unrecorded))
        if is_recorded and await history.async_is_whole(gap.start_us, gap.end_us):
            return 0
        return None

    async def _complete(self, stretch: Stretch, missed: int | None) -> None:
        """Tell the app that there is no more to come."""
        link = self._link
        await link.lane.send(lambda: link.client.complete(link.source, stretch.start_us, stretch.end_us, missed))
        self.counts["closed"] += 1
        self.counts["uncertain"] += missed is None
        self.counts["missed"] += missed or 0

    def _note(self, err: AppError | RecorderFault) -> None:
        """Keep why gaps stay open for now. That the app is away is for the forwarder to say."""
        self.trouble = str(err)
        if isinstance(err, RecorderFault):
            self._say_once("Gaps stay open for now, the recorder cannot fill them: %s", err)
        elif not isinstance(err, CannotConnect):
            self._say_once("Gaps stay open for now, HomeIQ does not let them be filled: %s", err)

    def _say_no_recorder(self) -> None:
        if not self._said_no_recorder:
            _LOGGER.warning("There is no recorder to fill gaps from: what HomeIQ did not get stays missing")
        self._said_no_recorder = True

    def _say_once(self, text: str, *details: object) -> None:
        """Warn, unless that was said since gaps could be filled last."""
        if text not in self._said:
            self._said.add(text)
            _LOGGER.warning(text, *details)


def _now_us() -> int:
    return time_us(time.time())


def _clock(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us / 1e6, UTC).isoformat(sep=" ", timespec="seconds")
