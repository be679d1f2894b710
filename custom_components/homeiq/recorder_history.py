"""Reads Home Assistant's recorder without holding anybody up: neither the event loop, nor the recorder."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.tasks import SynchronizeTask
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.recorder import DATA_INSTANCE
from sqlalchemy.exc import SQLAlchemyError

from .coverage import Stretch
from .recorder_tables import STATES, Cursor, Table, count, crashed_between, first_us, read_page

_LOGGER = logging.getLogger(__name__)

PATIENCE_S: Final = 60.0
_MICROSECOND: Final = timedelta(microseconds=1)


class RecorderFault(Exception):
    """The recorder cannot be read now; it may be after a restart."""


@callback
def async_recorder_history(hass: HomeAssistant) -> RecorderHistory | None:
    """Return the recorder's history, or None in a home without a recorder."""
    return RecorderHistory(hass.data[DATA_INSTANCE]) if DATA_INSTANCE in hass.data else None


class RecorderHistory:
    """What the recorder holds. Every method that reads raises ``RecorderFault``, and nothing else."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def async_settle(self) -> None:
        """Return when all that has happened until now can be read.

        A backup locks the recorder for minutes, a migration may hold it up for hours. Cancelling leaves its futures
        alone: they are everybody's.
        """
        ready = self._recorder.async_db_ready
        await self._async_wait(ready)
        if not ready.result():
            raise RecorderFault("it could not start")
        # Not ``async_get_commit_future``: in 2026.10 that has none while the changes of the start are being processed.
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._recorder.queue_task(SynchronizeTask(future))
        await self._async_wait(future)

    async def _async_wait(self, future: asyncio.Future[Any]) -> None:
        """Return when the future is done; say once that it takes long."""
        said = False
        while not (await asyncio.wait([future], timeout=PATIENCE_S))[0]:
            if not self._recorder.is_alive():
                raise RecorderFault("it has stopped")
            if not said:
                why = "is migrating its database" if self._recorder.migration_in_progress else "is busy or locked"
                _LOGGER.info("Waiting for the recorder, which %s", why)
                said = True

    @callback
    def async_records(self, entity_id: str) -> bool:
        """Return whether the recorder's own filter lets an entity through."""
        return self._recorder.entity_filter is None or self._recorder.entity_filter(entity_id)

    async def async_clip(self, stretches: Iterable[Stretch]) -> list[Stretch]:
        """Return the stretches without what was before the recorder's oldest change."""
        if (oldest := await self._async_run(first_us, STATES, 0)) is None:
            return []
        return [replace(one, start_us=max(one.start_us, oldest)) for one in stretches if one.end_us > oldest]

    async def async_count(self, start_us: int, end_us: int) -> int:
        """Return how many changes there are between two instants, of whichever entities."""
        return await self._async_run(count, STATES, start_us, end_us)

    async def async_is_whole(self, start_us: int, end_us: int) -> bool:
        """Return whether the recorder has lost nothing between two instants of what it was given.

        It has when it began later or was purged since, and in a crash, which costs what was not committed yet.
        """
        oldest = await self._async_run(first_us, STATES, 0)
        if oldest is None or oldest > start_us or not self._recorder.recording:
            return False
        return not await self._async_run(crashed_between, start_us, end_us)

    async def async_pages[T](
        self, table: Table[T], start_us: int, end_us: int, names: Collection[str] | None = None
    ) -> AsyncGenerator[list[T]]:
        """Yield what happened between two instants, both included, in pages, oldest first."""
        while (first := await self._async_run(first_us, table, start_us)) is not None and first <= end_us:
            window = first, min(first + table.window // _MICROSECOND - 1, end_us)
            start_us = window[1] + 1
            after: Cursor | None = None
            while True:
                page, after = await self._async_run(read_page, table, window, names, after)
                if page:
                    yield page
                if after is None:
                    break

    async def _async_run[T](self, read: Callable[..., T], *parameters: Any) -> T:  # noqa: ANN401 - of any reader
        """Run a reader in one of the recorder's threads."""
        try:
            return await self._recorder.async_add_executor_job(read, self._recorder, *parameters)
        except (SQLAlchemyError, RuntimeError) as err:  # RuntimeError: it is shut down.
            raise RecorderFault(f"it cannot be read: {type(err).__name__}") from err
