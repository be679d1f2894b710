"""How one device stands at an evaluation, among the others."""

from typing import Final

import msgspec

from homeiq_server.insights.finding import Evidence
from homeiq_server.insights.track import DeviceTrack
from homeiq_server.registry import Device

_OVER: Final = 1.05
"""A device is quiet beyond normal when it is so by some margin: many are as regular as a clock."""


class Standing(msgspec.Struct, kw_only=True, gc=False):
    """How one device stands at an evaluation.

    Attributes:
        away_s: Since when it is unavailable.
        heard_s: When it spoke last.
        normal_s: The longest quiet that is normal; None while learning.
        regular: It speaks by itself, whatever people do.
        set_off: People set it off.
        overdue: By time alone, whether anybody is about or not.
        active_s: For how long the activity of the house has run.
        explained: By a common cause: no offline or silent of its own.
    """

    device: Device
    track: DeviceTrack
    away_s: float | None
    heard_s: float | None
    normal_s: float | None
    offline: Evidence | None
    silent: Evidence | None
    regular: bool
    set_off: bool
    overdue: bool
    active_s: float
    explained: bool = False

    def quiet_s(self, now_s: float) -> float:
        """Return for how long it is quiet; 0 when it was never heard."""
        return 0.0 if self.heard_s is None else now_s - self.heard_s

    def due(self, within_s: float) -> bool:
        """Return whether it would normally have spoken within this time."""
        return self.normal_s is not None and self.normal_s < within_s

    def over(self, now_s: float) -> bool:
        """Return whether it is quiet for longer than normal, or unavailable."""
        if self.away_s is not None:
            return True
        return self.normal_s is not None and self.quiet_s(now_s) >= _OVER * self.normal_s

    @property
    def own(self) -> bool:
        """Whether it was found silent for itself, and has not spoken since."""
        return self.heard_s is not None and self.track.own_s == self.heard_s

    @property
    def due_s(self) -> float:
        """When it should have spoken at the latest, by what is normal."""
        return (self.heard_s or 0.0) + (self.normal_s or 0.0)

    def fell_s(self) -> float:
        """Return when it became unavailable, else when it was last heard."""
        return self.away_s if self.away_s is not None else self.heard_s or 0.0

    def alive(self, since_s: float) -> bool:
        """Return whether it has spoken since."""
        return self.away_s is None and self.heard_s is not None and self.heard_s > since_s

    def explain(self, now_s: float) -> None:
        """Put it down to a common cause, and let its own clocks pause."""
        self.explained = True
        if self.track.silence is not None and self.over(now_s):
            self.track.silence.pause(now_s)
            if self.track.lull is not None:
                self.track.lull.pause(self.active_s, now_s)
            self.track.own_s = None
        if self.track.away_s is not None:
            self.track.away_s = max(self.track.away_s, now_s)
