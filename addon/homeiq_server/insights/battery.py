"""Battery: when it will be empty, as a range, and never more than 45 days ahead.

Formula (iot.md D.2, rule 7): the median level of each of the last 30 days; the line that they last followed (see
theil_sen.py) meets 10 %, where most things stop to work. A day without a report keeps the level before it. A median at
least 15 points above the one before is a new or a charged battery: the series begins anew, and how long the old one
lasted is remembered, if it was let run down. Past lives of the same thing are combined with the line by their inverse
squared widths, and are all there is where the line says nothing.

The range is the middle half: half of all batteries end within it. Its half width is 0.35 times the noise and the step
of the levels, through the leverage of the line, with 0.35 steps (whether a device rounds up or down is not known), 3 %
of the time that is left and a third of a day; its middle is 2 % of that time before the crossing, since batteries fall
faster at their end. By those figures it holds about 50 % of the ends over many simulated shapes, steps and roundings,
but not of each: of knees thirty days ahead a tenth, of slow and steady ones two thirds.

No estimate, and a reason, are given while fewer than ten days are known, while a series has less than three levels or
half of a step takes more than five days (steps too coarse), while it does not fall, beyond 45 days, and for what is
charged every few days.
"""

import math
import struct
from statistics import median, median_low
from typing import Final, Self

import msgspec

from homeiq_server.insights.finding import BatteryEnd, Condition, Evidence, Kind
from homeiq_server.insights.slots import quick
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.theil_sen import Line
from homeiq_server.insights.words import (
    DAY_S,
    HOUR_S,
    MICROSECONDS,
    counted,
    day,
    figure,
    microseconds,
    number,
    rounded,
)
from homeiq_server.registry import Entity

EMPTY: Final = 10.0
HORIZON_DAYS: Final = 45

_RING: Final = 30
_NEEDED: Final = 10
_LEVELS: Final = 3
_JUMP: Final = 15.0
_FLAT: Final = -0.05
_COARSE_DAYS: Final = 5
_COARSE: Final = "its level changes in steps too coarse, or hardly at all"
_EARLIER: Final = 0.02
_MODEL: Final = 0.03
_NOISE: Final = 0.35
_DAY: Final = 0.3
_ROUNDING: Final = 0.35
_LIVES: Final = 5
_LIFE_SPREAD: Final = 0.13
"""Half of the lives of batteries of a thing are within this share of their median."""

_RUN_DOWN: Final = 30.0
_CHARGED_DAYS: Final = 14
_OFTEN: Final = 2
_HUNDREDTHS: Final = 100
_SEVERITIES: Final = ((7, 4), (14, 3), (30, 2))
_PHONES: Final = frozenset(("mobile_app", "icloud"))


