"""What the log tells of a queue that fills: once when it begins, once when it ends."""

import logging
from typing import Final

from .totals import Totals

_LOGGER = logging.getLogger(__name__)
_FILLING: Final = 0.8  # of the limit
_EASED: Final = 0.7  # below this, the next crossing is told again
_MEBIBYTE: Final = 1024 * 1024


class Notices:
    """Looks at the totals after each commit.

    Attributes:
        is_filling: The queue came over 80 % of its limit, and has not fallen below 70 % since.
    """

    def __init__(self) -> None:
        self.is_filling = False
        self._is_dropping = False
        self._dropped: int | None = None  # lines, until the episode began

    def see(self, totals: Totals) -> None:
        """Log what has changed."""
        self._see_filling(totals)
        self._see_dropping(totals)

    def _see_filling(self, totals: Totals) -> None:
        if not self.is_filling and totals.fill >= _FILLING:
            self.is_filling = True
            _LOGGER.warning(
                "The queue is %.0f %% full of %d MiB, %d lines wait: see to the database",
                totals.fill * 100,
                totals.limit_bytes // _MEBIBYTE,
                totals.lines.queued,
            )
        elif self.is_filling and totals.fill < _EASED:
            self.is_filling = False
            _LOGGER.info("The queue has fallen to %.0f %% of its limit", totals.fill * 100)

    def _see_dropping(self, totals: Totals) -> None:
        is_dropping = totals.dropping_since_us is not None
        dropped = totals.lines.dropped.get("overflow", 0)
        if self._dropped is None or not (is_dropping or self._is_dropping):
            self._dropped = dropped
        if is_dropping and not self._is_dropping:
            _LOGGER.warning(
                "The queue is full (%d MiB): its oldest lines are dropped to make room, and kept as gaps",
                totals.limit_bytes // _MEBIBYTE,
            )
        elif self._is_dropping and not is_dropping:
            _LOGGER.info("The queue has room again; %d lines were dropped", dropped - self._dropped)
            self._dropped = dropped
        self._is_dropping = is_dropping
