"""Times in which the database does not take what it is sent: when to try again, and what to log about it."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from homeiq_server.history.answers import Action, Refusal

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the writer waits, in seconds.

    Attributes:
        backoff: The first wait is a random part of this; each next one of twice as much.
        longest_backoff: The most that it grows to.
        hold: The wait when a setting has to be mended.
        probe: How often the database's health is asked meanwhile.
        clock_wait: How long our clock may take to be set, when rows come from the future by it.
    """

    backoff: float = 1
    longest_backoff: float = 60
    hold: float = 60
    probe: float = 2
    clock_wait: float = 600


class Outage:
    """Counts failures in a row; says so once when they begin, once when they end.

    Attributes:
        refusal: The latest failure, or None while all is well.
        retry_at: Monotonic time of the next try.
    """

    def __init__(self, name: str, timing: Timing, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._timing = timing
        self._clock = clock
        self._failures = 0
        self._since = 0.0
        self.refusal: Refusal | None = None
        self.retry_at = 0.0

    def failed(self, refusal: Refusal) -> None:
        """Count a failure and set the time of the next try."""
        if self.refusal is None:
            self._since = self._clock()
        if self.refusal is None or self.refusal.action is not refusal.action:
            _LOGGER.warning("%s does not take lines, they are kept: %s", self._name, refusal.reason)
        self.refusal = refusal
        self.retry_at = self._clock() + self._pause(refusal)
        self._failures += 1

    def ended(self) -> None:
        """Count a success."""
        if self.refusal is not None:
            seconds = self._clock() - self._since
            _LOGGER.info("%s takes lines again, after %.0f s and %d failures", self._name, seconds, self._failures)
        self.refusal = None
        self._failures = 0

    def _pause(self, refusal: Refusal) -> float:
        if refusal.action is Action.HOLD:
            return self._timing.hold
        if refusal.after is not None:
            return refusal.after
        longest = min(self._timing.backoff * 2 ** min(self._failures, 16), self._timing.longest_backoff)
        return random.uniform(0, longest)  # noqa: S311  # full jitter, not a secret
