"""What is not acknowledged yet: bounded by number and by size, and read no further when it is full."""

import time
from collections.abc import Callable
from typing import Final

from .lanes import Held

MOST_MESSAGES: Final = 2_000
MOST_BYTES: Final = 32 * 1024 * 1024


class Window:
    """Held messages, the oldest first.

    Attributes:
        tried: How many of them could not be kept at least once.
    """

    def __init__(
        self, *, pause: Callable[[], None], resume: Callable[[], None], most_messages: int, most_bytes: int
    ) -> None:
        """Begin with nothing; see ``Reception`` for the arguments."""
        self.tried = 0
        self._pause = pause
        self._resume = resume
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._held: dict[Held, None] = {}
        self._bytes = 0
        self._is_paused = False

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, held: Held) -> bool:
        return held in self._held

    @property
    def is_full(self) -> bool:
        """Whether no more may come."""
        return len(self._held) >= self._most_messages or self._bytes >= self._most_bytes

    def add(self, held: Held) -> None:
        """Hold it, and pause when that fills the window."""
        self._held[held] = None
        self._bytes += len(held.message.payload)
        if self.is_full:
            self._is_paused = True
            self._pause()

    def remove(self, held: Held) -> None:
        """Hold it no longer, if it was."""
        if held in self._held:
            del self._held[held]
            self._bytes -= len(held.message.payload)
            self.tried -= held.tries > 0

    def resume(self) -> None:
        """Read again, if that was paused and there is room."""
        if self._is_paused and not self.is_full:
            self._is_paused = False
            self._resume()

    def sent_once(self) -> int:
        """Return how many nobody would send again."""
        return sum(not held.again for held in self._held)

    def oldest_s(self) -> float:
        """Return for how many seconds the oldest message is held that would be sent again; 0.0 when none is."""
        since = next((held.since for held in self._held if held.again), None)
        return 0.0 if since is None else time.monotonic() - since
