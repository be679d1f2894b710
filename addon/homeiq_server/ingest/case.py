"""A message while it is being decided about."""

from typing import Self

from .envelope import Body, body_of, mismatch, token_in
from .fault import Fault
from .limits import Limits
from .message import Inbound, Reason
from .topic import Address, address_of

_NO_ADDRESS = Fault(
    Reason.BAD_TOPIC_FORMAT, "its topic is not tenant/{tenant_id}/device/{device_id}/{msg_type} with ids as they may be"
)
_NOTHING: Body = {}


class Case:
    """What can be told of a message without knowing whose it is, and how far the decision has come.

    Attributes:
        message: As it came.
        address: Which device of which tenant the topic names; None when it names none.
        body: What the payload holds; empty with a fault.
        fault: Why it is refused whoever sent it; None when there is no such reason.
        token: What was shown; None when nothing was.
        admitted: Its sender's rates were charged; a second look must not charge them again.
    """

    __slots__ = ("address", "admitted", "body", "fault", "message", "token")

    def __init__(self, message: Inbound, address: Address | None, body: Body, fault: Fault | None) -> None:
        self.message, self.address, self.body, self.fault = message, address, body, fault
        self.token = message.token if message.token is not None else token_in(body)
        self.admitted = False

    @classmethod
    def of(cls, message: Inbound, limits: Limits) -> Self:
        """Read a message; never raises."""
        payload, address = message.payload, address_of(message.topic)
        if len(payload) > limits.payload_bytes:
            detail = f"it has {len(payload)} bytes, at most {limits.payload_bytes} are taken"
            return cls(message, address, _NOTHING, Fault(Reason.PAYLOAD_TOO_LARGE, detail))
        if address is None:
            return cls(message, None, _NOTHING, _NO_ADDRESS)
        body = body_of(payload)
        if isinstance(body, Fault):
            return cls(message, address, _NOTHING, body)
        return cls(message, address, body, mismatch(body, address))
