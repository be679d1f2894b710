"""Brings what devices said to the store: of all tenants at once, and apart those whose rules have to judge it."""

import logging
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from datetime import datetime
from itertools import batched
from typing import Final

from homeiq_server.errors import RetryLater
from homeiq_server.store import device_states
from homeiq_server.store.pool import Workers

from .judging import judge
from .pending import Heard, Key, Pending, states_of

_LOGGER = logging.getLogger(__name__)
_AT_ONCE: Final = 2_000
_JUDGED_AT_ONCE: Final = 500


class Keeping:
    """One write.

    Attributes:
        faults: Tenants whose part could not be kept by a fault of ours, since the start.
    """

    def __init__(
        self,
        store: Workers,
        pending: Pending,
        watched: Callable[[str], Container[str]],
        on_change: Callable[[str], None],
    ) -> None:
        """Keep what is ``pending``; ``watched`` names the metrics that a tenant's rules watch."""
        self.faults = 0
        self._watched = watched
        self._store = store
        self._pending = pending
        self._on_change = on_change
        self._last: str | None = None  # the tenant that had to wait, and must not make all others wait once more

    async def flush(self, now: datetime) -> None:
        """Bring all that waits to the store; what cannot be kept now waits on.

        Raises:
            RetryLater: The store is away or busy.
        """
        waiting = self._pending.take()
        try:
            judged, plain = self._parted(waiting)
            for some in batched(sorted(plain), _AT_ONCE, strict=False):
                await self._keep({key: waiting[key] for key in some}, now)
                _done(waiting, some)
            for tenant_id in sorted(judged, key=lambda tenant: tenant == self._last):
                self._last = tenant_id
                for some in batched(judged[tenant_id], _JUDGED_AT_ONCE, strict=False):
                    await self._keep_of(tenant_id, {key: waiting[key] for key in some}, now)
                    _done(waiting, some)
            self._last = None
        finally:
            self._pending.give_back(waiting)

    async def _keep(self, heard: dict[Key, Heard], now: datetime) -> None:
        tenants = {tenant_id for tenant_id, _ in heard}
        try:
            async with self._store.worker() as conn:
                await device_states.save(conn, list(states_of(heard)))
        except RetryLater:
            raise
        except Exception:  # noqa: BLE001 - one tenant's fault must not cost the others'; his own is logged
            for tenant_id in sorted(tenants):
                await self._keep_of(tenant_id, {key: heard[key] for key in heard if key[0] == tenant_id}, now)
            return
        for tenant_id in tenants:
            self._on_change(tenant_id)

    async def _keep_of(self, tenant_id: str, heard: dict[Key, Heard], now: datetime) -> None:
        try:
            async with self._store.tenant(tenant_id) as conn:
                await judge(conn, tenant_id, heard, now=now)
        except RetryLater:
            raise
        except Exception:
            self.faults += 1
            _LOGGER.exception("what devices of a tenant said could not be kept or judged; please report this")
        else:
            self._on_change(tenant_id)

    def _parted(self, waiting: dict[Key, Heard]) -> tuple[dict[str, list[Key]], list[Key]]:
        """Return the devices that have said something to judge, by tenant, and all others."""
        judged: defaultdict[str, list[Key]] = defaultdict(list)
        plain: list[Key] = []
        for key, heard in waiting.items():
            watched = self._watched(key[0])
            (judged[key[0]] if any(name in watched for name in heard.samples) else plain).append(key)
        return judged, plain


def _done(waiting: dict[Key, Heard], keys: Iterable[Key]) -> None:
    for key in keys:
        del waiting[key]
