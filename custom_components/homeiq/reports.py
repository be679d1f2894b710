"""Tells the app every five minutes when entities last reported, and what became of commands.

A device that says the same again has spoken, but no state has changed. That is read off the states instead of being
subscribed to: there are far too many of those events.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import batched
from typing import Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.json import json_bytes

from .commands import Commands, Told
from .errors import AppError
from .filters import EntityFilter
from .started import async_until_started
from .store_client import StoreClient
from .time_us import time_us

_LOGGER = logging.getLogger(__name__)

INTERVAL_S: Final = 300.0
MOST_ENTITIES: Final = 20_000
"""Of one request: 1 MiB, about."""
_SLICE_STATES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Who reports.

    Attributes:
        source: This Home Assistant, by its instance uuid.
        stream: Returns the stream that live events go under: with another one the app reckons with a restart.
    """

    source: str
    stream: Callable[[], str]


class Reports:
    """Reports to one app.

    Attributes:
        counts: Since the entry was loaded: ``reports``, ``commands``, ``faults`` that nobody foresaw.
        trouble: Why the last report failed, or None.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        client: StoreClient,
        origin: Origin,
        entity_filter: EntityFilter,
        is_off: Callable[[], bool],
    ) -> None:
        """``is_off`` says whether the app's store is switched off: then nothing is told."""
        self.counts: Counter[str] = Counter()
        self.trouble: str | None = None
        self._hass = hass
        self._client = client
        self._origin = origin
        self._filter = entity_filter
        self._is_off = is_off
        self._commands = Commands(hass)
        self._told: dict[str, int] = {}

    @callback
    def async_listen(self) -> CALLBACK_TYPE:
        """Follow the commands; returns how to stop."""
        return self._commands.async_listen()

    async def run(self) -> None:
        """Report until cancelled. What the app did not take goes with the next report."""
        await async_until_started(self._hass)
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.async_report()
                self.trouble = None
            except AppError as err:
                self.trouble = str(err)
            except Exception as err:
                self.counts["faults"] += 1
                self.trouble = repr(err)
                _LOGGER.exception("Unforeseen error while HomeIQ was told what has reported")

    async def async_report(self) -> None:
        """Report once; also when there is no news: that Home Assistant runs is one.

        Raises:
            AppError: The app has not taken it, or not all.
        """
        now_us = time_us(time.time())
        commands = self._commands.async_take(now_us)
        if self._is_off():
            return
        news = await self._news()
        try:
            for some in [*batched(news.items(), MOST_ENTITIES, strict=False)] or [()]:
                reported = dict(some)
                await self._client.report(self._body(now_us, reported, commands))
                self._told |= reported
                self.counts["commands"] += len(commands)
                commands = []
        except BaseException:
            self._commands.async_put_back(commands)
            raise
        self.counts["reports"] += 1

    async def _news(self) -> dict[str, int]:
        """Return when entities last reported, of those that are forwarded and have reported since the app was told."""
        states = self._hass.states.async_all()
        present = {state.entity_id for state in states}
        self._told = {entity_id: at_us for entity_id, at_us in self._told.items() if entity_id in present}
        news = {}
        for some in batched(states, _SLICE_STATES, strict=False):
            for state in some:
                at_us = time_us(state.last_reported_timestamp)
                if at_us > self._told.get(state.entity_id, 0) and self._filter.async_knows(state.entity_id):
                    news[state.entity_id] = at_us
            await asyncio.sleep(0)
        return news

    def _body(self, now_us: int, reported: dict[str, int], commands: list[Told]) -> bytes:
        origin = self._origin
        told = {"source": origin.source, "stream": origin.stream(), "at_us": now_us}
        return json_bytes({**told, "reported": reported, "commands": commands})
