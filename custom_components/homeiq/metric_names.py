"""Finds out what a metric is by its name, whoever has named it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass as BinaryClass

from .metric_kinds import KINDS, MetricKind

_WORD_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
# What follows the quantity and says where or how it was measured: a number, a sensor's type, a kind of mean.
_QUALIFIER: Final = re.compile(
    r"\d+|(?:aht|am|bh|bme|bmp|dht|ds|hdc|htu|ina|mcp|mhz|pms|scd|sds|sgp|sht|sht3x|si|tsl)\d*[a-z]?"
    r"|avg|average|mean|now|value|inside|outside|indoor|outdoor|internal|external"
)
_TRAILING_NUMBER: Final = re.compile(r"(?<=[a-z])\d+$")

# Words that mean something else at the end of a longer name, such as "status_light" or "fill_level".
_ONLY_ALONE: Final = frozenset(
    (
        "bat",
        "batt",
        "brightness",
        "co",
        "consumption",
        "depth",
        "ec",
        "factor",
        "freq",
        "gust",
        "heap",
        "level",
        "light",
        "noise",
        "pf",
        "ph",
        "press",
        "range",
        "signal",
        "sound",
        "speed",
        "uv",
        "voc",
        "volt",
        "volts",
        "watt",
        "watts",
        "wind",
    )
)

BINARY_CLASSES: Final[Mapping[str, BinaryClass]] = {
    **dict.fromkeys(("motion", "pir", "movement"), BinaryClass.MOTION),
    **dict.fromkeys(("occupancy", "occupied"), BinaryClass.OCCUPANCY),
    "presence": BinaryClass.PRESENCE,
    **dict.fromkeys(("door", "door_open", "reed"), BinaryClass.DOOR),
    **dict.fromkeys(("window", "window_open"), BinaryClass.WINDOW),
    **dict.fromkeys(("contact", "opening"), BinaryClass.OPENING),
    **dict.fromkeys(("garage", "garage_door"), BinaryClass.GARAGE_DOOR),
    **dict.fromkeys(("leak", "water_leak", "water", "flood", "wet"), BinaryClass.MOISTURE),
    "smoke": BinaryClass.SMOKE,
    **dict.fromkeys(("gas", "gas_leak"), BinaryClass.GAS),
    "co": BinaryClass.CO,
    **dict.fromkeys(("vibration", "shock"), BinaryClass.VIBRATION),
    "sound": BinaryClass.SOUND,
    "tamper": BinaryClass.TAMPER,
    **dict.fromkeys(("battery_low", "low_battery", "low_bat", "batt_low"), BinaryClass.BATTERY),
    "charging": BinaryClass.BATTERY_CHARGING,
    **dict.fromkeys(("fault", "problem", "error"), BinaryClass.PROBLEM),
}
DIAGNOSTIC_BINARY_CLASSES: Final = frozenset(
    {BinaryClass.BATTERY, BinaryClass.BATTERY_CHARGING, BinaryClass.PROBLEM, BinaryClass.TAMPER}
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a number means.

    Attributes:
        unit: None for a number without one.
        is_whole_name: Whether the metric's name says no more than this.
    """

    kind: MetricKind
    unit: str | None
    is_whole_name: bool


@dataclass(frozen=True, slots=True)
class BinaryMeaning:
    """What a yes or no means; ``is_whole_name`` as of ``Meaning``."""

    device_class: BinaryClass
    is_whole_name: bool


def _known() -> dict[str, tuple[MetricKind, str | None]]:
    """Return kind and unit of every name, alone and with each of its units behind it."""
    found: dict[str, tuple[MetricKind, str | None]] = {}
    for kind in KINDS:
        for name in kind.names:
            if kind.unit is not None or kind.takes_no_unit:
                found.setdefault(name, (kind, kind.unit))
            for end, unit in kind.units.items():
                found.setdefault(f"{name}_{end}", (kind, unit))
                found.setdefault(f"{name}{end}", (kind, unit))
    return found


_KNOWN: Final = _known()


@lru_cache(maxsize=4_096)
def meaning_of(name: str) -> Meaning | None:
    """Return what a number of this name means, None when the catalogue does not know it."""
    for known, is_whole_name in _readings(name):
        if (found := _KNOWN.get(known)) is not None:
            return Meaning(*found, is_whole_name)
    return None


@lru_cache(maxsize=4_096)
def binary_meaning_of(name: str) -> BinaryMeaning | None:
    """Return what a yes or no of this name means, None when nobody knows."""
    for known, is_whole_name in _readings(name):
        if (found := BINARY_CLASSES.get(known)) is not None:
            return BinaryMeaning(found, is_whole_name)
    return None


def title_of(name: str) -> str:
    """Return a metric's name as words for a person."""
    text = " ".join(part for part in _WORD_BREAK.split(name) if part)
    return text[:1].upper() + text[1:] if text else name


def _readings(name: str) -> Iterator[tuple[str, bool]]:
    """Yield the ends of a name, longest first, with whether that is all of it; then so without what qualifies it."""
    words = [word for word in _WORD_BREAK.sub("_", name).lower().split("_") if word]
    for some in _less_and_less(words):
        for start in range(len(some)):
            known = "_".join(some[start:])
            if start == 0 or known not in _ONLY_ALONE:
                yield known, start == 0 and some == words


def _less_and_less(words: list[str]) -> Iterator[list[str]]:
    yield words
    while len(words) > 1 and _QUALIFIER.fullmatch(words[-1]):
        words = words[:-1]
        yield words
    if words and (last := _TRAILING_NUMBER.sub("", words[-1])) != words[-1]:
        yield [*words[:-1], last]
