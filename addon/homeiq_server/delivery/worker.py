"""The loops that empty the outbox. Any number of servers may run them on one database."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from homeiq_server.errors import HomeIQError, RetryLater
from homeiq_server.store import outbox, outbox_upkeep
from homeiq_server.store.changes import Change, Changes
from homeiq_server.store.outbox import Claimed
from homeiq_server.store.pool import Workers

from .backoff import MOST_AGE_S
from .dispatch import LEASE_S, Dispatch
from .mail import Mail
from .message import Message, Outcome
from .mqtt import Publish
from .ways import Ways

_LOGGER = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 2
_GATHER_S: Final = 0.02  # one claim for several places that become free, not one for each
_UPKEEP_EVERY_S: Final = 60
_UPKEEP_AGAIN_S: Final = 5  # the store comes after us at a start
_MOST: Final = 32
_MOST_OF_TENANT: Final = 4
_MOST_TRIALS: Final = 4
_FINISH_WITHIN_S: Final = 0.9


class Worker:
    """Delivers what is in the outbox, of all tenants in turn.

    Args:
        store: Where the outbox is.
        changes: Tells of new deliveries; without it they are found within two seconds.
        publish: Gives messages to the MQTT broker; None: there is none.
        mail: The mail server; None: there is none.
        allow: Addresses and networks that webhooks may be sent to whatever they are.
        ways: Sends, in place of what the three before are for.

    Attributes:
        pending: How many deliveries wait, at the last look; None before it.
        dead: How many died in the last day, at the last look.
        faults: How many times a fault of our own kept something from being done; the log tells more.
    """

    def __init__(  # noqa: PLR0913 - each way out has a part of its own
        self,
        store: Workers,
        *,
        changes: Changes | None = None,
        publish: Publish | None = None,
        mail: Mail | None = None,
        allow: Sequence[str] = (),
        ways: Ways | None = None,
    ) -> None:
        self.pending: int | None = None
        self.dead: int | None = None
        self._faults = 0
        self._store = store
        self._ways = ways or Ways(publish=publish, mail=mail, allowed=allow)
        self._dispatch = Dispatch(store, self._ways)
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._wake = asyncio.Event()
        self._trials = 0
        self._is_stopping = False
        if changes is not None:
            changes.follow(self._hear, self._wake.set)

    @property
    def faults(self) -> int:  # noqa: D102 - see the class
        return self._faults + self._ways.faults

    async def run(self) -> None:
        """Deliver until ``stop`` is called or it is cancelled; what is under way then gets 0.9 seconds."""
        async with self._ways, asyncio.TaskGroup() as tasks:
            upkeep = tasks.create_task(self._keep_up(), name="upkeep of the outbox")
            try:
                await self._deliver()
            finally:
                upkeep.cancel()
                await self._finish()

    def stop(self) -> None:
        """Claim nothing any more, and end ``run``."""
        self._is_stopping = True
        self._wake.set()

    async def send(self, message: Message) -> Outcome:
        """Send something now that is in no outbox, to see whether it works.

        Raises:
            RetryLater: Too many ask for that at the same time.
        """
        if self._trials >= _MOST_TRIALS:
            raise RetryLater("other integrations are being tried just now", after=5)
        self._trials += 1
        try:
            return await self._ways.send(message)
        finally:
            self._trials -= 1

    def _hear(self, change: Change) -> None:
        if change.table == "deliveries":
            self._wake.set()

    async def _deliver(self) -> None:
        while not self._is_stopping:
            if self._running:
                await asyncio.sleep(_GATHER_S)
            self._wake.clear()
            try:
                await self._claim()
            except RetryLater as err:
                _LOGGER.debug("nothing is delivered: %s", err)
            except Exception:
                _LOGGER.exception("the outbox could not be looked into")
                self._faults += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._wake.wait()

    async def _claim(self) -> None:
        if (free := _MOST - len(self._running)) <= 0:
            return
        busy = Counter(each.tenant_id for each in self._running.values())
        async with self._store.worker() as conn:
            claimed = await outbox.claim(conn, most=free, most_of_tenant=_MOST_OF_TENANT, busy=busy, lease_s=LEASE_S)
        for each in claimed:
            task = asyncio.create_task(self._one(each), name=f"delivery {each.id}")
            self._running[task] = each
            task.add_done_callback(self._done)

    async def _one(self, claimed: Claimed) -> None:
        try:
            await self._dispatch.deliver(claimed)
        except RetryLater as err:
            _LOGGER.debug("delivery %d of %s waits: %s", claimed.id, claimed.tenant_id, err)
        except Exception:
            _LOGGER.exception("delivery %d of %s failed", claimed.id, claimed.tenant_id)
            self._faults += 1

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()  # there is a place for the next one

    async def _finish(self) -> None:
        running = set(self._running)
        try:
            if running:
                await asyncio.wait(running, timeout=_FINISH_WITHIN_S)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _keep_up(self) -> None:
        steps = (self._give_up, self._prune, self._count)
        while True:
            pause_s = _UPKEEP_EVERY_S
            for step in steps:
                try:
                    await step()
                except HomeIQError as err:
                    _LOGGER.debug("the outbox is not kept up: %s", err)
                    pause_s = _UPKEEP_AGAIN_S
                except Exception:
                    _LOGGER.exception("the outbox could not be kept up")
                    self._faults += 1
            await asyncio.sleep(pause_s)

    async def _give_up(self) -> None:
        async with self._store.worker() as conn:
            if number := await outbox_upkeep.give_up(conn, timedelta(seconds=MOST_AGE_S)):
                _LOGGER.warning("%d deliveries of alerts were given up after a day", number)

    async def _prune(self) -> None:
        async with self._store.worker() as conn:
            tenants = await outbox_upkeep.tenants_to_prune(conn)
        for tenant_id in tenants:
            async with self._store.tenant(tenant_id) as conn:
                await outbox_upkeep.prune(conn, tenant_id)

    async def _count(self) -> None:
        async with self._store.worker() as conn:
            counted = await outbox_upkeep.count(conn)
        self.pending, self.dead = counted.pending, counted.dead
