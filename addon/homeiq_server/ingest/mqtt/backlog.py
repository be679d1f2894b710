"""What had waited at the broker while we were away comes flat out; whoever sent it was not too fast.

Whether all of it has come is told by echoes, messages of ours to ourselves. The broker queues them behind all that
waits: one that comes back within a second tells that nothing waits longer than that any more. How full the window is
tells less, since a slow computer holds few messages however many wait, but it is asked for too: a broker may queue what
a group shares elsewhere than echoes. Where none come back, because the broker forbids them, silence tells the same.

All that is bounded, or a tenant that floods would have no limit: what it sends comes late itself.
"""

import secrets
import time
from collections.abc import Callable
from typing import Final

MOST_S: Final = 30 * 60.0
_SOON_S: Final = 1.0
_SILENT_LOOKS: Final = 3


class Backlog:
    """Whether what comes had waited, over all connections. No I/O."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing to catch up on; ``clock`` tells monotonic seconds."""
        self._clock = clock
        self._is_on = False
        self._half = 0
        self._began = self._ended = self._full_at = self._heard_at = clock()
        self._spent_s = 0.0
        self._silent_looks = 0
        self._echoes: dict[bytes, float] = {}
        self._sent_at: float | None = None
        self._may_echo = True

    @property
    def is_on(self) -> bool:
        """Whether we are catching up."""
        return self._is_on

    def begin(self, window: int) -> None:
        """Catch up: the broker had to keep messages for us, and can send ``window`` of them at once."""
        if self._is_on:
            return
        now = self._clock()
        # Who has just caught up for long may do so again after as long: a flood must not begin it anew all the time.
        self._spent_s = max(0.0, self._spent_s - (now - self._ended))
        self._is_on, self._half, self._silent_looks = True, window // 2, 0
        self._began = self._full_at = self._heard_at = now
        self._sent_at = None
        self._echoes.clear()

    def end(self) -> None:
        """Have caught up, or no connection any more."""
        if self._is_on:
            self._is_on = False
            self._ended = self._clock()
            self._spent_s += self._ended - self._began

    def came(self, held: int) -> bool:
        """Note that a message came, while so many were held; tell whether it had waited."""
        if self._is_on:
            self._silent_looks = 0
            if held >= self._half:
                self._full_at = self._clock()
        return self._is_on

    def look(self, held: int) -> bytes | None:
        """Look whether it has ended, about once a second, while so many are held; return an echo that is to be sent."""
        if not self._is_on:
            return None
        now = self._clock()
        if held or not self._silent_looks:
            self._heard_at = now
        self._silent_looks = 0 if held else self._silent_looks + 1
        # More than one look: after a standstill of our own, the first comes before what is there to be read.
        is_silent = self._silent_looks >= _SILENT_LOOKS and now - self._heard_at >= _SOON_S
        if is_silent or self._spent_s + now - self._began >= MOST_S:
            self.end()
            return None
        if not self._may_echo or (self._sent_at is not None and now - self._sent_at < _SOON_S):
            return None
        echo = secrets.token_bytes(12).hex().encode()
        self._echoes[echo] = self._sent_at = now
        return echo

    def forgo_echoes(self) -> None:
        """Ask for no echo any more: the broker does not allow them."""
        self._may_echo = False

    def returned(self, echo: bytes) -> None:
        """Note that an echo came back; one that nobody knows is of a connection before this."""
        sent_at = self._echoes.pop(echo, None)
        if sent_at is None or not self._is_on:
            return
        now = self._clock()
        if now - sent_at < _SOON_S and now - self._full_at >= _SOON_S:
            self.end()
