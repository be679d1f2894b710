"""Who sent a message: what he shows against what is kept of the device's token, or of its tenant's key."""

from typing import Final, NamedTuple

from homeiq_server.credentials import matches
from homeiq_server.store.known import KnownDevice, KnownTenant

from .fault import Fault
from .message import Reason

_MISSING: Final = Fault(Reason.TOKEN_MISSING, "it shows no token: send the one that the device was given")
_WRONG: Final = Fault(Reason.TOKEN_INVALID, "its token is not the device's: give the device a new one")
_NOT_THE_KEY: Final = Fault(
    Reason.TOKEN_INVALID, "the device is not registered, and its token is not the tenant's provisioning key"
)
UNREGISTERED: Final = Fault(
    Reason.UNREGISTERED_DEVICE,
    "the device is not registered: register it, or let the tenant's devices do so themselves",
)
OUT_OF_USE: Final = {
    "PENDING": Fault(Reason.DEVICE_PENDING, "the device is registered, but not activated yet"),
    "INACTIVE": Fault(Reason.DEVICE_INACTIVE, "the device was taken out of use"),
    "REVOKED": Fault(Reason.DEVICE_REVOKED, "the device was revoked"),
    "DELETED": Fault(Reason.UNREGISTERED_DEVICE, "the device was deleted: register it again"),
}
"""By status of a device: why its messages are not taken."""


class Proof(NamedTuple):
    """What came of it.

    Attributes:
        fault: Why the message is refused; None when its sender may go on.
        authenticated: He has proved who he is.
    """

    fault: Fault | None
    authenticated: bool


_TRUSTED: Final = Proof(None, authenticated=False)
_PROVED: Final = Proof(None, authenticated=True)


def prove(token: str | None, tenant: KnownTenant, device: KnownDevice | None, *, trusting: bool) -> Proof:
    """Tell whether a message may be the device's.

    Args:
        token: What was shown, if anything.
        tenant: The tenant of its topic.
        device: The device of its topic, None when it is not registered.
        trusting: No token is needed; one that is shown must be right all the same.
    """
    if token is None:
        return _TRUSTED if trusting else Proof(_MISSING, authenticated=False)
    if device is None:
        return _of_stranger(token, tenant)
    if device.token_hash is not None:
        is_right = matches(token, device.token_hash)
    elif device.provisioned_by == "key":
        is_right = matches(token, tenant.provisioning_key_hash)
    else:  # it has nothing to show
        return Proof(OUT_OF_USE.get(device.status, _WRONG), authenticated=False)
    return _PROVED if is_right else Proof(_WRONG, authenticated=False)


def _of_stranger(token: str, tenant: KnownTenant) -> Proof:
    if matches(token, tenant.provisioning_key_hash):
        return _PROVED
    return Proof(_NOT_THE_KEY if tenant.auto_provision else UNREGISTERED, authenticated=False)
