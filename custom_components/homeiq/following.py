"""A task that asks the app again and again what is new, for as long as the app has anything to tell about that."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from homeassistant.core import callback

from .errors import AppError, Busy, CannotConnect, InvalidAuth, NotFound

_LOGGER = logging.getLogger(__name__)

WAIT_S: Final = 25
"""For how long the app is asked to wait for news."""
PACE_S: Final = 0.5
"""Between two questions: what happens meanwhile is one answer."""
BACKOFF_S: Final = 1.0
LONGEST_BACKOFF_S: Final = 60.0


class Following:
    """Asks until cancelled.

    Attributes:
        counts: Since the entry was loaded: ``answers``, ``failures``, ``faults`` that nobody foresaw.
        trouble: Why the last question failed, or None.
    """

    def __init__(self, what: str, ask: Callable[[], Awaitable[object]]) -> None:
        """``ask`` asks once and does what the answer says; ``what`` is for the log."""
        self.counts: Counter[str] = Counter()
        self.trouble: str | None = None
        self._what = what
        self._ask = ask
        self._returned = asyncio.Event()

    @callback
    def async_wake(self) -> None:
        """The app may be back: ask now."""
        self._returned.set()

    async def run(self) -> None:
        """Ask until cancelled; with full jitter after a failure, but no longer than the app is away."""
        failures = 0
        while True:
            self._returned.clear()
            try:
                await self._ask()
            except AppError as err:
                failures += 1
                self._note(err)
                await self._wait_out(err, failures)
            except Exception as err:
                self.counts["faults"] += 1
                if self.trouble is None:
                    _LOGGER.exception("Unforeseen error while HomeIQ was asked for %s", self._what)
                self.trouble = repr(err)
                await asyncio.sleep(LONGEST_BACKOFF_S)
            else:
                self.counts["answers"] += 1
                failures, self.trouble = 0, None
                await asyncio.sleep(PACE_S)

    def _note(self, err: AppError) -> None:
        """Keep why nothing is known for now. That the app is away is for the forwarder to say, and a token for reauth.

        An app that does not have this is older than we are.
        """
        self.counts["failures"] += 1
        if self.trouble is None and not isinstance(err, (Busy, CannotConnect, InvalidAuth, NotFound)):
            _LOGGER.warning("HomeIQ does not tell of %s: %s", self._what, err)
        self.trouble = str(err)

    async def _wait_out(self, err: AppError, failures: int) -> None:
        ceiling = min(LONGEST_BACKOFF_S, BACKOFF_S * 2.0 ** min(failures - 1, 10))
        delay = random.uniform(0, ceiling)  # noqa: S311 - spreads load, keeps no secret
        match err:
            case Busy():
                delay = max(err.after or 0, delay)
            case CannotConnect():
                pass
            case _:  # It will not be otherwise soon.
                delay = LONGEST_BACKOFF_S
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._returned.wait()
