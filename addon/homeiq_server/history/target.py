"""What the writer asks of a database."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from .answers import Refusal
from .line_protocol import Form

__all__ = ["Form", "Identity", "Kept", "Target"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers at the address.

    Attributes:
        product: Such as ``InfluxDB`` or ``VictoriaMetrics``.
        version: As the product spells it; None when it does not tell (Debian's build of VictoriaMetrics does not).
    """

    product: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Which times a database keeps, both counted from now; None where it has no bound, or tells of none.

    Attributes:
        past: Older lines are refused, or taken and forgotten.
        future: The same for lines further ahead.
    """

    past: timedelta | None = None
    future: timedelta | None = None


class Target(Protocol):
    """A database that takes line protocol. Its expected failures are values, so that no caller forgets one."""

    @property
    def name(self) -> str:
        """For dead letters and logs."""
        ...

    @property
    def url(self) -> str:
        """Without credentials."""
        ...

    @property
    def form(self) -> Form:
        """Which lines it can hold; known once identified."""
        ...

    @property
    def kept(self) -> Kept:
        """Which times it keeps; known once identified, and renewed now and then, since people change it."""
        ...

    @property
    def settling_s(self) -> float:
        """How long after its 2xx the database may still lose lines when it is killed; known once identified."""
        ...

    async def identify(self) -> Identity | Refusal:
        """Find out who answers; a product that would lose lines is refused with the remedy."""
        ...

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines, at least one; None when the database took them all. See also ``Refusal.too_old``."""
        ...

    async def healthy(self) -> bool:
        """Whether it answers at all, soon."""
        ...

    async def epoch(self) -> str | Refusal:
        """Return what changes when the database's process starts anew; constant where ``settling_s`` is 0."""
        ...

    async def close(self) -> None:
        """Close the connections; the target cannot be used any more."""
        ...
