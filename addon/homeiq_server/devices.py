"""All that knows devices: their database, what watches them, and what is asked of them.

Loaded only when there is a store: it takes 9 MB, which history alone does without.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiohttp import web

from homeiq_server.api import device_routes
from homeiq_server.embedded.postgres import Postgres
from homeiq_server.inspection import HOME, Inspector
from homeiq_server.intake.registry import RegistryIntake
from homeiq_server.model import Event
from homeiq_server.options import Options
from homeiq_server.postgres import open_device_database
from homeiq_server.status.shape import InsightsStatus, StoreStatus
from homeiq_server.store.registry import Registries
from homeiq_server.store.store import Store
from homeiq_server.wire import Batch

_LOGGER = logging.getLogger(__name__)

_LAST_WORDS_S: Final = 0.5


class Devices:
    """The devices of this server.

    Attributes:
        child: The embedded PostgreSQL, to be kept running by the owner of this; None when there is none.
        observe: To be told of every batch of events that was stored; never raises.
        database: The way to the store, kept open by ``run``.
        sights: To be told when a hub has heard a device.
    """

    def __init__(self, options: Options) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidOptions: The certificates cannot be used.
        """
        self._database = open_device_database(options)
        self._inspector = Inspector(self._database.store, hourly_days=options.hourly_days)
        self._registries = RegistryIntake(Registries(self._database.store, HOME), self._inspector.place)
        self._stopping = asyncio.Event()
        self.child: Postgres | None = self._database.child
        self.database: Store = self._database.store
        self.sights: Inspector = self._inspector
        self.observe: Callable[[Batch[Event]], None] = self._inspector.observe

    async def run(self) -> None:
        """Keep the database open and watch what comes in, until ``stop``; takes a second at most to end."""
        async with asyncio.TaskGroup() as tasks:
            storing = tasks.create_task(self._database.store.run(), name="store")
            watching = tasks.create_task(self._inspector.run(), name="insights")
            try:
                await self._stopping.wait()
            finally:
                watching.cancel()
                await self._keep_what_was_learnt(watching)
                storing.cancel()

    def stop(self) -> None:
        """Let ``run`` end; nothing is observed any more."""
        self._stopping.set()

    def serve(self, app: web.Application) -> None:
        """Serve what people and programs want to know of devices, and let them deal with findings."""
        device_routes.serve(app, self._database.store, self._inspector.facts)

    def take_in(self, app: web.Application) -> None:
        """Take in what Home Assistant tells of its devices."""
        device_routes.take_in(app, self._registries, self._inspector)

    def store(self) -> StoreStatus:
        """Return how the database is; no I/O."""
        return self._database.status()

    def insights(self) -> InsightsStatus:
        """Return how the watching goes; no I/O."""
        return self._inspector.status()

    async def _keep_what_was_learnt(self, watching: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await asyncio.wait((watching,))
                await self._inspector.close()
        except TimeoutError:
            _LOGGER.warning("the store does not answer: what the insights learnt in the last minutes is lost")
