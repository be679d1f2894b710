"""What an entity is to the rules, decided once from its registry entry, so that the hot path only looks."""

from functools import lru_cache
from typing import Final

import msgspec

from homeiq_server.insights.impossible import Range, range_of
from homeiq_server.registry import Entity

MUTE: Final = frozenset({"automation", "button", "conversation", "image", "notify", "scene", "script", "update"})
"""Domains whose state is set by Home Assistant or by a cloud: it is no sign of life of the device."""
_ACTORS: Final = frozenset(
    {"cover", "fan", "humidifier", "light", "lock", "media_player", "remote", "siren", "switch", "vacuum", "valve"}
)
_SET_OFF: Final = frozenset(
    {
        "door",
        "garage_door",
        "lock",
        "motion",
        "moving",
        "occupancy",
        "opening",
        "presence",
        "sound",
        "vibration",
        "window",
    }
)
"""Device classes of binary sensors that people set off."""
_ON_OCCASION: Final = frozenset({"battery", "illuminance", "signal_strength", "timestamp", "enum", "date", "voltage"})
"""Device classes of sensors that often are told along with an occasion, not by themselves."""


class Role(msgspec.Struct, frozen=True, gc=False):
    """What an entity is to the rules.

    Attributes:
        speaks: Its reports are signs of life of its device.
        vital: When all vital entities of a device are unavailable, the device is.
        acts: It does what it is asked.
        set_off: It tells what people do (motion, doors, buttons).
        regular: It tells by itself, whatever people do.
        numeric: Its states are numbers, kept as hourly rollups.
        limits: What is physically possible.
        keeps_state: Its state is asked for at an evaluation.
        worded: Its states are words that somebody asks for.
    """

    speaks: bool = False
    vital: bool = False
    acts: bool = False
    set_off: bool = False
    regular: bool = False
    numeric: bool = False
    battery: bool = False
    battery_low: bool = False
    limits: Range | None = None
    keeps_state: bool = False
    worded: bool = False

    @staticmethod
    def of(entity: Entity, *, guest: bool = False) -> Role:
        """Return the role of an entity; those that are alike share one.

        Args:
            entity: The entity.
            guest: Another integration has put it at the device (a derivative, a utility meter): it lives on when the
                device does not.
        """
        primary = entity.entity_category is None
        return _role(entity.domain, entity.device_class, entity.unit, entity.state_class, primary=primary, guest=guest)


@lru_cache(maxsize=4_096)
def _role(  # noqa: PLR0913 - what makes entities alike
    domain: str, kind: str | None, unit: str | None, state_class: str | None, *, primary: bool, guest: bool
) -> Role:
    measurable = domain in {"sensor", "number", "counter", "input_number"}
    by_itself = domain in {"climate", "weather"} or (domain == "sensor" and state_class is not None)
    is_battery = kind == "battery"
    return Role(
        speaks=domain not in MUTE and not guest,
        vital=primary and domain not in MUTE and not guest,
        acts=primary and domain in _ACTORS and not guest,
        set_off=not guest and (domain == "event" or (domain == "binary_sensor" and kind in _SET_OFF)),
        regular=by_itself and primary and kind not in _ON_OCCASION and not guest,
        numeric=measurable and (state_class is not None or unit is not None),
        battery=domain == "sensor" and is_battery and unit == "%",
        battery_low=domain == "binary_sensor" and is_battery,
        limits=range_of(kind, unit) if state_class == "measurement" else None,
        keeps_state=domain == "update",
        worded=domain == "update" or (domain == "binary_sensor" and is_battery),
    )
