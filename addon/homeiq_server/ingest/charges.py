"""What each message costs its device, and the tenant of it."""

import time
from collections.abc import Callable
from typing import NamedTuple

from homeiq_server.buckets import Buckets
from homeiq_server.store.known import KnownTenant

from .case import Case
from .fault import Fault
from .limits import Limits
from .message import Inbound, Reason
from .topic import Address


class Wait(NamedTuple):
    """Why a message is over a rate.

    Attributes:
        fault: Whose rate it is.
        after_s: When one would pass.
    """

    fault: Fault
    after_s: float


class Charges:
    """The rates of all devices and tenants."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nobody; ``clock`` tells monotonic seconds."""
        self._limits = limits
        self._devices = Buckets(clock=clock)
        self._tenants = Buckets(clock=clock)

    def __len__(self) -> int:
        """Return how many devices' rates are watched."""
        return len(self._devices)

    def charge(self, case: Case, address: Address, tenant: KnownTenant, *, with_device: bool) -> Wait | None:
        """Charge the device, then the tenant, once for each case; nobody for a message that either may not send.

        Args:
            case: The message; a replay costs nothing, nor does one that was late, or that was vouched for.
            address: Of the message.
            tenant: Of the address.
            with_device: The device is charged too: not one that is neither known nor proved, or strangers could make
                any number of them.
        """
        if case.admitted or _is_free(case.message):
            return None
        limits, key = self._limits, address[:2]
        if with_device and (wait_s := self._devices.take(key, limits.device_rate, limits.device_burst)):
            return _wait(Reason.RATE_LIMITED_DEVICE, "the device", wait_s)
        rate, burst = tenant.messages_per_second or limits.tenant_rate, tenant.messages_burst or limits.tenant_burst
        if wait_s := self._tenants.take(address.tenant_id, rate, burst):
            if with_device:
                self._devices.refund(key)
            return _wait(Reason.RATE_LIMITED_TENANT, "all devices of the tenant together", wait_s)
        case.admitted = True
        return None

    def give_back(self, case: Case) -> None:
        """Undo the charge, if there was one: the message could not be kept, and will come again."""
        if case.admitted and case.address:
            case.admitted = False
            self._devices.refund(case.address[:2])
            self._tenants.refund(case.address.tenant_id)


def _is_free(message: Inbound) -> bool:
    return message.vouched or message.late or message.replay_of is not None


def _wait(reason: Reason, who: str, wait_s: float) -> Wait:
    return Wait(Fault(reason, f"{who} may not send so much: wait for {wait_s:.3g} s"), wait_s)
