"""Asks the store about tenants and devices, and registers devices: for many messages at once, tenant by tenant."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from homeiq_server.store.known import KnownTenant, load
from homeiq_server.store.pool import Workers
from homeiq_server.store.provisioning import NewDevice, provision
from homeiq_server.store.tenant_names import existing

from .decide import STRANGER, Standing
from .known import Known
from .rounds import Rounds

_AT_ONCE: Final = 3  # of the pool's ten connections, for each of both
_MOST: Final = 5_000  # devices in one statement
_MOST_WAITING: Final = 50_000
_WITHIN_S: Final = 10


class Found(NamedTuple):
    """What the store knows.

    Attributes:
        tenant: None when there is none.
        standings: Of each device that was asked for, by its id.
    """

    tenant: KnownTenant | None
    standings: Mapping[str, Standing]


class Registry:
    """What the store knows of tenants and devices, and the way into it for new ones.

    A tenant whose rows are locked by somebody else keeps only his own messages waiting. Tenants that were never heard
    of are looked for together first, so that a flood of invented ones keeps nobody waiting.

    Attributes:
        parts: What has to run.
    """

    def __init__(self, store: Workers, known: Known) -> None:
        self._store = store
        self._known = known
        self._names: Rounds[None, str, bool] = Rounds(
            "tenants", self._look_for, most=_MOST, most_waiting=_MOST_WAITING, within_s=_WITHIN_S
        )
        self._looks: Rounds[str, Sequence[str], Found] = Rounds(
            "look-ups", self._look, most=_MOST, most_waiting=_MOST_WAITING, at_once=_AT_ONCE, within_s=_WITHIN_S
        )
        self._registrations: Rounds[str, Sequence[NewDevice], Mapping[str, Standing]] = Rounds(
            "registrations",
            self._register,
            most=_MOST,
            most_waiting=_MOST_WAITING,
            at_once=_AT_ONCE,
            within_s=_WITHIN_S,
        )
        self.parts = (self._names, self._looks, self._registrations)

    @property
    def faults(self) -> int:
        """How many times a fault of our own kept messages waiting; the log tells more."""
        return sum(part.faults for part in self.parts)

    async def look(self, tenant_id: str, device_ids: Sequence[str]) -> Found:
        """Return what the store knows now, and remember it.

        Raises:
            RetryLater: The store is away or busy.
        """
        if not self._known.has_seen(tenant_id) and not await self._names.join(None, tenant_id):
            return Found(None, dict.fromkeys(device_ids, STRANGER))
        return await self._looks.join(tenant_id, device_ids, weight=max(1, len(device_ids)))

    async def register(self, tenant_id: str, wanted: Sequence[NewDevice]) -> Mapping[str, Standing]:
        """Register devices, those of them that are not there yet and for which there is a place; return all by id.

        Each is new for one caller, whoever else asks for it.

        Raises:
            RetryLater: The store is away or busy.
        """
        return await self._registrations.join(tenant_id, wanted, weight=len(wanted))

    async def _look_for(self, _key: None, tenant_ids: list[str]) -> list[bool]:
        asking = [self._known.begin(tenant_id) for tenant_id in set(tenant_ids)]
        try:
            async with self._store.worker() as conn:
                found = await existing(conn, [each.tenant_id for each in asking])
            for each in asking:
                if each.tenant_id not in found:
                    self._known.remember(each, None)
        finally:
            for each in asking:
                self._known.end(each)
        return [tenant_id in found for tenant_id in tenant_ids]

    async def _look(self, tenant_id: str, asked: list[Sequence[str]]) -> list[Found]:
        device_ids = list(dict.fromkeys(device_id for some in asked for device_id in some))
        asking = self._known.begin(tenant_id)
        try:
            async with self._store.tenant(tenant_id) as conn:
                tenant, devices = await load(conn, tenant_id, device_ids)
            standings = {
                device_id: Standing(devices[device_id]) if device_id in devices else STRANGER
                for device_id in device_ids
            }
            self._known.remember(asking, tenant, standings)
        finally:
            self._known.end(asking)
        return [Found(tenant, standings)] * len(asked)

    async def _register(self, tenant_id: str, asked: list[Sequence[NewDevice]]) -> list[Mapping[str, Standing]]:
        asking = self._known.begin(tenant_id)
        try:
            async with self._store.tenant(tenant_id) as conn:
                done = await provision(conn, tenant_id, [wanted for some in asked for wanted in some])
            standings = {device_id: Standing(device) for device_id, device in done.devices.items()}
            standings |= {device_id: Standing(None, refusal) for device_id, refusal in done.refused.items()}
            self._known.remember_devices(asking, standings)
        finally:
            self._known.end(asking)
        new = set(done.new)
        answers: list[Mapping[str, Standing]] = []
        for some in asked:
            mine = {wanted.device_id: standings[wanted.device_id] for wanted in some}
            for device_id in new & mine.keys():
                mine[device_id] = mine[device_id]._replace(is_new=True)
                new.discard(device_id)
            answers.append(mine)
        return answers
