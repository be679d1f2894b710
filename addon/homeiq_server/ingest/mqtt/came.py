"""What is asked of a connection, and what comes over it."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class Came:
    """A message as it came. Not in repr: token and payload.

    Attributes:
        token: Shown beside the payload.
        again: The broker would send it again, were it not acknowledged.
        sent_before: The broker had sent it over an earlier connection.
        retained: The broker had kept it for those who subscribe.
    """

    topic: str
    payload: bytes = field(repr=False)
    token: str | None = field(repr=False)
    again: bool
    sent_before: bool
    retained: bool


class OnMessage(Protocol):
    """Is told of each message; returns what ends with 0 when it may be acknowledged."""

    def __call__(self, came: Came) -> asyncio.Future[int]:
        """Must not raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A subscription.

    Attributes:
        topic_filter: What is subscribed to, at QoS 1.
        retained: Whether the message that a topic retains is wanted too.
    """

    topic_filter: str
    retained: bool
