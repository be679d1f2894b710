"""The activity of a house: a clock that runs while people set things off, and stands still while they sleep or are out.

Measured on it, what people set off is quiet for about as long by night as by day, and on a holiday not at all.
"""

from math import exp2
from typing import Final

import msgspec

from homeiq_server.insights.slots import quick
from homeiq_server.insights.words import DAY_S

PAUSE_S: Final = 600.0
"""So long after something was set off, somebody is taken to be about."""
HALF_LIFE_S: Final = 14 * DAY_S
FACTOR: Final = 3.25
"""Simulated for 16 homes: 3 has more false alarms of doors, 3.5 finds motion sensors two hours later."""
_SPREAD: Final = 1.1


@quick
class Activity(msgspec.Struct, array_like=True, gc=False):
    """The clock of one house.

    Attributes:
        at_s: When something was last set off, in observed seconds.
        ran_s: For how long it had run then.
    """

    at_s: float = 0.0
    ran_s: float = 0.0

    def advance(self, at_s: float) -> None:
        """Take note that something was set off at an observed time."""
        if at_s > self.at_s:
            self.ran_s = self.read(at_s)
            self.at_s = at_s

    def read(self, at_s: float) -> float:
        """Return for how long it has run, in seconds, at an observed time."""
        return self.ran_s + max(0.0, min(PAUSE_S, at_s - self.at_s))


@quick
class Lull(msgspec.Struct, array_like=True, gc=False):
    """How long a device is used to be quiet while people are about.

    Attributes:
        heard_s: When it was last heard, by the house's activity.
        longest_s: The longest gap by the same, as it was at ``longest_at_s``, an observed time; it decays since.
        away_s: When it became unavailable last, by the house's activity.
    """

    heard_s: float
    longest_s: float = 0.0
    longest_at_s: float = 0.0
    away_s: float = 0.0

    def speak(self, active_s: float, at_s: float, *, learned: bool) -> None:
        """Learn from a report; once something was ``learned``, a fault that was mended does not become normal."""
        gap_s, normal_s = active_s - self.heard_s, self.normal_s(at_s)
        self.heard_s = active_s
        if learned:
            gap_s = min(gap_s, max(PAUSE_S, FACTOR * normal_s))
        if gap_s >= normal_s:
            self.longest_s, self.longest_at_s = gap_s, at_s

    def normal_s(self, at_s: float) -> float:
        """Return the longest gap that is normal at an observed time."""
        return self.longest_s * exp2((self.longest_at_s - at_s) / HALF_LIFE_S)

    def has_company(self) -> bool:
        """Return whether others are set off while it is quiet; else the activity is its own, and tells nothing."""
        return self.longest_s > PAUSE_S

    def come_back(self, active_s: float) -> None:
        """Leave out the time in which it was unavailable and could not speak."""
        self.heard_s = min(active_s, self.heard_s + active_s - self.away_s)

    def pause(self, active_s: float, at_s: float) -> None:
        """Let its quiet be hardly longer than normal: something else explains it."""
        self.heard_s = max(self.heard_s, active_s - _SPREAD * self.normal_s(at_s))
