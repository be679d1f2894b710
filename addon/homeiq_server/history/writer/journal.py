"""What the writer logs: each kind of trouble when it begins, not for every request that meets it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from .isolation import Condemned
from .unpacking import DAMAGE

_LOGGER = logging.getLogger(__name__)
_QUIET_S: Final = 600.0


class Journal:
    """Says a thing once, and again only after ten minutes without it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until: dict[str, float] = {}  # one key for each method and reason of ours
        self._spool_fails = False

    def spool_fails(self, error: Exception) -> None:
        """Tell why nothing is sent or settled now."""
        if not self._spool_fails:
            _LOGGER.warning("the writer waits for the spool: %s", error)
        self._spool_fails = True

    def spool_works(self) -> None:
        """Note that it does."""
        self._spool_fails = False

    def dropped(self, dropped: Mapping[str, int]) -> None:
        """Tell of lines that are given up, with the first of their reasons' numbers."""
        for reason, lines in dropped.items():
            if reason == DAMAGE:
                _LOGGER.error("rows of the spool are damaged: %d of their lines are lost", lines)
            elif self._is_new(reason):
                _LOGGER.warning("lines are dropped, the first %d of them now: %s", lines, reason)

    def refused(self, condemned: Sequence[Condemned], *, by: str, of: int) -> None:
        """Tell of lines that the database does not take."""
        dead = [verdict for verdict in condemned if not verdict.dropped]
        if dead and self._is_new("refused"):
            lines = sum(len(verdict.lines) for verdict in dead)
            _LOGGER.warning("%s refused %d of %d lines, they are dead letters: %s", by, lines, of, dead[0].reason)
        self.dropped({verdict.reason: len(verdict.lines) for verdict in condemned if verdict.dropped})

    def _is_new(self, kind: str) -> bool:
        now = self._clock()
        is_new = self._quiet_until.get(kind, now) <= now
        self._quiet_until[kind] = now + _QUIET_S
        return is_new
