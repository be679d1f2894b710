"""Figures, spans and days as people say them. Times are UTC seconds since the epoch."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

MINUTE_S: Final = 60.0
HOUR_S: Final = 3_600.0
DAY_S: Final = 86_400.0
MICROSECONDS: Final = 1_000_000

_SPANS: Final = ((DAY_S, "day"), (HOUR_S, "hour"), (MINUTE_S, "minute"))
_ENOUGH: Final = 2


def rounded(value: float, digits: int = 2) -> float:
    """Return the value with so many significant digits: what was said an hour ago then mostly still stands."""
    if not value or not math.isfinite(value):
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def figure(value: float, unit: str | None = None) -> str:
    """Return it as people write it: ``0.8 %``, ``1,200 W``, ``21.5 °C``."""
    if not math.isfinite(value):
        return "no number"
    number = f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{'0' if number == '-0' else number} {unit or ''}".strip()


def span(seconds: float) -> str:
    """Return how long that is: ``40 minutes``, ``6 hours``, ``3 days``."""
    length, word = next((each for each in _SPANS if seconds >= _ENOUGH * each[0]), _SPANS[-1])
    count = max(1, round(seconds / length))
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def counted(count: int, word: str) -> str:
    """Return ``1 day`` or ``3 days``."""
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def day(at_s: float) -> str:
    """Return the day: ``3 December``."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%B}"


def microseconds(at_s: float) -> int:
    """Return the instant as the rest of the app counts it."""
    return int(at_s * MICROSECONDS)


def number(evidence: Mapping[str, object], name: str) -> float:
    """Return a figure of the evidence; 0 when it is not there."""
    value = evidence.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
