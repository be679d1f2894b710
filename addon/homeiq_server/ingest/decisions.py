"""Decides about messages that came together: from memory, and where that does not reach, with the store."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from homeiq_server.errors import RetryLater
from homeiq_server.store.known import KnownTenant
from homeiq_server.store.pool import Workers
from homeiq_server.store.provisioning import NewDevice

from .case import Case
from .decide import Decider, Standing, Verdict
from .known import MISSING, Changing, Known, Missing
from .limits import Limits
from .message import Accepted, Inbound
from .parcel import Parcel
from .registry import Registry
from .topic import Address

_UNDECIDED: Final = (NewDevice, Missing)


class Decisions:
    """What is known, and the rules.

    Attributes:
        decider: The rules, with the rates.
        registry: The way to the store; its parts have to run.
    """

    def __init__(self, store: Workers, changes: Changing, limits: Limits) -> None:
        self.decider = Decider(limits)
        self._limits = limits
        self._known = Known(changes)
        self.registry = Registry(store, self._known)

    def open(self, messages: Sequence[Inbound]) -> Parcel:
        """Return messages, decided as far as memory reaches."""
        cases = [Case.of(message, self._limits) for message in messages]
        parcel = Parcel(cases)
        for place, case in enumerate(cases):
            verdict = self._from_memory(case)
            if not isinstance(verdict, _UNDECIDED):
                parcel.outcomes[place] = verdict
        return parcel

    async def settle_all(self, parcel: Parcel) -> None:
        """Decide about the others, those of all tenants at once; see ``settle``."""
        if undecided := parcel.undecided():
            await asyncio.gather(*(self.settle(parcel, *each) for each in undecided.items()))

    async def settle(self, parcel: Parcel, tenant_id: str, places: Sequence[int]) -> None:
        """Decide about messages of one tenant; the outcome is ``RetryLater`` while the store cannot tell."""
        try:
            await self._settle(parcel, tenant_id, places)
        except RetryLater as err:
            parcel.fail((place for place in places if parcel.outcomes[place] is None), err)

    def _from_memory(self, case: Case) -> Verdict | Missing:
        if (address := case.address) is None:
            return self.decider.decide(case, None)
        if case.message.replay_of is not None:  # somebody has just mended what it was refused for
            return MISSING
        tenant = self._known.tenant(address.tenant_id)
        if isinstance(tenant, Missing):
            return tenant
        if tenant is None or not self.decider.needs_device(case, tenant):
            return self.decider.decide(case, tenant)
        standing = self._known.standing(address.tenant_id, address.device_id)
        if isinstance(standing, Missing):
            return standing
        return self.decider.decide(case, tenant, standing)

    async def _settle(self, parcel: Parcel, tenant_id: str, places: Sequence[int]) -> None:
        addresses = {place: address for place in places if (address := parcel.cases[place].address)}
        found = await self.registry.look(tenant_id, list({address.device_id for address in addresses.values()}))
        wanted: dict[str, NewDevice] = {}
        for place, address in addresses.items():
            verdict = self.decider.decide(parcel.cases[place], found.tenant, found.standings[address.device_id])
            if isinstance(verdict, NewDevice):
                wanted.setdefault(verdict.device_id, verdict)
            else:
                parcel.outcomes[place] = verdict
        if wanted and found.tenant:
            standings = await self.registry.register(tenant_id, list(wanted.values()))
            waiting = {place: address for place, address in addresses.items() if parcel.outcomes[place] is None}
            self._settle_new(parcel, waiting, found.tenant, dict(standings))

    def _settle_new(
        self, parcel: Parcel, waiting: Mapping[int, Address], tenant: KnownTenant, standings: dict[str, Standing]
    ) -> None:
        for place, (_, device_id, _) in waiting.items():
            verdict = self.decider.decide(parcel.cases[place], tenant, standings[device_id])
            if isinstance(verdict, NewDevice):  # neither registered nor refused: gone again already
                parcel.outcomes[place] = RetryLater("the device is being changed by somebody else", after=1)
                continue
            parcel.outcomes[place] = verdict
            if isinstance(verdict, Accepted):  # the message that registered it is the first one
                standings[device_id] = standings[device_id]._replace(is_new=False)
