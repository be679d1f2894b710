"""Events that a database would take and forget: those outside the time that it keeps."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from homeiq_server.history.points import Conversion, Schema
from homeiq_server.model import Event, Labels

_MICROSECOND: Final = timedelta(microseconds=1)
_TOO_OLD: Final = "older than the database keeps"
_TOO_NEW: Final = "further ahead than the database keeps"


class KeptOnly:
    """A schema that skips, and thereby counts, what the database would answer 2xx to and drop."""

    def __init__(
        self,
        schema: Schema,
        *,
        past: timedelta,
        future: timedelta,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self._schema = schema
        self._past_us = past // _MICROSECOND
        self._future_us = future // _MICROSECOND
        self._now_us = now_us

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        """Convert the events that the database will keep; see ``Schema``."""
        now_us = self._now_us()
        oldest, newest = now_us - self._past_us, now_us + self._future_us
        places = [place for place, event in enumerate(events) if oldest <= event.time_us <= newest]
        if len(places) == len(events):
            return self._schema.convert(events, labels)
        conversion = self._schema.convert([events[place] for place in places], labels)
        old = sum(event.time_us < oldest for event in events)
        skipped = {_TOO_OLD: old, _TOO_NEW: len(events) - len(places) - old}
        return replace(
            conversion,
            skipped=conversion.skipped | {reason: count for reason, count in skipped.items() if count},
            rejected=[(places[index], reason) for index, reason in conversion.rejected],
        )
