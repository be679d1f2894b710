"""Tells of what changed in the store, on whatever server that was done, so that nothing outdated is remembered."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from homeiq_server.errors import RetryLater

_LOGGER = logging.getLogger(__name__)
_AGAIN_S: Final = 1


@dataclass(frozen=True, slots=True)
class Change:
    """A row that was inserted, updated or deleted.

    Attributes:
        table: Its table.
        tenant_id: Whose row.
        device_id: Of a table with devices, which one.
    """

    table: str
    tenant_id: str
    device_id: str | None = None


class Listening(Protocol):
    """What tells of changes, see ``Store.listen``."""

    async def listen(self, heard: Callable[[str], None], *, ready: Callable[[], None]) -> NoReturn:
        """Be told until cancelled or the connection ends, which is RetryLater."""
        ...


class Changes:
    """Passes changes on to whoever asked for them.

    Attributes:
        is_listening: While it is not, changes of other servers are not heard: what is remembered may be outdated.
    """

    def __init__(self, store: Listening) -> None:
        self.is_listening = False
        self._store = store
        self._heard: list[Callable[[Change], None]] = []
        self._missed: list[Callable[[], None]] = []

    def follow(self, heard: Callable[[Change], None], missed: Callable[[], None]) -> None:
        """Call ``heard`` with each change, and ``missed`` when some may have been missed. Neither may raise."""
        self._heard.append(heard)
        self._missed.append(missed)

    async def run(self) -> NoReturn:
        """Listen, for ever."""
        while True:
            try:
                await self._store.listen(self._pass_on, ready=self._begin)
            except RetryLater as err:
                _LOGGER.debug("changes are not heard: %s", err)
                if (task := asyncio.current_task()) and task.cancelling():
                    raise asyncio.CancelledError from err  # a connection that fails while it is let go of hides it
            finally:
                self.is_listening = False
            await asyncio.sleep(_AGAIN_S)

    def _begin(self) -> None:
        self.is_listening = True
        for missed in self._missed:
            missed()

    def _pass_on(self, words: str) -> None:
        # A device's id may have no space in it, nor may a tenant's.
        change = Change(*words.split(" ", 2))
        for heard in self._heard:
            heard(change)
