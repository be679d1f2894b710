"""How long to wait before the next attempt. Pure."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_S: Final = 3_600
MOST_AGE_S: Final = 24 * 3_600
"""A delivery that was not taken by then is dead."""

_DOUBLINGS: Final = 12  # beyond these the longest is reached anyway


def wait_s(attempt: int, asked_s: float | None = None, *, chance: Callable[[], float] = random.random) -> float:
    """Return the seconds until the next attempt: anything up to 1 s after the first, doubling up to an hour.

    All that failed together would come back together without the chance in it.

    Args:
        attempt: How many there were, from 1.
        asked_s: How long the receiver wants us to wait, which is heeded when it is longer.
        chance: A number from 0 to 1.
    """
    most = min(2.0 ** min(attempt - 1, _DOUBLINGS), LONGEST_S)
    return max(most * chance(), min(asked_s or 0.0, MOST_AGE_S))


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, None when it says nothing that can be understood."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(min(int(text[:10]), MOST_AGE_S))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp(), 0.0)
