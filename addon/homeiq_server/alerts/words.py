"""What alerts say: whole sentences of what is known, with the units that are known. Pure."""

from datetime import datetime
from typing import Final

from homeiq_server.store.alert_rules import Operator

_SIDES: Final[dict[Operator, str]] = {
    "GT": "above",
    "GTE": "at or above",
    "LT": "below",
    "LTE": "at or below",
}
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def number(value: float) -> str:
    """Return a number as a person writes it, exactly."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)


def duration(seconds: int) -> str:
    """Return a duration in the largest unit that makes it a whole number, such as ``90 seconds``."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds and seconds % size == 0), _UNITS[-1])
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def beyond(device: str, metric: str, value: float, operator: Operator, limit: float, duration_s: int) -> str:  # noqa: PLR0913, PLR0917 - all of it is told
    """Return what is wrong with a value."""
    lasting = f" for at least {duration(duration_s)}" if duration_s else ""
    return f"{device} reports {metric} {number(value)}, which is {_SIDES[operator]} {number(limit)}{lasting}."


def absent(device: str, kind: str, silence_s: int, heard_at: datetime | None) -> str:
    """Return what is missing of a device."""
    what = "sent nothing" if kind == "NO_HEARTBEAT" else "sent no values"
    last = "it never did" if heard_at is None else f"the last came at {heard_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{device} has {what} for {duration(silence_s)} or longer; {last}."