@quick
class Battery(msgspec.Struct, array_like=True, gc=False):
    """The battery of one entity that reports per cent.

    Attributes:
        medians: Of the last days before ``day``, in hundredths of a per cent, two bytes each.
        readings: Of the present day, at most one an hour, likewise.
        day: The present day since the epoch, in UTC.
        level: The last reading.
        began: The day on which this battery was first seen; ``fresh`` when that was its first one.
        lives: How many days its predecessors lasted.
        charges: How often in a row it was charged after less than two weeks.
        step: The smallest fall from one day to the next; 0 while there was none.
        reason: Why there is no estimate; empty when there is one.
    """

    medians: bytearray = msgspec.field(default_factory=bytearray)
    readings: bytearray = msgspec.field(default_factory=bytearray)
    day: int = 0
    read_s: float = 0.0
    level: float = 0.0
    began: int = 0
    fresh: bool = False
    lives: tuple[int, ...] = ()
    charges: int = 0
    estimated: int = 0
    estimate: BatteryEnd | None = None
    loss: float = 0.0
    since_s: float = 0.0
    step: float = 0.0
    reason: str = "it has not reported yet"

    @classmethod
    def of(cls, entity: Entity) -> Self | None:
        """Return the state for an entity, or None when it is no battery, or that of a phone."""
        is_battery = entity.domain == "sensor" and entity.device_class == "battery" and entity.unit == "%"
        return cls() if is_battery and entity.integration not in _PHONES else None

    def take(self, at_s: float, level: float) -> None:
        """Take a reading in per cent; what is none is passed over."""
        if not 0 <= level <= 100:  # noqa: PLR2004  # per cent; false for NaN
            return
        today = int(at_s // DAY_S)
        if today > self.day:
            self._roll(today)
        elif today < self.day:
            return
        self.level = level
        if not self.readings or at_s - self.read_s >= HOUR_S:
            self.read_s = at_s
            self.readings += struct.pack("<H", round(level * _HUNDREDTHS))

    def end(self, now_s: float) -> BatteryEnd | None:
        """Return when it will be empty; computed once a day, else remembered."""
        if not self.day:
            return None
        today = int(now_s // DAY_S)
        if today > self.day:
            self._roll(today)
        if self._looks_new(self.level):
            self.reason = "a new battery seems to have been put in today"
            return None
        if self.estimated != self.day:
            self.estimated = self.day
            self.estimate = self._estimate()
            if self.estimate is None:
                self.since_s = 0.0
            else:
                self.reason, self.since_s = "", self.since_s or now_s
        return self.estimate

    def check(self, now_s: float) -> Evidence | None:
        """Return the figures when it will be empty soon."""
        end = self.end(now_s)
        if end is None:
            return None
        days_left = max(0, math.ceil((end.expected_us / MICROSECONDS - now_s) / DAY_S))
        return {
            "since_us": microseconds(self.since_s),
            "level_percent": rounded(end.level, 3),
            "empty_at_percent": EMPTY,
            "loses_percent_a_day": rounded(self.loss),
            "days_left": days_left,
            "expected_us": end.expected_us,
            "earliest_us": end.earliest_us,
            "latest_us": end.latest_us,
            "days_observed": len(self.medians) // 2,
            "past_lives_days": list(self.lives),
        }

    def _roll(self, today: int) -> None:
        """Close the days before today."""
        if not self.day:
            self.began = self.day = today
            return
        closed = self._today()
        if self._looks_new(closed):
            self._renew()
            closed = self.level
        elif self.medians and (fall := _unpacked(self.medians[-2:])[0] - closed) > 0:
            self.step = min(self.step or fall, fall)
        missed = min(_RING, today - self.day - 1)
        self.medians += struct.pack(
            f"<{missed + 1}H", *(round(each * _HUNDREDTHS) for each in [closed] + missed * [self.level])
        )
        del self.medians[: -2 * _RING]
        self.day = today
        self.readings.clear()

    def _today(self) -> float:
        """Return the present day's median; the level before when there was no reading."""
        readings = _unpacked(self.readings)
        return median_low(readings) if readings else self.level

    def _looks_new(self, level: float) -> bool:
        return bool(self.medians) and level >= _unpacked(self.medians[-2:])[0] + _JUMP

    def _renew(self) -> None:
        """Begin with another battery, or with a charged one."""
        lasted = self.day - self.began
        self.charges = min(_OFTEN, self.charges + 1) if lasted < _CHARGED_DAYS else 0
        if self.fresh and lasted >= _CHARGED_DAYS and _unpacked(self.medians[-2:])[0] <= _RUN_DOWN:
            self.lives = (*self.lives, lasted)[-_LIVES:]
        self.began, self.fresh = self.day, True
        self.medians.clear()

    def _estimate(self) -> BatteryEnd | None:
        """Return the estimate, or None with a reason."""
        levels = _unpacked(self.medians)
        self.loss = 0.0
        if self.charges >= _OFTEN:
            self.reason = "it is charged every few days"
            return None
        empty = next((index for index, level in enumerate(reversed(levels)) if level >= EMPTY), len(levels))
        if empty and self.level < EMPTY:
            if self.step > EMPTY or self.step == self.level == 0.0:
                # It may round a quarter down to nothing, or never tell anything else.
                self.reason = _COARSE
                return None
            return self._range(float(self.day - empty), 0.0)
        line = self._by_line(levels)
        life = self._by_lives()
        if line and life:
            (one, one_width), (other, other_width) = line, life
            weight = other_width**2 / (one_width**2 + other_width**2)
            return self._range(weight * one + (1 - weight) * other, math.sqrt(weight) * one_width)
        found = line or life
        return self._range(*found) if found else None

    def _by_line(self, levels: tuple[float, ...]) -> tuple[float, float] | None:
        """Return the day of the end and the half width of the range by the line, or None with a reason."""
        if len(levels) < _NEEDED:
            self.reason = f"it has been watched for {counted(len(levels), 'day')}, {_NEEDED} are needed"
            return None
        line = Line.of(levels, self.day - 0.5)
        if len(set(line.levels)) < _LEVELS:
            self.reason = _COARSE
            return None
        if line.slope > _FLAT:
            self.reason = "its level does not fall"
            return None
        if line.step / 2 > -line.slope * _COARSE_DAYS:
            self.reason = _COARSE
            return None
        self.loss = -line.slope
        crossing = line.crossing(EMPTY)
        left = max(0.0, crossing - self.day)
        if left > HORIZON_DAYS:
            self.reason = f"its end is more than {HORIZON_DAYS} days away"
            return None
        noise = _NOISE * math.hypot(line.noise, line.step)
        return self.day + (1 - _EARLIER) * left, math.hypot(
            noise * line.leverage(crossing), _MODEL * left, _DAY, _ROUNDING * line.step / line.slope
        )

    def _by_lives(self) -> tuple[float, float] | None:
        """Return the same by the past lives, when those say that it ends soon."""
        if not self.lives or not self.fresh:
            return None
        life = median(self.lives)
        left = self.began + life - self.day
        return (self.began + life, _LIFE_SPREAD * life) if 0 < left <= HORIZON_DAYS else None

    def _range(self, expected: float, half_width: float) -> BatteryEnd:
        """Return it for a day; what was to be in the past by its calculation is today."""
        if half_width:
            expected = max(expected, float(self.day))
        earliest = max(expected - half_width, min(expected, float(self.day)))
        expected_us, earliest_us, latest_us = (
            microseconds(each * DAY_S) for each in (expected, earliest, expected + half_width)
        )
        return BatteryEnd(level=self.level, expected_us=expected_us, earliest_us=earliest_us, latest_us=latest_us)


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    expected, earliest, latest = (
        day(number(evidence, name) / MICROSECONDS) for name in ("expected_us", "earliest_us", "latest_us")
    )
    days_left = number(evidence, "days_left")
    level, loss = figure(number(evidence, "level_percent"), "%"), number(evidence, "loses_percent_a_day")
    if days_left:
        title = f"The battery of {subject.name} will be empty around {expected}"
        between = f" (between {earliest} and {latest})" if earliest != latest else ""
        losing = f" It is at {level} and loses {figure(loss, '%')} a day." if loss else f" It is at {level}."
        seen = f"{subject.name}: the battery will be empty around {expected}{between}.{losing}"
        do = "Put in a new battery or charge it by then."
    else:
        title = f"The battery of {subject.name} is empty"
        seen = f"{subject.name}: the battery is at {level}, and most devices stop to work below {figure(EMPTY, '%')}."
        do = "Put in a new battery or charge it."
    return subject.condition(
        Kind.BATTERY,
        next((severity for most, severity in _SEVERITIES if days_left <= most), 1),
        title,
        f"{seen} {do}",
        evidence,
        now_us,
    )


def _unpacked(packed: bytearray) -> tuple[float, ...]:
    return tuple(each / _HUNDREDTHS for each in struct.unpack(f"<{len(packed) // 2}H", packed))
