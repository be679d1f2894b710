"""For those who want no history."""

from collections.abc import Mapping, Sequence

from homeiq_server.history.points.conversion import Conversion
from homeiq_server.model import Event, Labels, Lines


class HistoryOff:
    """A schema by which every event is counted and none is kept."""

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:  # noqa: ARG002  # a Schema
        """Skip all of them."""
        return nothing_of(len(events), last_us=max((event.time_us for event in events), default=None))


def nothing_of(count: int, *, last_us: int | None = None) -> Conversion:
    """Return the conversion of so many items of which nothing is kept."""
    skipped = {"history is off": count} if count else {}
    return Conversion(Lines(body=b"", count=0), 0, skipped, [], last_us)
