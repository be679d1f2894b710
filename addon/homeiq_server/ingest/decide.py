"""What becomes of a device's message: one decision, for MQTT, HTTP and replay alike.

The checks come in one order, and the first that fails gives the reason: size, topic, syntax, tenant and device as the
message names them, the tenant, token, rates, the tenant's status, registration, subscription, the device's status,
site, content. Nothing is remembered of a sender who has not proved who he is, unless the options trust whoever the
broker lets in. A device is registered by a message only that will then be taken.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from homeiq_server.credentials import SITE_ID
from homeiq_server.store.known import KnownDevice, KnownTenant
from homeiq_server.store.places import Refusal
from homeiq_server.store.provisioning import NewDevice

from .case import Case
from .charges import Charges
from .credential import OUT_OF_USE, UNREGISTERED, Proof, prove
from .fault import Fault
from .limits import Limits
from .message import NOBODY, Accepted, Reason, Refused
from .moment import time_us_of
from .schema import Content, content_of
from .topic import Address

HOME: Final = "home"

_UNKNOWN_TENANT: Final = Fault(Reason.UNKNOWN_TENANT, "there is no such tenant")
_TENANT_SUSPENDED: Final = Fault(Reason.TENANT_SUSPENDED, "the tenant is suspended")
_VOUCHED: Final = Proof(None, authenticated=True)
_PLACES: Final[dict[Refusal, str]] = {
    "NO_SUBSCRIPTION_CAPACITY": "no subscription of the tenant has a place for the device",
    "SUBSCRIPTION_SUSPENDED": "the subscription is suspended",
    "SUBSCRIPTION_EXPIRED": "the subscription has expired: renew it",
}
_SUBSCRIPTIONS: Final[dict[str, Fault]] = {
    "SUSPENDED": Fault(Reason.SUBSCRIPTION_SUSPENDED, _PLACES["SUBSCRIPTION_SUSPENDED"]),
    "EXPIRED": Fault(Reason.SUBSCRIPTION_EXPIRED, _PLACES["SUBSCRIPTION_EXPIRED"]),
}
_NO_PLACE: Final = Fault(Reason.NO_SUBSCRIPTION_CAPACITY, "the device has no place in a subscription of the tenant")


class Standing(NamedTuple):
    """What is known of a device.

    Attributes:
        device: None when it is not registered.
        refusal: Why it could not be when it last asked for that; None when it may ask.
        is_new: It was registered for the sake of the message.
    """

    device: KnownDevice | None
    refusal: Refusal | None = None
    is_new: bool = False


STRANGER: Final = Standing(None)

type Verdict = Accepted | Refused | NewDevice
"""The outcome; or the device that is to be registered first, then the same message is decided about again."""


class Decider:
    """Decides, and holds the rates that decisions depend on.

    Attributes:
        charges: What messages cost; the number of them is that of devices whose rates are watched.
        bad_times: How many messages that were taken had a time that could not be theirs, since the start.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            limits: How much is taken.
            clock: Tells monotonic seconds.
        """
        self.charges = Charges(limits, clock=clock)
        self.bad_times = 0
        self._limits = limits

    def decide(self, case: Case, tenant: KnownTenant | None, standing: Standing = STRANGER) -> Verdict:
        """Return what becomes of a message; the same again for one whose device was registered meanwhile.

        Args:
            case: The message.
            tenant: That of its topic; None when there is none.
            standing: Of the device of its topic.
        """
        address = case.address
        if tenant is None or tenant.status == "DELETED" or address is None:
            return _refused(case, case.fault or _UNKNOWN_TENANT, NOBODY)
        if case.fault:
            return _refused(case, case.fault, tenant.tenant_id)
        fault, authenticated = self._proof(case, tenant, standing.device)
        if fault:
            return _refused(case, fault, tenant.tenant_id)
        is_somebody = authenticated or standing.device is not None
        if wait := self.charges.charge(case, address, tenant, with_device=is_somebody):
            return _refused(case, wait.fault, tenant.tenant_id, authenticated=authenticated, after_s=wait.after_s)
        found = self._judge(case, address, tenant, standing)
        if isinstance(found, Fault):
            return _refused(case, found, tenant.tenant_id, authenticated=authenticated)
        return found

    def needs_device(self, case: Case, tenant: KnownTenant) -> bool:
        """Tell whether the decision depends on the device: not when it is refused whatever there is."""
        if case.fault or tenant.status == "DELETED":
            return False
        return case.token is not None or case.message.vouched or self._trusts(case, tenant)

    def _trusts(self, case: Case, tenant: KnownTenant) -> bool:
        return not self._limits.require_token and case.message.transport == "mqtt" and tenant.tenant_id == HOME

    def _proof(self, case: Case, tenant: KnownTenant, device: KnownDevice | None) -> Proof:
        if case.message.vouched:
            return _VOUCHED
        return prove(case.token, tenant, device, trusting=self._trusts(case, tenant))

    def _judge(self, case: Case, address: Address, tenant: KnownTenant, standing: Standing) -> Verdict | Fault:
        """Decide about a message whose sender may send."""
        if tenant.status != "ACTIVE":
            return _TENANT_SUSPENDED
        if (device := standing.device) is None:
            return self._register(case, address, tenant, standing.refusal)
        fault = _of_device(device) or _of_site(case, device)
        if fault:
            return fault
        content = content_of(case.body, address.msg_type, self._limits.metrics)
        if isinstance(content, Fault):
            return content
        return self._accepted(case, address, device.site_id, content, provisioned=standing.is_new)

    def _register(
        self, case: Case, address: Address, tenant: KnownTenant, refusal: Refusal | None
    ) -> NewDevice | Fault:
        if not tenant.auto_provision:
            return UNREGISTERED
        if refusal:
            return Fault(Reason(refusal), _PLACES[refusal])
        site_id = case.body.get("site_id")
        if site_id is None:
            site_id = HOME
        elif not isinstance(site_id, str) or not SITE_ID.fullmatch(site_id):
            return Fault(Reason.MALFORMED, "its site_id is not one: letters, digits, _ . : and -, at most 128")
        content = content_of(case.body, address.msg_type, self._limits.metrics)
        return content if isinstance(content, Fault) else NewDevice(device_id=address.device_id, site_id=site_id)

    def _accepted(self, case: Case, address: Address, site_id: str, content: Content, *, provisioned: bool) -> Accepted:
        received_us, ts = case.message.received_us, case.body.get("ts")
        time_us = None if ts is None else time_us_of(ts, received_us)
        if time_us is None and ts is not None:
            self.bad_times += 1
        return Accepted(
            tenant_id=address.tenant_id,
            device_id=address.device_id,
            site_id=site_id,
            msg_type=address.msg_type,
            time_us=received_us if time_us is None else time_us,
            received_us=received_us,
            metrics=content.metrics,
            position=content.position,
            size=len(case.message.payload),
            provisioned=provisioned,
        )


def _of_device(device: KnownDevice) -> Fault | None:
    """Return why a device may not send: for its subscription, then for itself."""
    subscription = device.subscription_status
    if subscription is not None and (fault := _SUBSCRIPTIONS.get(subscription)):
        return fault
    if device.status != "ACTIVE":
        return OUT_OF_USE[device.status]
    return _NO_PLACE if subscription is None else None


def _of_site(case: Case, device: KnownDevice) -> Fault | None:
    site_id = case.body.get("site_id")
    if site_id is None or site_id == device.site_id:
        return None
    return Fault(Reason.SITE_MISMATCH, "its site_id is another than the one where the device is registered")


def _refused(
    case: Case, fault: Fault, tenant_id: str, *, authenticated: bool = False, after_s: float | None = None
) -> Refused:
    return Refused(
        reason=fault.reason,
        detail=fault.detail,
        tenant_id=tenant_id,
        device_id=case.address.device_id if case.address else None,
        authenticated=authenticated,
        retry_after_s=after_s,
    )
