"""Energy: something that uses more when idle than it used to, or more altogether.

Formula (iot.md D.2, rule 9): power (or the growth of an energy counter) is summed by the hour. The quietest hour of
each day is the standby; a CUSUM of it (see cusum.py) notices what creeps: a fridge whose seal leaks, a pump that runs
on. The mean of each of the 168 hours of the week, exponentially weighted, is what a day is expected to use; a second
CUSUM of the day less its expectation notices a lasting excess. Nothing is said before fourteen whole days, of a standby
that rose by less than 5 W or a tenth, or of a day's use that rose by less than 1 kWh or a half: seasons and cold weeks
do that. Hours are UTC's: a change of the clocks moves habits by an hour of 168, less than the days differ.
"""

import struct
from math import isnan, nan
from typing import Final, Self

import msgspec

from homeiq_server.insights.cusum import Cusum
from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.slots import quick
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import DAY_S, HOUR_S, figure, microseconds, number, rounded, span
from homeiq_server.registry import Entity

_WEEK: Final = 168
_UNKNOWN: Final = struct.pack("<e", nan)
_WEIGHT: Final = 0.25
_GAP_S: Final = DAY_S
"""A value stands until the next one, but no longer than this: then the app was stopped."""

_DAYS_OF_WEEK: Final = 7
_WHOLE_S: Final = 0.75 * HOUR_S
_WHOLE_H: Final = 20
_LEARNED: Final = 14
_LEAST_KW: Final = 0.002
_LEAST_KWH: Final = 0.2
_LEAST_SHARE: Final = 0.2
_CREEP_KW: Final = 0.005
_CREEP_SHARE: Final = 0.1
_EXCESS_KWH: Final = 1.0
_EXCESS_SHARE: Final = 0.5
_MOST_KW: Final = 1_000.0
_UNITS: Final = {"W": 0.001, "kW": 1.0, "MW": 1_000.0, "mW": 1e-6, "Wh": 0.001, "kWh": 1.0, "MWh": 1_000.0}
_COUNTERS: Final = frozenset(("total", "total_increasing"))


