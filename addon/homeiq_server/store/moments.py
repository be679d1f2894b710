"""Times on both sides of the database: microseconds since the Unix epoch in memory, ``timestamptz`` in tables."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def moment(time_us: int) -> datetime:
    """Return a time as PostgreSQL keeps it, exactly."""
    return _EPOCH + timedelta(microseconds=time_us)


def moment_us(at: datetime) -> int:
    """Return a time as microseconds, exactly."""
    return (at - _EPOCH) // _MICROSECOND
