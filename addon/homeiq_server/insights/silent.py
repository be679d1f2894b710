"""Silent: a device has said nothing for much longer than it ever does.

The longest gap between two reports, decayed: ``M = max(g, M * 2^(-g / 14 d))`` for each gap ``g``. A device is silent
when it is quiet for longer than ``max(10 min, k * M)``. Gaps have two humps, day and night, so means and deviations of
them mislead (measured: 66 to 1,576 false alarms per 1,000 device-days, against 0.14 for this rule).

What people set off is quiet at night and while nobody is at home. It is silent when it is quiet for longer than normal
and, by the activity of the house (activity.py), for more than 3.25 times the longest gap; or for 3.5 times its normal.
"""

from math import exp2, log
from typing import Final

import msgspec

from homeiq_server.insights.activity import FACTOR as FACTOR_ACTIVE
from homeiq_server.insights.activity import HALF_LIFE_S, Lull
from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.slots import quick
from homeiq_server.insights.words import DAY_S, HOUR_S, number, rounded, span
from homeiq_server.registry import Device

FACTOR: Final = 2.5
FACTOR_EVENT_DRIVEN: Final = 3.0
FACTOR_ALONE: Final = 3.5
"""After so much of its normal, what people set off is silent whatever the activity of the house was."""
SHORTEST_S: Final = 600.0
_STEEPEST: Final = log(2.0) / HALF_LIFE_S
REPORTS: Final = 20
"""So many reports are needed before a gap can be called long."""
WATCHED_S: Final = 2 * DAY_S
"""And so long: a day has a night, and one night is not like another."""
WATCHED_EVENT_DRIVEN_S: Final = 7 * DAY_S
"""What people set off follows their week."""
PAUSED: Final = 1.1
"""What is paused stays quiet for so much of its normal."""
TOGETHER_S: Final = 5.0
"""What a device says of its entities within this time is one report."""


@quick
class Silence(msgspec.Struct, array_like=True, gc=False):
    """How long a device is used to be quiet. Times are observed ones, in seconds.

    Attributes:
        first_s: When it was first heard.
        heard_s: When it was last heard.
        longest_s: The longest gap, as it was at ``longest_at_s``; it decays since.
        reports: How many were heard.
    """

    first_s: float
    heard_s: float
    longest_s: float = 0.0
    longest_at_s: float = 0.0
    reports: int = 1

    def speak(self, at_s: float) -> None:
        """Learn from a report."""
        gap_s = at_s - self.heard_s
        if gap_s < TOGETHER_S:
            return
        self.reports += 1
        self.heard_s = at_s
        # 2^-x >= 1 - x ln 2: most gaps are found shorter than the decayed maximum without a power of two.
        age_s = at_s - self.longest_at_s
        if gap_s >= self.longest_s * (1.0 - age_s * _STEEPEST):
            self._learn(gap_s, at_s)

    def normal_s(self, now_s: float) -> float:
        """Return the longest gap that is normal."""
        return self.longest_s * exp2((self.longest_at_s - now_s) / HALF_LIFE_S)

    def limit_s(self, *, event_driven: bool) -> float | None:
        """Return how long it may be quiet, or None while too little is known.

        What is normal is taken as of the last report: it must not shrink while the device is quiet.
        """
        watched_s = WATCHED_EVENT_DRIVEN_S if event_driven else WATCHED_S
        if self.reports < REPORTS or self.heard_s - self.first_s < watched_s:
            return None
        factor = FACTOR_EVENT_DRIVEN if event_driven else FACTOR
        return max(SHORTEST_S, factor * self.normal_s(self.heard_s))

    def pause(self, until_s: float) -> None:
        """Let its quiet be hardly longer than normal: something else explains it."""
        self.skip(max(0.0, until_s - self.heard_s - PAUSED * self.normal_s(self.heard_s)))

    def skip(self, seconds: float) -> None:
        """Leave a time out, in which it could not speak: neither its quiet nor its memory has grown."""
        self.heard_s += seconds
        self.longest_at_s += seconds

    def _learn(self, gap_s: float, at_s: float) -> None:
        normal_s = self.normal_s(at_s)
        if gap_s > SHORTEST_S and self.reports > REPORTS:
            # A fault that was mended must not teach that such a silence is normal.
            gap_s = min(gap_s, max(SHORTEST_S, FACTOR_EVENT_DRIVEN * normal_s))
        if gap_s >= normal_s:
            self.longest_s = gap_s
            self.longest_at_s = at_s


def evidence(
    silence: Silence, now_s: float, *, event_driven: bool, lull: Lull | None = None, active_s: float = 0.0
) -> Evidence | None:
    """Return the figures when a device is silent; of what people set off, by the house's activity where that tells."""
    limit_s = silence.limit_s(event_driven=event_driven)
    if limit_s is None:
        return None
    quiet_s, normal_s = now_s - silence.heard_s, silence.normal_s(silence.heard_s)
    active: dict[str, float] = {}
    if lull is not None and lull.has_company() and quiet_s <= FACTOR_ALONE * normal_s:
        limit_s = max(SHORTEST_S, normal_s)
        active_normal_s, active_quiet_s = lull.normal_s(silence.heard_s), active_s - lull.heard_s
        if active_quiet_s <= FACTOR_ACTIVE * active_normal_s:
            return None
        active = {
            "active_quiet_hours": rounded(active_quiet_s / HOUR_S),
            "active_longest_normal_hours": rounded(active_normal_s / HOUR_S),
            "active_limit_hours": rounded(FACTOR_ACTIVE * active_normal_s / HOUR_S),
        }
    if quiet_s <= limit_s:
        return None
    return {
        "quiet_hours": rounded(quiet_s / HOUR_S),
        "longest_normal_hours": rounded(normal_s / HOUR_S),
        "limit_hours": rounded(limit_s / HOUR_S),
        **active,
        "reports": silence.reports,
    }


def condition(device: Device, figures: Evidence, since_us: int) -> Condition:
    """Word what was found; ``since_us`` is when the device was last heard."""
    quiet = span(number(figures, "quiet_hours") * HOUR_S)
    normal = span(number(figures, "longest_normal_hours") * HOUR_S)
    about = ""
    if "active_quiet_hours" in figures:
        active, usual = (
            span(number(figures, name) * HOUR_S) for name in ("active_quiet_hours", "active_longest_normal_hours")
        )
        about = f", though others were set off during {active} of that; normally it speaks within {usual} of such time"
    return Condition(
        kind=Kind.SILENT,
        subject_type="device",
        subject=device.id,
        device_id=device.id,
        severity=4,
        title=f"{device.shown_name} is silent",
        explanation=(
            f"It normally speaks at least every {normal} and has said nothing for {quiet}{about}. "
            "Check its battery or power, and whether it is within reach of its hub."
        ),
        evidence=figures,
        since_us=since_us,
    )