@quick
class Energy(msgspec.Struct, array_like=True, gc=False):
    """What one entity uses.

    Attributes:
        scale: From its unit to kW or kWh.
        counter: Whether its values are a total (kWh) and not a power (kW).
        from_s: Since when the present hour is known.
        until_s: When it ends.
        sum: What it has used, in the entity's unit, times seconds for a power.
        week: The usual kWh of the hours of the week from Monday 0:00 UTC, two bytes each.
        hours: How many hours of the present day are known.
        days: How many whole days were.
    """

    scale: float = 0.001
    counter: bool = False
    last_s: float = 0.0
    last: float = 0.0
    from_s: float = 0.0
    until_s: float = 0.0
    sum: float = 0.0
    hours: int = 0
    least_kw: float = 0.0
    kwh: float = 0.0
    expected_kwh: float = 0.0
    days: int = 0
    week: bytearray = msgspec.field(default_factory=lambda: bytearray(_UNKNOWN * _WEEK))
    standby: Cusum = msgspec.field(default_factory=Cusum)
    excess: Cusum = msgspec.field(default_factory=Cusum)

    @classmethod
    def of(cls, entity: Entity) -> Self | None:
        """Return the state for an entity, or None when it measures no use of energy."""
        counter = entity.device_class == "energy" and entity.state_class in _COUNTERS
        power = entity.device_class == "power" and entity.state_class == "measurement"
        scale = _UNITS.get(entity.unit or "")
        return cls(scale=scale, counter=counter) if scale and (counter or power) else None

    def take(self, at_s: float, value: float) -> None:
        """Take a finite value in the entity's unit."""
        passed_s = at_s - self.last_s
        if passed_s <= 0.0:
            return
        if at_s >= self.until_s:
            self._pass(at_s, value)
        elif not self.counter:
            self.sum += self.last * passed_s
        elif value > self.last:
            self.sum += value - self.last
        self.last_s = at_s
        self.last = value

    def check(self, now_s: float) -> Evidence | None:
        """Return the figures when it uses more than it used to."""
        standby, excess = self.standby, self.excess
        if self.days < _LEARNED or now_s - self.last_s > _GAP_S:
            return None
        if standby.raised and standby.shift >= max(_CREEP_KW, _CREEP_SHARE * abs(standby.mean)):
            return {
                "since_us": microseconds(standby.since_s),
                "days": standby.days,
                "usual_standby_w": rounded(1_000 * standby.mean),
                "more_standby_w": rounded(1_000 * standby.shift),
                "more_kwh_a_year": rounded(standby.shift * 24 * 365),
            }
        usual_kwh = sum(self._usual(hour) for hour in range(_WEEK)) / _DAYS_OF_WEEK
        if excess.raised and excess.shift >= max(_EXCESS_KWH, _EXCESS_SHARE * abs(usual_kwh)):
            return {
                "since_us": microseconds(excess.since_s),
                "days": excess.days,
                "usual_kwh_a_day": rounded(usual_kwh),
                "more_kwh_a_day": rounded(excess.shift),
            }
        return None

    def _pass(self, at_s: float, value: float) -> None:
        """Give each hour since the last value its part, up to a time beyond the present hour."""
        passed_s = at_s - self.last_s
        if passed_s >= _GAP_S:
            self._begin(at_s)
            return
        # By the second, in what is summed.
        rate = max(0.0, value - self.last) / passed_s if self.counter else self.last
        from_s = self.last_s
        while at_s >= self.until_s:
            self.sum += rate * (self.until_s - from_s)
            from_s = self.until_s
            self._close_hour()
        self.sum += rate * (at_s - from_s)

    def _begin(self, at_s: float) -> None:
        """Begin after a gap: of the present day too little is known."""
        self.from_s, self.until_s, self.sum = at_s, (at_s // HOUR_S + 1) * HOUR_S, 0.0
        self.hours, self.kwh, self.expected_kwh, self.least_kw = 0, 0.0, 0.0, _MOST_KW

    def _close_hour(self) -> None:
        hour, held_s = int(self.until_s // HOUR_S) - 1, self.until_s - self.from_s
        if held_s > _WHOLE_S:
            used_kwh = self.sum * self.scale / (1.0 if self.counter else HOUR_S)
            kwh = min(_MOST_KW, max(-_MOST_KW, used_kwh * HOUR_S / held_s))
            # Day 0 of the epoch was a Thursday: 72 hours after Monday.
            at = (hour + 72) % _WEEK
            usual = self._usual(at)
            if isnan(usual):
                usual = kwh
            struct.pack_into("<e", self.week, 2 * at, usual + _WEIGHT * (kwh - usual))
            self.expected_kwh += usual
            self.kwh += kwh
            self.least_kw = min(self.least_kw, kwh)
            self.hours += 1
        self.from_s, self.sum = self.until_s, 0.0
        self.until_s += HOUR_S
        if (hour + 1) % 24 == 0:
            self._close_day()

    def _close_day(self) -> None:
        if self.hours >= _WHOLE_H:
            at_s = self.from_s
            self.days += 1
            self.standby.take(at_s, self.least_kw, max(_LEAST_KW, 0.05 * abs(self.standby.mean)))
            if self.days > _DAYS_OF_WEEK:
                least_kwh = max(_LEAST_KWH, _LEAST_SHARE * abs(self.expected_kwh))
                self.excess.take(at_s, self.kwh - self.expected_kwh, least_kwh)
        self.hours, self.kwh, self.expected_kwh, self.least_kw = 0, 0.0, 0.0, _MOST_KW

    def _usual(self, hour: int) -> float:
        usual: float = struct.unpack_from("<e", self.week, 2 * hour)[0]
        return usual


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    since = span(number(evidence, "days") * DAY_S)
    if "more_standby_w" in evidence:
        more, usual = number(evidence, "more_standby_w"), number(evidence, "usual_standby_w")
        seen = (
            f"uses {figure(usual + more)} W in its quietest hour, instead of {figure(usual)} W, for {since}:"
            f" about {figure(number(evidence, 'more_kwh_a_year'))} kWh more a year"
        )
        title = f"{subject.name} uses more when idle"
    else:
        seen = (
            f"has used {figure(number(evidence, 'more_kwh_a_day'))} kWh a day more than usual for {since}"
            f" (usual: {figure(number(evidence, 'usual_kwh_a_day'))} kWh)"
        )
        title = f"{subject.name} uses more than usual"
    return subject.condition(
        Kind.ENERGY,
        2 if "more_standby_w" in evidence else 1,
        title,
        f"{subject.name} {seen}. See what has been left on or is wearing out.",
        evidence,
        now_us,
    )
