"""Flapping: a device becomes unavailable much more often than it used to.

Two decayed counts of its drops: ``c`` with a half-life of 6 hours, ``b`` of 14 days. At a steady rate
``e = b * 6 h / 14 d`` is the expected ``c``; a device flaps when ``c > max(4, e + 4 * sqrt(e) + 1)``, and no longer
below an eighth of that, some 15 hours after the last one: one that drops twelve times a day is quiet for half a day now
and then, and would else be told again and again. Drops of most of an integration at once are its reload or its outage,
not drops of the devices.
"""

from math import sqrt
from typing import Final

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.words import number
from homeiq_server.registry import Device

SHORT_S: Final = 6 * 3_600.0
LONG_S: Final = 14 * 86_400.0
LEAST: Final = 4.0
SIGMAS: Final = 4.0
CLEARED: Final = 1 / 8


class Flapping(msgspec.Struct, array_like=True, gc=False):
    """The drops of a device. Times are observed ones, in seconds.

    Attributes:
        recent: Drops, decayed with the short half-life.
        usual: Drops, decayed with the long one.
        at_s: When both were so.
        since_us: Since when it flaps, by the source's clock; 0 when it does not.
    """

    recent: float = 0.0
    usual: float = 0.0
    at_s: float = 0.0
    since_us: int = 0

    def drop(self, at_s: float, at_us: int) -> None:
        """Count a drop."""
        self._decay(at_s)
        self.recent += 1.0
        self.usual += 1.0
        if not self.since_us and self.recent > self.limit():
            self.since_us = at_us

    def check(self, now_s: float) -> Evidence | None:
        """Return the figures when it flaps."""
        if not self.since_us:
            return None
        self._decay(now_s)
        if self.recent < CLEARED * self.limit():
            self.since_us = 0
            return None
        expected = self._expected()
        return {
            "recent_drops": round(self.recent),
            "expected_drops": round(expected, 1),
            "drops_in_two_weeks": round(self.usual),
        }

    def limit(self) -> float:
        """Return how many recent drops are too many."""
        expected = self._expected()
        return max(LEAST, expected + SIGMAS * sqrt(expected) + 1.0)

    def _expected(self) -> float:
        return self.usual * SHORT_S / LONG_S

    def _decay(self, at_s: float) -> None:
        passed_s = at_s - self.at_s
        if passed_s > 0.0:
            self.recent *= 2.0 ** (-passed_s / SHORT_S)
            self.usual *= 2.0 ** (-passed_s / LONG_S)
            self.at_s = at_s


def condition(device: Device, figures: Evidence, since_us: int) -> Condition:
    """Word what was found."""
    drops, expected = round(number(figures, "recent_drops")), number(figures, "expected_drops")
    times = f"about {drops} times" if drops > 1 else "about once"
    return Condition(
        kind=Kind.FLAPPING,
        subject_type="device",
        subject=device.id,
        device_id=device.id,
        severity=3,
        title=f"{device.shown_name} comes and goes",
        explanation=(
            f"It became unavailable {times} in the last hours; normal is {expected:.1f}. "
            "Mostly a weak link or a failing power supply is the cause: move it nearer to its hub or renew its battery."
        ),
        evidence=figures,
        since_us=since_us,
    )
