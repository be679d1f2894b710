"""What Zigbee2MQTT publishes, as far as it is about devices. Pure.

Source: the manual of Zigbee2MQTT 2, "MQTT Topics and Messages": ``<base>/bridge/devices`` (retained, all devices),
``<base>/bridge/state``, ``<base>/<friendly name>/availability`` and ``<base>/<friendly name>``. A friendly name may
have slashes in it.
"""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

COORDINATOR: Final = "Coordinator"
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_MILLISECONDS_FROM: Final = 1e11  # as seconds that were the year 5138

type Text = Annotated[str, Meta(max_length=1_000)]


class Definition(msgspec.Struct, frozen=True):
    """What kind of device it is, from the list of supported ones."""

    model: Text | None = None
    vendor: Text | None = None
    description: Text | None = None


class ZigbeeDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the network, as ``bridge/devices`` lists it.

    Attributes:
        ieee_address: Such as ``"0x00158d0001dc126a"``.
        type: ``Coordinator``, ``Router``, ``EndDevice`` or ``Unknown``.
        power_source: In Zigbee's words, such as ``"Battery"`` or ``"Mains (single phase)"``.
        interview_state: ``PENDING``, ``IN_PROGRESS``, ``SUCCESSFUL`` or ``FAILED``; since version 2.
    """

    ieee_address: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{16}$")]
    friendly_name: Annotated[str, Meta(min_length=1, max_length=255)]
    type: Text = "Unknown"
    definition: Definition | None = None
    power_source: Text | None = None
    software_build_id: Text | None = None
    interview_state: Text | None = None
    interview_completed: bool | None = None
    interviewing: bool | None = None
    disabled: bool = False

    @property
    def interview(self) -> str | None:
        """How far its interview came, also of version 1; None when nobody says."""
        if self.interview_state or self.interview_completed is None:
            return self.interview_state
        if self.interview_completed:
            return "SUCCESSFUL"
        return "IN_PROGRESS" if self.interviewing else "FAILED"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a device's own message tells of the device itself.

    Attributes:
        link_quality: LQI, 0 to 255.
        battery_level: Percent.
        last_seen_us: By the bridge's clock; None when it is not set up to tell.
    """

    link_quality: int | None = None
    battery_level: float | None = None
    last_seen_us: int | None = None


class _Payload(msgspec.Struct, frozen=True):
    linkquality: Annotated[float, Meta(ge=0, le=255)] | None = None
    battery: Annotated[float, Meta(ge=0, le=100)] | None = None
    last_seen: str | float | None = None


class _State(msgspec.Struct, frozen=True):
    state: str


_whole = msgspec.json.Decoder(list[msgspec.Raw])
_device = msgspec.json.Decoder(ZigbeeDevice)
_payload = msgspec.json.Decoder(_Payload)
_state = msgspec.json.Decoder(_State)


def devices(payload: bytes) -> tuple[list[ZigbeeDevice], int] | None:
    """Return the devices of a list and how many could not be read, or None when it is no list."""
    try:
        rows = _whole.decode(payload)
    except _FAULTS:
        return None
    found, bad = [], 0
    for row in rows:
        try:
            found.append(_device.decode(row))
        except _FAULTS:
            bad += 1
    return found, bad


def online(payload: bytes) -> bool | None:
    """Return what an availability or a bridge's state tells, in the old form or the new; None when it is neither."""
    try:
        word = _state.decode(payload).state
    except _FAULTS:
        word = payload[:16].decode("ascii", errors="replace")
    return {"online": True, "offline": False}.get(word)


def reading(payload: bytes) -> Reading | None:
    """Return what a device's message tells of the device, or None when it is no object."""
    try:
        found = _payload.decode(payload)
    except _FAULTS:
        return None
    return Reading(
        link_quality=None if found.linkquality is None else round(found.linkquality),
        battery_level=found.battery,
        last_seen_us=_microseconds(found.last_seen),
    )


def _microseconds(seen: str | float | None) -> int | None:
    """Return an instant in one of the forms that ``last_seen`` can be set to: ISO 8601, or milliseconds."""
    match seen:
        case str():
            try:
                at = datetime.fromisoformat(seen)
            except ValueError:
                return None
            return None if at.tzinfo is None else round(at.timestamp() * 1e6)
        case int() | float() if _MILLISECONDS_FROM < seen < _MILLISECONDS_FROM * 100:
            return round(seen * 1e3)
        case _:
            return None
