"""From the event bus to the app: every state change, in order, at least once.

What is kept of a change is a tuple; its states and its context would be three times the memory in an outage. What
costs time happens in one background task, in slices, between which the event loop goes on. Not in the executor: Home
Assistant's encoder holds the interpreter's lock while it runs, so a thread would gain nothing, and integrations may
change what attributes refer to under its hands.

HomeIQ's own sensors are forwarded like any others. They change at most once per status poll, however much is
forwarded, so they cannot feed on themselves.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE, EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback

from .buffer import Buffer
from .client import AppClient
from .delivery import Delivery
from .errors import AppError, Busy, CannotConnect
from .filters import EntityFilter
from .labels import EntityLabels
from .time_us import time_us
from .wire import Change, Stream, as_change

_LOGGER = logging.getLogger(__name__)

GATHER_EVENTS: Final = 500
# A second, less what the way takes: VictoriaMetrics shows a change up to 4 s after it took it, and that is to make 5.
GATHER_S: Final = 0.9
PROBE_S: Final = 2.0
FLUSH_S: Final = 10.0
BACKOFF_S: Final = 1.0
LONGEST_BACKOFF_S: Final = 60.0


class Forwarder:
    """Takes every state change that the filter lets through, and hands it to the app.

    Attributes:
        buffer: What the app does not have yet.
        faults: How many unforeseen errors the background task has survived.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        client: AppClient,
        buffer: Buffer,
        *,
        on_turn: Callable[[], object],
        on_gap: Callable[[], object],
    ) -> None:
        """``on_turn`` is called when the app goes away, and when it is back; ``on_gap`` as ``Delivery`` says."""
        self.buffer = buffer
        self.faults = 0
        self._on_gap = on_gap
        self._client = client
        self._labels = EntityLabels(hass)
        self._on_turn = on_turn
        self._forwards: Callable[[EventStateChangedData], bool] | None = None
        self._whole_since_us = 0
        self._delivery: Delivery | None = None
        self._task: asyncio.Task[None] | None = None
        self._announced = False
        self._app_checked = False
        self._failures = 0
        self._wake = asyncio.Event()
        self._wake_at: float = inf

    @property
    def is_behind(self) -> bool:
        """Whether the app is owed so much that nothing else should take its time."""
        return len(self.buffer) >= GATHER_EVENTS

    @property
    def stream_id(self) -> str:
        """The uuid of the present stream, once it is started."""
        return "" if self._delivery is None else self._delivery.stream_id

    @callback
    def async_listen(self, hass: HomeAssistant, entry: ConfigEntry, entity_filter: EntityFilter) -> None:
        """Take in events from now on, until the entry is unloaded; nothing that could wait may come before this."""
        self._whole_since_us = time_us(time.time())
        entry.async_on_unload(
            hass.bus.async_listen(EVENT_STATE_CHANGED, self._async_on_removal, event_filter=self._async_on_change)
        )
        if not entity_filter.forwards_all:
            self._forwards = entity_filter.async_forwards_change
            entry.async_on_unload(entity_filter.async_listen())
        entry.async_on_unload(self._labels.async_listen())

    @callback
    def async_start(self, hass: HomeAssistant, entry: ConfigEntry, source: str) -> None:
        """Send what is taken in, until ``async_flush``. ``source`` is this Home Assistant's uuid."""
        stream = Stream(source, self._whole_since_us)
        self._delivery = Delivery(self._client, self.buffer, self._labels, stream, self._on_gap)
        self._task = entry.async_create_background_task(hass, self._run(self._delivery), "homeiq forwarder")
        # Background tasks end before the last states change; this is the last moment at which sessions are open.
        entry.async_on_unload(hass.bus.async_listen(EVENT_HOMEASSISTANT_FINAL_WRITE, self._async_on_final_write))

    async def async_flush(self) -> None:
        """End the background task and hand over what is left, once, in 10 s at most."""
        if self._delivery is None or self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(FLUSH_S):
                while self.buffer:
                    await self._send(self._delivery)
        except (TimeoutError, AppError) as err:
            _LOGGER.warning("Stopped with %d events that the app does not have: %s", len(self.buffer), err)

    async def _async_on_final_write(self, _: Event) -> None:
        await self.async_flush()

    @callback
    def _async_on_change(self, data: EventStateChangedData) -> bool:
        """Runs for every state change of the home, as the bus's filter; returns whether it is one that is removed.

        A filter is asked before the bus makes an event for its listener. An event and its context refer to each
        other, so each one is work for the garbage collector: that costs several times what is done here. A state
        knows its context and its time; only of a removal does nobody know them but the event.
        """
        if self._forwards is not None and not self._forwards(data):
            return False
        if (state := data["new_state"]) is None:
            return True
        # The time that the recorder keeps.
        self._take_in(as_change(data, state.context, state.last_updated_timestamp))
        return False

    @callback
    def _async_on_removal(self, event: Event[EventStateChangedData]) -> None:
        self._take_in(as_change(event.data, event.context, event.time_fired_timestamp))

    def _take_in(self, change: Change) -> None:
        self.buffer.add(change)
        if len(self.buffer.waiting) >= self._wake_at:
            self._wake.set()

    async def _run(self, delivery: Delivery) -> None:
        """Send until cancelled; the first batch, empty or not, announces the stream."""
        while True:
            if self._announced and not self.buffer.in_flight:
                await self._gather()
            try:
                await self._send(delivery)
                self._note_success()
            except AppError as err:
                await self._wait_out(err)
            except Exception:
                self.faults += 1
                _LOGGER.exception("Unforeseen error, %d events wait for another attempt", len(self.buffer))
                await asyncio.sleep(LONGEST_BACKOFF_S)

    async def _gather(self) -> None:
        """Wait until 500 events wait, or some have for ``GATHER_S``."""
        await self._until_waiting(1)
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                await self._until_waiting(GATHER_EVENTS)

    async def _until_waiting(self, count: int) -> None:
        """Return when the buffer has ``count`` events waiting."""
        if len(self.buffer.waiting) >= count:
            return
        self._wake.clear()
        self._wake_at = count
        try:
            await self._wake.wait()
        finally:
            self._wake_at = inf

    async def _send(self, delivery: Delivery) -> None:
        """Send one batch, to an app whose version is known to fit."""
        if not self._app_checked:
            await self._client.info()
            self._app_checked = True
        await delivery.send_next()

    def _note_success(self) -> None:
        """End an outage, if there was one."""
        self._announced = True
        if self._failures:
            _LOGGER.info(
                "HomeIQ takes events again after %d failed attempts: %d wait, %d were lost so far",
                self._failures,
                len(self.buffer),
                self.buffer.lost,
            )
            self._failures = 0
            self._on_turn()

    async def _wait_out(self, err: AppError) -> None:
        """Wait until another attempt makes sense: with full jitter, but no longer than the app is away."""
        self._app_checked = False
        self._failures += 1
        if self._failures == 1:
            _LOGGER.warning("HomeIQ does not take events, up to %d are held: %s", self.buffer.limit, err)
            self._on_turn()
        ceiling = min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** min(self._failures - 1, 10))
        delay = random.uniform(0, ceiling)  # noqa: S311 - spreads load, keeps no secret
        match err:
            case CannotConnect():
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._until_answered()
            case Busy():
                await asyncio.sleep(max(err.after or 0, delay))
            case _:  # A person must act, and what they do reloads the entry.
                await asyncio.sleep(LONGEST_BACKOFF_S)

    async def _until_answered(self) -> None:
        """Return when the app answers again, whatever it says."""
        while True:
            await asyncio.sleep(PROBE_S)
            try:
                await self._client.info()
            except CannotConnect:
                continue
            except AppError:
                pass
            return
