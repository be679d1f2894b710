"""How many of something are let through in a time, for each of many senders.

Each sender has a bucket of tokens: it holds ``burst`` of them, gets ``rate`` a second, and each thing that passes takes
one. A bucket that was left alone is full after a while, and a full one is as good as none: it is forgotten without
any loss. That is done for two at most whenever a new one is made, so that no call ever takes long.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

_AT_ONCE: Final = 2
_ROUNDING: Final = 1e-6  # of a token: who comes back exactly when he was told to must not be refused again


class _Bucket:
    """What one sender has left, as of a moment."""

    __slots__ = ("burst", "rate", "seen", "tokens")

    def __init__(self, tokens: float, seen: float, rate: float, burst: float) -> None:
        self.tokens, self.seen, self.rate, self.burst = tokens, seen, rate, burst


class Buckets:
    """A bucket for each sender that is not at rest.

    At most ``limit`` of them: of more, those go that were asked for least recently, although they were not full.

    Attributes:
        evicted: How many had to go so; their senders may have got a few things through too many.
    """

    def __init__(self, *, limit: int = 50_000, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none.

        Args:
            limit: How many are remembered, at least 1.
            clock: Tells monotonic seconds.
        """
        self.evicted = 0
        self._limit = limit
        self._clock = clock
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()  # the last to be asked for is the last

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, rate: float, burst: float) -> float:
        """Let one thing of a sender pass, if it may.

        Args:
            key: The sender.
            rate: Tokens that come each second, more than 0.
            burst: How many there can be, at least 1.

        Returns:
            0.0 when it passes; else the seconds until one would, and nothing was taken.
        """
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            self._make_room(now)
            self._buckets[key] = _Bucket(burst - 1.0, now, rate, burst)
            return 0.0
        tokens = bucket.tokens + (now - bucket.seen) * rate
        if tokens > burst:  # noqa: PLR1730 - min() would cost a fifth of the whole call
            tokens = burst
        bucket.seen, bucket.rate, bucket.burst = now, rate, burst
        self._buckets.move_to_end(key)
        if tokens < 1.0 - _ROUNDING:
            bucket.tokens = tokens
            return (1.0 - tokens) / rate
        bucket.tokens = tokens - 1.0
        return 0.0

    def refund(self, key: Hashable) -> None:
        """Give back what the sender's last thing took: it was not let through after all."""
        if (bucket := self._buckets.get(key)) is not None:
            bucket.tokens = min(bucket.tokens + 1.0, bucket.burst)

    def _make_room(self, now: float) -> None:
        """Forget what may be forgotten, and more than that when there are too many."""
        buckets = self._buckets
        for _ in range(_AT_ONCE):
            key, oldest = next(iter(buckets.items()), (None, None))
            if oldest is None or oldest.tokens + (now - oldest.seen) * oldest.rate < oldest.burst:
                break
            del buckets[key]
        if len(buckets) >= self._limit:
            buckets.popitem(last=False)
            self.evicted += 1
