"""What a device gets when it is registered: a token at once, or a code that it fetches one with."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Self

from homeiq_server.credentials import digest, new_activation_code, new_token
from homeiq_server.store.enrolment import Enrolment
from homeiq_server.store.places import Refusal

from .device_shape import DeviceToMake, MadeItem

_ACTIVATION: Final = timedelta(minutes=60)
_REFUSALS: Final[dict[Refusal | Literal["CONFLICT"], str]] = {
    "CONFLICT": "device_id: there is a device with this id already",
    "NO_SUBSCRIPTION_CAPACITY": "there is no subscription with a free place: remove a device, or raise a limit",
    "SUBSCRIPTION_SUSPENDED": "the subscription is suspended: renew it",
    "SUBSCRIPTION_EXPIRED": "the subscription has ended: renew it",
}


def refused(reason: Refusal | Literal["CONFLICT"]) -> str:
    """Return the sentence for a reason, which it begins with."""
    return f"{reason}: {_REFUSALS[reason]}"


def activation_end() -> datetime:
    """Return until when a code of this moment is good."""
    return datetime.now(UTC) + _ACTIVATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """A device that is about to be registered, with its secret; exactly one of the two. Not in repr.

    Attributes:
        enrolment: What is stored.
        token: When it is active at once.
        activation_code: When it is pending.
    """

    enrolment: Enrolment
    token: str | None = None
    activation_code: str | None = None

    def __repr__(self) -> str:
        """Tell nothing of the secret."""
        return f"Making({self.enrolment.device_id!r})"

    @classmethod
    def of(cls, asked: DeviceToMake, *, with_token: bool) -> Self:
        """Make the secret."""
        token = new_token("device") if with_token else None
        code = None if with_token else new_activation_code()
        enrolment = Enrolment(
            device_id=asked.device_id,
            site_id=asked.site_id,
            name=asked.name,
            status="ACTIVE" if token else "PENDING",
            provisioned_by="api",
            token_hash=digest(token) if token else None,
            activation_hash=digest(code) if code else None,
            activation_expires_at=activation_end() if code else None,
            heartbeat_s=asked.heartbeat_s,
            manufacturer=asked.manufacturer,
            model=asked.model,
            sw_version=asked.sw_version,
            metadata=dict(asked.metadata),
        )
        return cls(enrolment=enrolment, token=token, activation_code=code)

    def item(self, index: int, refusal: Refusal | Literal["CONFLICT"] | None) -> MadeItem:
        """Return what became of it as one of several; the secret only if it is good for something."""
        device_id = self.enrolment.device_id
        if refusal:
            return MadeItem(index=index, device_id=device_id, status=refusal)
        return MadeItem(
            index=index,
            device_id=device_id,
            status="CREATED",
            token=self.token,
            activation_code=self.activation_code,
            activation_expires_at=self.enrolment.activation_expires_at,
        )
