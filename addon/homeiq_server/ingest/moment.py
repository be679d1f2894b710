"""When a device says that something was so."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECONDS_FROM: Final = 100_000_000_000  # as seconds that would be the year 5138
_EARLIEST_US: Final = 946_684_800_000_000  # 2000: a clock that was never set counts from 1970
_AHEAD_US: Final = 600_000_000


def time_us_of(ts: object, received_us: int) -> int | None:
    """Return the time that a device gave its message, in microseconds.

    Args:
        ts: A text by ISO 8601, without an offset in UTC; or seconds or milliseconds since 1970.
        received_us: When the message came.

    Returns:
        None when it is none, lies before 2000 or more than ten minutes ahead: the device has no clock, or a wrong one.
    """
    if isinstance(ts, str):
        time_us = _of_text(ts)
    elif isinstance(ts, (int, float)) and not isinstance(ts, bool):
        time_us = _of_number(ts)
    else:
        return None
    if time_us is None or not _EARLIEST_US <= time_us <= received_us + _AHEAD_US:
        return None
    return time_us


def _of_text(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text)
        return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except ValueError, OverflowError:
        return None


def _of_number(number: float) -> int | None:
    if not 0 <= number < _MILLISECONDS_FROM * 1_000:
        return None
    return round(number * (1_000_000 if number < _MILLISECONDS_FROM else 1_000))
