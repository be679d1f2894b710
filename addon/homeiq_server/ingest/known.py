"""Tenants and devices as the store had them a short while ago, so that a message of a known device asks nobody.

What is remembered goes when a change of it is heard of, from whatever server: a device with a change of its row, all
devices of a tenant with one of the tenant or of any of its subscriptions. A minute later it goes without any word; five
seconds after it was looked for while changes are not heard, or after they were heard last.

A device is remembered together with the tenant's entry of its time: where the tenant's entry is another one, the
device counts as forgotten. So a tenant with all that is his goes by one step, and no other one with a similar name.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from homeiq_server.store.changes import Change
from homeiq_server.store.known import KnownTenant

from .decide import Standing

HEARD_S: Final = 60
UNHEARD_S: Final = 5
NOTHING_S: Final = 3
"""How long a tenant or device is remembered that is not there, or that could not be registered."""

_WITH_DEVICES: Final = frozenset({"tenants", "subscriptions"})


class Missing:
    """The type of ``MISSING``."""

    __slots__ = ()


MISSING: Final = Missing()
"""Nothing is remembered: the store has to be asked."""


class Changing(Protocol):
    """What tells of changes, see ``Changes``."""

    is_listening: bool

    def follow(self, heard: Callable[[Change], None], missed: Callable[[], None]) -> None:
        """Call ``heard`` with each change, and ``missed`` when some may have been missed."""
        ...


class _Tenant:
    __slots__ = ("at", "known")

    def __init__(self, known: KnownTenant, at: float) -> None:
        self.known, self.at = known, at


class _Device:
    __slots__ = ("at", "of", "standing")

    def __init__(self, standing: Standing, of: _Tenant, at: float) -> None:
        self.standing, self.of, self.at = standing, of, at


class Asking:
    """A question to the store that is under way: what changes meanwhile is not remembered from its answer.

    Attributes:
        tenant_id: Whose.
    """

    __slots__ = ("_all", "_devices", "tenant_id")

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self._all = False
        self._devices: set[str] = set()

    def outdate(self, device_id: str | None) -> None:
        """Note a change of the device, or with None of everything."""
        if device_id is None:
            self._all = True
        else:
            self._devices.add(device_id)

    def is_outdated(self, device_id: str | None = None) -> bool:
        """Tell whether the tenant, or the device, may be another by now."""
        return self._all or device_id in self._devices


class Known:
    """What is remembered, within bounds; of too much, that goes which was asked for least recently."""

    def __init__(self, changes: Changing, *, most: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet.

        Args:
            changes: Tells what to forget.
            most: How many devices are remembered; half as many that are none, and a quarter as many tenants.
            clock: Tells monotonic seconds.
        """
        self._changes = changes
        self._most = most
        self._clock = clock
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()
        self._devices: OrderedDict[tuple[str, str], _Device] = OrderedDict()
        # What is not there cannot push out what is.
        self._strangers: OrderedDict[tuple[str, str], _Device] = OrderedDict()
        self._nobodies: OrderedDict[str, float] = OrderedDict()  # since when
        self._asking: set[Asking] = set()
        self._heard_at = float("-inf")  # what is remembered since before was true then
        changes.follow(self._heard, self.forget_all)

    def __len__(self) -> int:
        return len(self._devices)

    def tenant(self, tenant_id: str) -> KnownTenant | Missing | None:
        """Return the tenant; None when there is none."""
        entry = self._tenants.get(tenant_id)
        if entry is None:
            since = self._nobodies.get(tenant_id)
            return MISSING if since is None or self._clock() - since >= NOTHING_S else None
        if self._is_old(entry.at):
            return MISSING
        self._tenants.move_to_end(tenant_id)
        return entry.known

    def standing(self, tenant_id: str, device_id: str) -> Standing | Missing:
        """Return that of a device; its tenant has to be asked for too, since he may have gone without it."""
        key = tenant_id, device_id
        entry = self._devices.get(key)
        if entry is not None:
            if entry.of is not self._tenants.get(tenant_id) or self._is_old(entry.at):
                return MISSING
            self._devices.move_to_end(key)
            return entry.standing
        entry = self._strangers.get(key)
        if entry is None or entry.of is not self._tenants.get(tenant_id) or self._clock() - entry.at >= NOTHING_S:
            return MISSING
        return entry.standing

    def has_seen(self, tenant_id: str) -> bool:
        """Tell whether the tenant was there when he was last looked for, however long ago that was."""
        return tenant_id in self._tenants

    def begin(self, tenant_id: str) -> Asking:
        """Note that the store is being asked about a tenant; ``end`` has to follow."""
        asking = Asking(tenant_id)
        self._asking.add(asking)
        return asking

    def end(self, asking: Asking) -> None:
        """Note that the answer is there, or will never be."""
        self._asking.discard(asking)

    def remember(
        self, asking: Asking, tenant: KnownTenant | None, standings: Mapping[str, Standing] | None = None
    ) -> None:
        """Remember what the store answered.

        Args:
            asking: The question, which has not ended.
            tenant: The tenant of it; None when there is none.
            standings: Of its devices, by their ids.
        """
        if asking.is_outdated():
            return
        if tenant is None:
            self._tenants.pop(asking.tenant_id, None)
            self._nobodies[asking.tenant_id] = self._clock()
            _bound(self._nobodies, max(1, self._most // 4))
        else:
            self._remember_devices(asking, self._remember_tenant(asking.tenant_id, tenant), standings or {})

    def remember_devices(self, asking: Asking, standings: Mapping[str, Standing]) -> None:
        """Remember what became of devices, of a tenant who is remembered."""
        entry = self._tenants.get(asking.tenant_id)
        if entry is not None and not asking.is_outdated():
            self._remember_devices(asking, entry, standings)

    def forget_all(self) -> None:
        """Forget everything: changes may have been missed."""
        self._tenants.clear()
        self._devices.clear()
        self._strangers.clear()
        self._nobodies.clear()
        for asking in self._asking:
            asking.outdate(None)

    def _is_old(self, at: float) -> bool:
        now = self._clock()
        if self._changes.is_listening:
            self._heard_at = now
        return now - at >= HEARD_S or now - max(at, self._heard_at) >= UNHEARD_S

    def _remember_tenant(self, tenant_id: str, tenant: KnownTenant) -> _Tenant:
        entry = self._tenants.get(tenant_id)
        if entry is None:  # else it stays the same one, and his devices are not forgotten
            self._tenants[tenant_id] = entry = _Tenant(tenant, self._clock())
            _bound(self._tenants, max(1, self._most // 4))
        entry.known, entry.at = tenant, self._clock()
        return entry

    def _remember_devices(self, asking: Asking, of: _Tenant, standings: Mapping[str, Standing]) -> None:
        now = self._clock()
        for device_id, standing in standings.items():
            if asking.is_outdated(device_id):
                continue
            key = asking.tenant_id, device_id
            self._devices.pop(key, None)
            self._strangers.pop(key, None)
            (self._strangers if standing.device is None else self._devices)[key] = _Device(standing, of, now)
        _bound(self._devices, self._most)
        _bound(self._strangers, max(1, self._most // 2))

    def _heard(self, change: Change) -> None:
        if change.table in _WITH_DEVICES:
            self._tenants.pop(change.tenant_id, None)
            self._nobodies.pop(change.tenant_id, None)
            self._outdate(change.tenant_id, None)
        elif change.table == "ingest_devices" and change.device_id is not None:
            key = change.tenant_id, change.device_id
            self._devices.pop(key, None)
            self._strangers.pop(key, None)
            self._outdate(change.tenant_id, change.device_id)

    def _outdate(self, tenant_id: str, device_id: str | None) -> None:
        for asking in self._asking:
            if asking.tenant_id == tenant_id:
                asking.outdate(device_id)


def _bound[Key, Entry](entries: OrderedDict[Key, Entry], most: int) -> None:
    for _ in range(len(entries) - most):
        entries.popitem(last=False)
