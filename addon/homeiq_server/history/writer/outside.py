"""Lines that a database would answer 2xx to and forget, because they lie outside the time that it keeps. Pure."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from homeiq_server.history.target import Kept

OLD: Final = "outside retention"
NEW: Final = "too far in the future"

_MICROSECOND: Final = timedelta(microseconds=1)
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def outside(lines: Sequence[bytes], *, precision: str, kept: Kept, now_us: int) -> dict[int, str]:
    """Return the index of each line that is not kept, and why; a line without a time is the database's to judge."""
    oldest = None if kept.past is None else _in(precision, now_us - kept.past // _MICROSECOND)
    newest = None if kept.future is None else _in(precision, now_us + kept.future // _MICROSECOND)
    if oldest is None and newest is None:
        return {}
    # The time is what stands behind the last space: nothing else of the line is looked at.
    times = [line[line.rfind(b" ") + 1 :] for line in lines]
    if _all_within(times, oldest, newest):
        return {}
    found = ((index, _judge(time, oldest, newest)) for index, time in enumerate(times))
    return {index: reason for index, reason in found if reason}


def time_of(line: bytes) -> float:
    """Return a line's time in its precision, for sorting; one without a time is the newest."""
    time = line[line.rfind(b" ") + 1 :]
    return int(time) if _is_number(time) else math.inf


def _in(precision: str, time_us: int) -> int:
    return time_us * _PER_SECOND[precision] // 1_000_000


def _all_within(times: Sequence[bytes], oldest: int | None, newest: int | None) -> bool:
    """Tell whether all is well, without reading numbers: those of equally many digits compare like texts."""
    least, most = min(times), max(times)
    low, high = (least if oldest is None else b"%d" % oldest), (most if newest is None else b"%d" % newest)
    return {len(low), len(high)} == set(map(len, times)) and low <= least <= most <= high


def _judge(time: bytes, oldest: int | None, newest: int | None) -> str | None:
    if not _is_number(time):
        return None
    value = int(time)
    if oldest is not None and value < oldest:
        return OLD
    return NEW if newest is not None and value > newest else None


def _is_number(time: bytes) -> bool:
    return time.removeprefix(b"-").isdigit()
