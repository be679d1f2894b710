"""Observed time: it runs while a source is heard, and stands still while it is not.

Silence is measured on it, so that an outage of the app, of the network or of Home Assistant is no silence of a device.
"""

from typing import Final

import msgspec

from homeiq_server.insights.activity import Activity
from homeiq_server.insights.slots import quick

GAP_US: Final = 900_000_000
"""Without any event or report for longer than this, nothing was observed. Reports come every five minutes."""
GRACE_US: Final = 600_000_000
"""After a start, integrations take this long to bring their entities back; what they publish is old."""
SET_BACK_US: Final = 86_400_000_000
"""A time so far before the latest one is no straggler: the source's clock was set back."""


STEADY_US: Final = 60_000_000
"""The newest time may be taken note of so much later."""


@quick
class Clock(msgspec.Struct, array_like=True, gc=False):
    """The observed clock of one source.

    Attributes:
        latest_us: The newest time of an event or a report, by the source's clock.
        lost_us: How much the observed clock is behind the source's.
        floor_us: The observed time at which it stood last; it never runs backwards.
        settled_us: Until then, by the source's clock, the absence of something means nothing.
        began_us: When the present run of the source began; 0 when it was never told.
        reported_us: The newest report's time, 0 without one in this run.
        activity: Runs on the observed time, while people are about.
    """

    latest_us: int = 0
    lost_us: int = 0
    floor_us: int = 0
    settled_us: int = 0
    began_us: int = 0
    reported_us: int = 0
    activity: Activity = msgspec.field(default_factory=Activity)

    def advance(self, at_us: int) -> float:
        """Take note that the source was heard at a time, and return the observed time in seconds."""
        since = at_us - self.latest_us
        if since > 0:
            if since > GAP_US:
                self._stand(at_us, 0)
            self.latest_us = at_us
        elif since < -SET_BACK_US:
            self._stand(at_us, 0)
            self.latest_us = at_us
            self.reported_us = min(self.reported_us, at_us)
        return self.read(at_us)

    def read(self, at_us: int) -> float:
        """Return the observed time, in seconds, at a time of the source that is not in the future."""
        observed_us = at_us - self.lost_us
        return (observed_us if observed_us > self.floor_us else self.floor_us) * 1e-6  # noqa: FURB136  # max() is slower

    def steady(self) -> tuple[int, int, int]:
        """Return from when to when, by the source's clock, it runs steadily, and how far it is behind, in microseconds.

        Between the two the observed time is the source's less what is lost, and ``advance`` need not be called.
        """
        return self.floor_us + self.lost_us, self.latest_us + STEADY_US, self.lost_us

    def begin(self, at_us: int) -> None:
        """Take note of a start: the clock stands still from when the source was last heard until a grace is over."""
        self._stand(at_us, GRACE_US)
        self.latest_us = self.began_us = at_us
        self.reported_us = 0

    @property
    def now_s(self) -> float:
        """The observed time at which the source was last heard, in seconds."""
        return self.read(self.latest_us)

    @property
    def judged_s(self) -> float:
        """The observed time up to which silence can be judged.

        Unchanged values are only heard of by reports, so where there are reports, it is the last one's time.
        """
        return self.read(self.reported_us or self.latest_us)

    @property
    def settled(self) -> bool:
        """Whether the absence of something means anything yet."""
        return self.latest_us >= self.settled_us

    def restarting(self, at_us: int) -> bool:
        """Return whether what is published at a time may be old, because the source has just been started."""
        return self.began_us <= at_us < self.began_us + GRACE_US

    def wall_us(self, observed_s: float) -> int:
        """Return about when, by the source's clock, an observed time was; exact since the clock last stood still."""
        return min(round(observed_s * 1e6) + self.lost_us, self.latest_us)

    def _stand(self, until_us: int, grace_us: int) -> None:
        self.floor_us = round(self.read(self.latest_us) * 1e6)
        self.lost_us = until_us + grace_us - self.floor_us
        self.settled_us = until_us + GRACE_US
