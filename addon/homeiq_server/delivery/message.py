"""What is sent, and what became of it: the same for every way out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to tell.

    Attributes:
        message_id: The same however often it is sent, so that a receiver can tell that he has it.
        tenant_id: Whose.
        kind: Of the integration, which decides the way.
        config: Of the integration.
        secrets: Of the integration, the newest first.
        payload: What is told.
    """

    message_id: str
    tenant_id: str
    kind: str
    config: Mapping[str, Any]
    secrets: Sequence[str] = field(repr=False)
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        ok: It was taken.
        status: The receiver's own, if it got so far as to give one.
        error: What went wrong, short, without secrets.
        final: Sending it again is futile.
        after_s: How long the receiver asked us to wait, in seconds.
    """

    ok: bool = False
    status: int | None = None
    error: str | None = None
    final: bool = False
    after_s: float | None = None

    @classmethod
    def refused(cls, error: str, status: int | None = None) -> Self:
        """Return what is not worth another attempt."""
        return cls(status=status, error=error, final=True)


class Way(Protocol):
    """Sends messages of one kind."""

    async def send(self, message: Message) -> Outcome:
        """Send it once; never raises but when cancelled."""
        ...


def message_id(integration_id: UUID, delivery_id: int) -> str:
    """Return the id of a delivery's message: no other server makes the same one."""
    return f"msg_{integration_id.hex}_{delivery_id}"
