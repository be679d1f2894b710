"""Keeps the app's picture of the registries: whole once, then what changes.

A snapshot is sent when the app does not have the revision that was sent last in this run: after a start, or when it
was restored or replaced. Things that change while a snapshot is on its way are marked as always, and follow it in a
diff: the app ends with what is newest, whatever the snapshot had read of them before.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .errors import AppError, Busy, CannotConnect, NotFound, StaleRevision, TooLarge
from .registry_bodies import RegistryBodies
from .registry_marks import RegistryMarks
from .started import async_until_started
from .store_client import StoreClient
from .time_us import time_us

_LOGGER = logging.getLogger(__name__)


DEBOUNCE_S: Final = 2.0
CHECK_S: Final = 300.0
BACKOFF_S: Final = 1.0
LONGEST_BACKOFF_S: Final = 60.0
MOST_MARKS: Final = 1_000
"""What is more is not remembered one by one: a snapshot follows, which lets the event loop go on while it is built."""


class RegistrySync:
    """Tells one app what the registries have.

    Attributes:
        counts: Since the entry was loaded: ``snapshots``, ``diffs``, ``faults`` that nobody foresaw.
        revision: Of what the app was told last in this run, None before.
        trouble: Why the last attempt failed, or None.
    """

    def __init__(self, hass: HomeAssistant, client: StoreClient, source: str, is_off: Callable[[], bool]) -> None:
        """``is_off`` says whether the app's store is switched off: then nothing is sent, and nothing asked."""
        self.counts: Counter[str] = Counter()
        self.revision: int | None = None
        self.trouble: str | None = None
        self._hass = hass
        self._client = client
        self._source = source
        self._is_off = is_off
        self._bodies = RegistryBodies(hass, source)
        self._marks = RegistryMarks(hass, self._async_on_mark)
        self._changed = asyncio.Event()
        self._returned = asyncio.Event()
        self._must_check = True
        self._is_stale = True
        self._newest = 0

    @callback
    def async_listen(self) -> CALLBACK_TYPE:
        """Follow the registries; returns how to stop."""
        return self._marks.async_listen()

    @callback
    def async_check(self) -> None:
        """See what the app has now: it may be another one than before, or be back."""
        self._must_check = True
        self._returned.set()
        self._changed.set()

    async def run(self) -> None:
        """Keep the app's picture until cancelled, from when Home Assistant has started: until then much changes."""
        await async_until_started(self._hass)
        failures = 0
        while True:
            try:
                await self._catch_up()
                failures, self.trouble = 0, None
                await self._until_changed()
            except AppError as err:
                failures += 1
                self._note(err)
                await self._wait_out(err, failures)
            except Exception as err:
                self.counts["faults"] += 1
                self.trouble = repr(err)
                self._is_stale = True
                _LOGGER.exception("Unforeseen error while the registries were sent")
                await asyncio.sleep(LONGEST_BACKOFF_S)

    def _async_on_mark(self) -> None:
        if len(self._marks) > MOST_MARKS:
            self._is_stale = True
            self._marks.async_take()
        self._changed.set()

    async def _until_changed(self) -> None:
        """Return a while after a change, so that those which follow it are told with it."""
        try:
            async with asyncio.timeout(CHECK_S):
                await self._changed.wait()
        except TimeoutError:
            self._must_check = True
        self._changed.clear()
        self._returned.clear()
        if not self._must_check:
            await asyncio.sleep(DEBOUNCE_S)

    def _note(self, err: AppError) -> None:
        """Keep why the app is behind for now. That it is away is for the forwarder to say."""
        if self.trouble is None and not isinstance(err, (Busy, CannotConnect, NotFound, StaleRevision)):
            _LOGGER.warning("HomeIQ does not take what the registries have: %s", err)
        self.trouble = str(err)
        self._must_check = True
        if isinstance(err, StaleRevision):
            self._newest = max(self._newest, err.revision or 0)
        self._is_stale |= isinstance(err, (StaleRevision, TooLarge))

    async def _wait_out(self, err: AppError, failures: int) -> None:
        """Wait until another attempt makes sense: with full jitter, but no longer than the app is away."""
        if isinstance(err, StaleRevision) and failures == 1:
            return
        ceiling = min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** min(failures - 1, 10))
        delay = random.uniform(0, ceiling)  # noqa: S311 - spreads load, keeps no secret
        match err:
            case Busy():
                delay = max(err.after or 0, delay)
            case NotFound():  # It has no store: the status, or another app, will say when it has.
                delay = CHECK_S
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._returned.wait()
        self._returned.clear()

    async def _catch_up(self) -> None:
        """Tell what the app does not know; returns when nothing is left, or when nobody wants to know."""
        if self._is_off():
            self._is_stale = True
            self._marks.async_take()
            return
        if self._must_check:
            self._must_check = False
            theirs = await self._client.registry_revision(self._source)
            self._newest = max(self._newest, theirs or 0)
            self._is_stale |= theirs is None or theirs != self.revision
        if self._is_stale:
            await self._send_snapshot()
        elif self._marks:
            await self._send_diff()

    async def _send_snapshot(self) -> None:
        self._marks.async_take()
        self._is_stale = False  # what happens from here on is marked, or makes it stale again
        revision = self._next_revision()
        try:
            async with aclosing(self._bodies.async_snapshot(revision)) as parts:
                async for body in parts:
                    await self._client.send_registry(body)
        except BaseException:
            self._is_stale = True
            raise
        self.revision = revision
        self.counts["snapshots"] += 1

    async def _send_diff(self) -> None:
        marks = self._marks.async_take()
        revision = self._next_revision()
        try:
            body, ids = self._bodies.async_diff(marks, revision, self.revision)
            await self._client.send_registry(body)
        except BaseException:
            self._marks.async_put_back(marks)
            raise
        self._bodies.async_note(ids)
        self.revision = revision
        self.counts["diffs"] += 1

    def _next_revision(self) -> int:
        """Return the time at which the registries are read, later than any revision known; microseconds."""
        self._newest = max(self._newest + 1, time_us(time.time()))
        return self._newest
