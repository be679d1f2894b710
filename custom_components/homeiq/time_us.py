"""The one time function: every path from Home Assistant to the app gives an instant the same microseconds."""

from math import modf


def time_us(timestamp: float) -> int:
    """Return the microseconds since the epoch of ``dt_util.utc_from_timestamp(timestamp)``, without building it.

    Home Assistant keeps times as floats of seconds, its recorder gives back what ``datetime.fromtimestamp`` makes
    of them: the fraction alone is scaled, and rounded half to even (CPython, ``_PyTime_DoubleToDenominator``).
    ``int(timestamp * 1e6)`` differs in about every third case, and would store a change twice wherever a live event
    meets its backfill.
    """
    fraction, seconds = modf(timestamp)
    return int(seconds) * 1_000_000 + round(fraction * 1e6)
