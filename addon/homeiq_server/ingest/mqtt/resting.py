"""Messages that could not be kept, until they are tried again: each after a pause of its own, which grows."""

import random
from collections.abc import Iterable
from typing import Final

from .lanes import Held

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_MOST_DOUBLINGS: Final = 10


class Resting:
    """They stay held, and in their lanes."""

    def __init__(self) -> None:
        self._resting: list[Held] = []

    def __len__(self) -> int:
        return len(self._resting)

    @property
    def due(self) -> float | None:
        """When the next is tried again, by the clock of the event loop; None when none rests."""
        return min((held.due for held in self._resting), default=None)

    def add(self, failed: Iterable[Held], now: float) -> None:
        """Let messages rest that could not be kept together; those of one device stay together and in turn."""
        part = random.uniform(0.5, 1)  # noqa: S311 - to spread load, not a secret
        for held in failed:
            held.due = now + part * min(_FIRST_PAUSE_S * 2 ** min(held.tries, _MOST_DOUBLINGS), _LONGEST_PAUSE_S)
            held.tries += 1
            self._resting.append(held)

    def pop_due(self, now: float) -> list[Held]:
        """Return those that are to be tried again, which rest no longer."""
        if not self._resting:
            return []
        due = [held for held in self._resting if held.due <= now]
        self._resting = [held for held in self._resting if held.due > now]
        return due

    def pop_all(self) -> list[Held]:
        """Return all of them, which rest no longer."""
        every, self._resting = self._resting, []
        return every
