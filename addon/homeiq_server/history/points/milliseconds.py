"""What VictoriaMetrics makes of two changes within one millisecond, the finest time that it keeps.

Of two values at the same millisecond it keeps the larger one, whichever came last (seen with 1.145, whose
``-dedup.minScrapeInterval=1ms`` says nothing of values): a switch that went on and off would stay on. So of the changes
of one entity within a millisecond only the last is written, as one change from what was before the first of them. A
removal is a point of its own and meets none of them.
"""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from homeiq_server.model import Event

SUPERSEDED: Final = "superseded within a millisecond"

type _Instant = tuple[str, int, bool]


def last_of_each_millisecond(events: Sequence[Event], is_good: Callable[[Event], bool]) -> dict[int, Event] | None:
    """Return the events to write by their place in the batch, ascending; None when they are all of ``events``.

    Changes that came in different batches do not meet here.

    Args:
        events: A batch, in the order of its times.
        is_good: Asked of changes that meet; one that cannot be written supersedes nothing.
    """
    if len({_instant(event) for event in events}) == len(events):
        return None
    kept = dict(enumerate(events))
    latest: dict[_Instant, int] = {}
    for place, event in enumerate(events):
        before = latest.get(_instant(event))
        if before is not None:
            if not is_good(event):
                continue
            if is_good(kept[before]):
                kept[place] = _joined(kept.pop(before), event)
        latest[_instant(event)] = place
    return kept


def _instant(event: Event) -> _Instant:
    return event.entity_id, event.time_us // 1_000, event.state is None


def _joined(first: Event, last: Event) -> Event:
    return replace(last, previous=first.previous, previous_changed_us=first.previous_changed_us)
