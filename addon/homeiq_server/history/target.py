"""What the writer asks of a database."""

from dataclasses import dataclass
from typing import Protocol

from .answers import Refusal


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers at the address.

    Attributes:
        product: Such as ``InfluxDB`` or ``VictoriaMetrics``.
        version: As the product spells it; None when it does not tell (Debian's build of VictoriaMetrics does not).
    """

    product: str
    version: str | None


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
    def settling_s(self) -> float:
        """How long after its 2xx the database may still lose lines when it is killed; known once identified."""
        ...

    @property
    def text_as_tag(self) -> bool:
        """Whether it stores numbers only, so that texts have to be tags; known once identified."""
        ...

    async def identify(self) -> Identity | Refusal:
        """Find out who answers; a product that would lose lines is refused with the remedy."""
        ...

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines, at least one; None when the database took them all."""
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
