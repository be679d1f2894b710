"""What is remembered of type conflicts, so that each costs one line and not every line."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from .field_types import Kind

MAX_RULES: Final = 1_000
"""When there are more, the oldest is forgotten: it may cost one more line."""

FORGET_S: Final = 24 * 3_600.0
_WEEK_S: Final = 7 * 86_400
_THURSDAY_S: Final = 3 * 86_400  # of 1970-01-01; InfluxDB's weeks begin on Mondays
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Place(NamedTuple):
    """A field of one type, in one week: InfluxDB 1 and 2 pin types by shard, of which none is longer by default.

    So what old points meet does not change how the present ones are written.
    """

    measurement: bytes
    field: bytes
    kind: Kind
    week: int


@dataclass(slots=True)
class Rule:
    """What to do with the fields of a place.

    Attributes:
        exists: Their type in the database; None when it is not that of a field.
        coerces: False once a value of that type was refused too; then they go to another key.
        until: Monotonic time at which it is forgotten.
    """

    exists: Kind | None
    coerces: bool
    until: float


class Conflicts:
    """Rules by place, bounded in number and time: for one database, in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rules: dict[Place, Rule] = {}  # oldest first
        self._beginnings: frozenset[bytes] = frozenset()

    def __len__(self) -> int:
        return len(self._rules)

    def concern(self, line: bytes) -> bool:
        """Tell quickly whether there may be a rule for a line."""
        return _beginning(line) in self._beginnings

    def rule(self, place: Place) -> Rule | None:
        """Return the rule of a place."""
        return self._rules.get(place)

    def remember(self, place: Place, exists: Kind | None) -> None:
        """Make a rule for a place that has none."""
        if len(self._rules) == MAX_RULES:
            del self._rules[next(iter(self._rules))]
        self._rules[place] = Rule(exists, coerces=True, until=self._clock() + FORGET_S)
        self._changed()

    def forget_old(self) -> None:
        """Forget what is over its time."""
        now = self._clock()
        old = [place for place, rule in self._rules.items() if rule.until <= now]
        for place in old:
            del self._rules[place]
        if old:
            self._changed()

    def clear(self) -> None:
        """Forget all: another database has other types."""
        self._rules.clear()
        self._changed()

    def _changed(self) -> None:
        self._beginnings = frozenset(_beginning(place.measurement) for place in self._rules)


def week_of(timestamp: int | None, precision: str) -> int:
    """Number the week of a line's time; one without a time is of no week."""
    return -1 if timestamp is None else (timestamp // _PER_SECOND[precision] + _THURSDAY_S) // _WEEK_S


def _beginning(line: bytes) -> bytes:
    """Return what stands before the first separator, escaped or not: enough to tell most measurements apart."""
    return line.partition(b",")[0].partition(b" ")[0]
