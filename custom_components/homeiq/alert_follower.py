"""Hands the changes of alerts to whoever listens, in order, also those that came while Home Assistant was down.

The cursor behind those of an answer is kept on disk when they are handed over: each comes once, unless Home Assistant
is stopped in the middle of an answer.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypedDict

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .alerts import AlertChange
from .const import DOMAIN
from .errors import Refused
from .following import WAIT_S
from .ingest_client import IngestClient

PATIENCE_S: Final = 2.0
"""How long a change waits for an entity that is being added; it is disabled otherwise."""
_SPACING_S: Final = 0.002
_MOST_SILENT: Final = 10_000
_OF_NO_DEVICE: Final = frozenset({"INSIGHT"})

type OnAlert = Callable[[AlertChange], object]


class _Saved(TypedDict):
    cursor: str


class AlertFollower:
    """Asks for changes of alerts, from when there is somebody to hear of them."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, client: IngestClient) -> None:
        self._client = client
        self._store = _store(hass, entry)
        self._cursor: str | None = None
        self._listeners: dict[str | None, OnAlert] = {}
        self._silent: set[str | None] = set()
        self._came = asyncio.Event()

    @callback
    def async_on_change(self, device_id: str | None, on_change: OnAlert) -> CALLBACK_TYPE:
        """Call ``on_change`` with each change of a device's alerts, of all alerts for None; returns how to stop."""
        self._listeners[device_id] = on_change
        self._silent.discard(device_id)
        self._came.set()

        @callback
        def stop() -> None:
            self._listeners.pop(device_id, None)

        return stop

    async def ask(self) -> None:
        """Ask once; the first time of all only for where the changes begin.

        Raises:
            AppError: Nothing was handed over.
        """
        cursor = await self._known_cursor()
        try:
            changes, behind = await self._client.alert_changes(cursor, WAIT_S)
        except Refused:  # It is not the app's cursor any more.
            self._cursor = None
            await self._store.async_remove()
            raise
        for change in changes:
            await self._hand_over(change)
        await self._note(behind)

    async def _known_cursor(self) -> str:
        """Return the cursor behind what was handed over, the first time that of now."""
        if self._cursor is None:
            saved = await self._store.async_load()
            if saved is None:
                _, newest = await self._client.alert_changes(None, 0)
                await self._note(newest)
                return newest
            self._cursor = saved["cursor"]
        return self._cursor

    async def _hand_over(self, change: AlertChange) -> None:
        alert = change.alert
        await self._until_heard(None)
        if alert.device_id is not None and alert.kind not in _OF_NO_DEVICE:
            await self._until_heard(alert.device_id)
        await asyncio.sleep(_SPACING_S)  # an event's state is its time in milliseconds
        for device_id in {None, alert.device_id}:
            if (on_change := self._listeners.get(device_id)) is not None:
                on_change(change)

    async def _until_heard(self, device_id: str | None) -> None:
        """Wait for an entity that may be about to be added; one that did not come is not waited for again."""
        if device_id in self._silent:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while device_id not in self._listeners:
                    self._came.clear()
                    await self._came.wait()
                return
        if len(self._silent) >= _MOST_SILENT:
            self._silent.clear()
        self._silent.add(device_id)

    async def _note(self, cursor: str) -> None:
        if cursor != self._cursor:
            self._cursor = cursor
            await self._store.async_save(_Saved(cursor=cursor))


async def async_forget_alert_cursor(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The entry goes: nobody asks for what happens after its cursor."""
    await _store(hass, entry).async_remove()


def _store(hass: HomeAssistant, entry: ConfigEntry) -> Store[_Saved]:
    return Store(hass, 1, f"{DOMAIN}.alerts.{entry.entry_id}")
