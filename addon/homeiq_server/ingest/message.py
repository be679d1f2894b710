"""The values that travel through device ingest. Frozen, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

type Transport = Literal["mqtt", "http"]
type Value = float | int | bool | str

NOBODY = "-"
"""The tenant that refused messages are kept under when they name none that exists."""


class Reason(StrEnum):
    """Why a message is refused; the same for MQTT, HTTP and replay, in counters, quarantine and answers."""

    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    BAD_TOPIC_FORMAT = "BAD_TOPIC_FORMAT"
    UNKNOWN_TENANT = "UNKNOWN_TENANT"
    INVALID_ENCODING = "INVALID_ENCODING"
    INVALID_JSON = "INVALID_JSON"
    NOT_OBJECT = "NOT_OBJECT"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    TENANT_MISMATCH = "TENANT_MISMATCH"
    DEVICE_MISMATCH = "DEVICE_MISMATCH"
    TENANT_SUSPENDED = "TENANT_SUSPENDED"
    TOKEN_MISSING = "TOKEN_MISSING"  # noqa: S105 - a reason, not a token
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - a reason, not a token
    RATE_LIMITED_DEVICE = "RATE_LIMITED_DEVICE"
    RATE_LIMITED_TENANT = "RATE_LIMITED_TENANT"
    UNREGISTERED_DEVICE = "UNREGISTERED_DEVICE"
    NO_SUBSCRIPTION_CAPACITY = "NO_SUBSCRIPTION_CAPACITY"
    SUBSCRIPTION_SUSPENDED = "SUBSCRIPTION_SUSPENDED"
    SUBSCRIPTION_EXPIRED = "SUBSCRIPTION_EXPIRED"
    DEVICE_PENDING = "DEVICE_PENDING"
    DEVICE_INACTIVE = "DEVICE_INACTIVE"
    DEVICE_REVOKED = "DEVICE_REVOKED"
    SITE_MISMATCH = "SITE_MISMATCH"
    MALFORMED = "MALFORMED"
    TOO_MANY_METRICS = "TOO_MANY_METRICS"
    METRIC_KEY_INVALID = "METRIC_KEY_INVALID"
    METRIC_VALUE_INVALID = "METRIC_VALUE_INVALID"


COUNTED_ONLY = frozenset({Reason.RATE_LIMITED_DEVICE, Reason.RATE_LIMITED_TENANT})
"""Reasons that fill no quarantine: what is refused was good, and there is a flood of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message as it came.

    Attributes:
        transport: How.
        topic: ``tenant/{tenant_id}/device/{device_id}/{msg_type}``; of HTTP made of its address.
        payload: As it came, uncompressed.
        token: Shown beside the payload (a user property of MQTT 5, a header of HTTP); None when none was. Not in repr.
        received_us: When it came; of a replay, when it came first.
        vouched: A replay of a message whose sender had proved who he was: no token is asked for, no rate is counted.
        replay_of: Of a replay, its row in the quarantine: refused once more it stays there, and is not kept again; no
            rate is counted.
        late: It waited, at the broker while we were away, or with us: its sender was not too fast; no rate is counted.
    """

    transport: Transport
    topic: str
    payload: bytes
    token: str | None = None
    received_us: int
    vouched: bool = False
    replay_of: int | None = None
    late: bool = False

    def __repr__(self) -> str:
        """Tell nothing of token and payload, which may have one in it."""
        return f"Inbound({self.transport}, {self.topic!r}, {len(self.payload)} bytes)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message that is taken.

    Attributes:
        tenant_id: Whose it is.
        device_id: Which device sent it; unique within the tenant only.
        site_id: Where the device is registered.
        msg_type: ``telemetry``, ``heartbeat``, or a word of the device's own; letters, digits, - and _.
        time_us: The device's own time, else that of receipt.
        received_us: When it came.
        metrics: Numbers, switches and texts by name; empty for a bare heartbeat.
        position: Latitude and longitude, in degrees.
        size: Of the payload, in bytes.
        provisioned: The device was registered by this message.
    """

    tenant_id: str
    device_id: str
    site_id: str
    msg_type: str
    time_us: int
    received_us: int
    metrics: Mapping[str, Value]
    position: tuple[float, float] | None
    size: int
    provisioned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message that is not.

    Attributes:
        reason: A program may rely on it.
        detail: A sentence that names the fault and the remedy; never a token.
        tenant_id: Of a tenant that exists, else ``NOBODY``.
        device_id: As the topic says, as far as it could be read.
        authenticated: The sender had proved who he was before the fault was found.
        retry_after_s: When the same may work, of a rate.
    """

    reason: Reason
    detail: str
    tenant_id: str
    device_id: str | None
    authenticated: bool = False
    retry_after_s: float | None = None


type Outcome = Accepted | Refused
