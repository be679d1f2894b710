"""What the times of a request count."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Precision:
    """What a time counts.

    Attributes:
        name: As the queue keeps it.
        unit_ns: How long one is, in nanoseconds, as the queue keeps it.
        factor: How many of them are one of the request.
    """

    name: str
    unit_ns: int
    factor: int = 1


PRECISIONS: Final = {
    "ns": Precision("ns", 1),
    "us": Precision("us", 1_000),
    "ms": Precision("ms", 1_000_000),
    "s": Precision("s", 1_000_000_000),
    "m": Precision("s", 1_000_000_000, 60),
    "h": Precision("s", 1_000_000_000, 3_600),
}
"""By the names that InfluxDB has for them; the queue, and InfluxDB 2, know no minutes and hours."""
