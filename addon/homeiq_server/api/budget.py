"""How many bytes of requests may be in memory at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from homeiq_server.errors import RetryLater


class ByteBudget:
    """Bytes that are promised before they are read, so that many senders together cannot exhaust the memory.

    Attributes:
        limit: All of it.
        held: What is promised now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Hold ``size`` bytes while the block lasts.

        Raises:
            RetryLater: They are not left.
        """
        if self.held + size > self.limit:
            raise RetryLater("too many requests are being handled at once: send this one again", after=1)
        self.held += size
        try:
            yield
        finally:
            self.held -= size
