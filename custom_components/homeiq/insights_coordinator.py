"""Polls what the app says of the home's devices, and follows what happens to findings."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, TypedDict, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .const import DOMAIN, STATUS_INTERVAL
from .errors import AppError, Busy
from .finding_issues import async_report_findings
from .findings import FindingChange, Insights
from .store_client import StoreClient

_LOGGER = logging.getLogger(__name__)

_SPACING_S: Final = 0.002

type OnChange = Callable[[FindingChange], object]


class _Saved(TypedDict):
    cursor: int


class InsightsCoordinator(DataUpdateCoordinator[Insights | None]):
    """Asks every 30 s; the data are None while the app's store is switched off, and until it has come up.

    The changes of findings are handed to whoever listens, each once and in order, also those that came while Home
    Assistant was down: the cursor behind the last one handed over is kept on disk. They wait until Home Assistant
    has started, because only then are there automations to hear of them.
    """

    config_entry: ConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, client: StoreClient, source: str, is_off: Callable[[], bool]
    ) -> None:
        """``source`` is this Home Assistant: an app may serve several."""
        super().__init__(hass, _LOGGER, config_entry=entry, name="HomeIQ insights", update_interval=STATUS_INTERVAL)
        self.client = client
        self._source = source
        self._is_off = is_off
        self._on_change: OnChange | None = None
        self._follows = False
        self._cursor: int | None = None
        self._store = _store(hass, entry)

    @property
    def newest(self) -> Insights | None:
        """Return the newest answer, None before the first; the base class leaves that out of the type of ``data``."""
        return self.data

    @callback
    def async_on_change(self, on_change: OnChange) -> CALLBACK_TYPE:
        """Call ``on_change`` with each change of a finding from now on; returns how to stop."""
        self._on_change = on_change

        @callback
        def stop() -> None:
            self._on_change = None

        return stop

    @callback
    def async_follow(self) -> None:
        """Whoever wants to hear of changes listens by now: without anybody they are passed over."""
        self._follows = True

    @override
    async def _async_update_data(self) -> Insights | None:
        if self._is_off():
            async_report_findings(self.hass, self.config_entry, ())
            return None
        try:
            insights = await self.client.insights()
            cursor = await self._known_cursor(insights.cursor)
            if self._follows and self.hass.is_running:
                await self._hand_over_changes(cursor, insights.cursor)
        except AppError as err:
            if isinstance(err, Busy) and self.newest is None:
                return None  # the store has not come up yet; should it never, the app's status tells why
            raise UpdateFailed(
                translation_domain=DOMAIN, translation_key=err.key, translation_placeholders={"reason": str(err)}
            ) from err
        own = [finding for finding in insights.findings if finding.source == self._source]
        async_report_findings(self.hass, self.config_entry, own)
        return insights

    async def _hand_over_changes(self, cursor: int, newest: int) -> None:
        """Hand over what happened after ``cursor``, up to ``newest`` at least."""
        while cursor < newest and self._on_change is not None:
            changes, behind = await self.client.finding_changes(cursor)
            for change in changes:
                if change.finding.source == self._source and self._on_change is not None:
                    self._on_change(change)
                    await asyncio.sleep(_SPACING_S)  # an event's state is its time in milliseconds
            if behind <= cursor:
                break
            cursor = behind
            await self._note(cursor)
        await self._note(max(cursor, newest))

    async def _known_cursor(self, newest: int) -> int:
        """Return the cursor behind what was handed over; the first time it is that of now.

        An app that is younger than the cursor (restored, or with a new store) has other changes: follow from now on.
        """
        if self._cursor is None and (saved := await self._store.async_load()) is not None:
            self._cursor = saved["cursor"]
        if self._cursor is None or self._cursor > newest:
            await self._note(newest)
            return newest
        return self._cursor

    async def _note(self, cursor: int) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            await self._store.async_save(_Saved(cursor=cursor))


async def async_forget_cursor(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The entry goes: nobody asks for what happens after its cursor."""
    await _store(hass, entry).async_remove()


def _store(hass: HomeAssistant, entry: ConfigEntry) -> Store[_Saved]:
    return Store(hass, 1, f"{DOMAIN}.findings.{entry.entry_id}")
