"""The address of a message: which device of which tenant sends what."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from homeiq_server.credentials import DEVICE_ID, TENANT_ID

TELEMETRY: Final = "telemetry"
HEARTBEAT: Final = "heartbeat"

_TOPIC: Final = re.compile(
    rf"tenant/({TENANT_ID.pattern})/device/({DEVICE_ID.pattern})/([A-Za-z0-9_-]{{1,64}})", re.ASCII
)
_LONGEST: Final = 300  # more characters than any that fits; a topic of MQTT may have 65,535 bytes


class Address(NamedTuple):
    """What a topic says; nothing of it is proved.

    Attributes:
        tenant_id: The tenant, which may not exist.
        device_id: The device, which may not be registered.
        msg_type: ``telemetry``, ``heartbeat``, or another word of letters, digits, - and _.
    """

    tenant_id: str
    device_id: str
    msg_type: str


def address_of(topic: str) -> Address | None:
    """Read ``tenant/{tenant_id}/device/{device_id}/{msg_type}``; None when it is anything else."""
    return _read(topic) if len(topic) <= _LONGEST else None


@lru_cache(maxsize=4_096)
def _read(topic: str) -> Address | None:
    found = _TOPIC.fullmatch(topic)
    return found and Address(*found.groups())
