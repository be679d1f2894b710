"""Which stretch of time is lost with a row."""

from collections.abc import Iterator
from typing import Final

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.channels import LIVE
from homeiq_server.history.spool.rows import Row

from .queue import Oldest

_TO_US: Final = {"ns": (1, 1_000), "us": (1, 1), "ms": (1_000, 1), "s": (1_000_000, 1)}


def is_known(row: Oldest) -> bool:
    """Tell whether the row's columns say it; they do not when a clock was set back, or when a backfill brought it."""
    return (
        row.channel == LIVE and row.since_us is not None and row.newest_us is not None and row.since_us < row.newest_us
    )


def span(oldest: Oldest, row: Row | None) -> tuple[int, int]:
    """Return the first instant that is lost and the first that is not.

    Args:
        oldest: The row's columns.
        row: Its lines, read for their times; None where the columns say it.
    """
    known = [time_us for time_us in (oldest.since_us, oldest.newest_us) if time_us is not None]
    times = known if row is None else [*known, *_times(row)]
    return min(times, default=oldest.accepted_us), max(times, default=oldest.accepted_us) + 1


def _times(row: Row) -> Iterator[int]:
    """Yield the time of each line that has one, in microseconds."""
    try:
        factor, divisor = _TO_US[row.precision]
        body = row.body()
    except KeyError, Rejected:  # a damaged row
        return
    for line in body.split(b"\n"):
        last = line.rpartition(b" ")[2]
        if last.removeprefix(b"-").isdigit():
            yield int(last) * factor // divisor
