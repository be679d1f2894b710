"""What becomes of a batch of events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homeiq_server.model import Lines


@dataclass(frozen=True, slots=True)
class Conversion:
    """The lines of a batch, and what became of each of its events.

    ``converted + skipped + rejected`` is the number of events; a converted event may have more than one line.

    Attributes:
        lines: What is to be written.
        converted: Events for which there is something to write.
        skipped: By reason: events for which there is nothing to write.
        rejected: Index in the batch and reason of each event that could not be understood.
        last_us: The newest time of the events that were not rejected, None when there are none.
        left_out: What converted events lost because the database cannot hold it; in no law. ``text fields``: fields
            that were not written; ``states folded``: changes to a state that was written as ``other``.
    """

    lines: Lines
    converted: int
    skipped: dict[str, int]
    rejected: list[tuple[int, str]]
    last_us: int | None
    left_out: Mapping[str, int] = field(default_factory=dict)
