"""Stuck: a sensor that goes on reporting, and always the same value.

Formula (iot.md D.2, rule 4): the length of the present run of equal reports against the longest usual run, which is a
maximum that decays by a thousandth with each change, but by no more than half in fourteen days. A value that is the
same after the sensor was unavailable goes on with the run. Stuck means a run of
more than 12 reports and four hours, and more than twice the longest usual one, in reports as well as in time. A run in
reports alone would be long as soon as an integration begins to report more often; a run in time alone as soon as the
app was stopped for a while.

A slow sensor with coarse steps rests for whole nights: those runs are its normal, once it has been seen for a week, and
it gets three times instead of two, since a home that nobody is in rests longer still. A run that was called stuck
teaches only the limit that it passed, else the second time would go unnoticed; to what cycles it teaches nothing.

Only quantities that never rest take part: those of the air and the soil, and the grid's voltage. What people switch off
(power, current) and what gets dark or calm takes part above its level of rest, and below it where it crosses that often
and never rests for five hours, as a refrigerator. What may be constant for weeks does not take part: battery levels,
link qualities, counters and totals, times, amounts of money, set points, diagnostics.
"""

import math
from collections.abc import Mapping
from typing import Final, Self

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.slots import quick
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import DAY_S, HOUR_S, counted, microseconds, number, rounded, span
from homeiq_server.registry import Entity

_REPORTS: Final = 12
_HELD_S: Final = 4 * HOUR_S
_TIMES: Final = 2.0
_TIMES_COARSE: Final = 3.0
_RESTS_S: Final = 3 * HOUR_S
"""A sensor that keeps a value for so long has coarse steps or a calm place, and may rest for days when nobody is in."""

_CYCLE_S: Final = 5 * HOUR_S
_CROSSINGS: Final = 40
"""What has crossed its level of rest so often, and never rested for so long, may be judged at rest."""

_DECAY: Final = 0.001
_DECAY_A_SECOND: Final = math.log(2) / (14 * DAY_S)
_AGES_S: Final = 6 * HOUR_S
"""So often the longest runs are decayed: at each change it would cost more than all the rest."""

_LEARNED_S: Final = 7 * DAY_S
_LEARNED_CHANGES: Final = 20
_GAP_S: Final = 12 * HOUR_S
"""A longer time between two reports counts as this much of a run: the app was stopped, or the sensor silent."""

_RESTLESS: Final = -math.inf
_REST: Final[Mapping[str, Mapping[str | None, float]]] = {
    "temperature": {"°C": _RESTLESS, "°F": _RESTLESS, "K": _RESTLESS},
    "humidity": {"%": _RESTLESS},
    "absolute_humidity": {"g/m³": _RESTLESS, "mg/m³": _RESTLESS},
    "atmospheric_pressure": dict.fromkeys(("Pa", "hPa", "kPa", "bar", "mbar", "inHg", "mmHg", "psi"), _RESTLESS),
    "carbon_dioxide": {"ppm": 0.0},
    "pm25": {"µg/m³": 5.0, "μg/m³": 5.0},
    "pm10": {"µg/m³": 5.0, "μg/m³": 5.0},
    "illuminance": {"lx": 5.0},
    "irradiance": {"W/m²": 5.0},
    "sound_pressure": {"dB": 0.0, "dBA": 0.0},
    "voltage": {"V": 60.0},
    "power": {"W": 10.0, "kW": 0.01},
    "apparent_power": {"VA": 10.0},
    "current": {"A": 0.1, "mA": 100.0},
}
"""By device class and unit: the value up to which a constant one is normal. Below 60 V it is a battery's voltage."""


@quick
class Stuck(msgspec.Struct, array_like=True, gc=False):
    """The runs of one entity.

    Attributes:
        rest: The value up to which a run means nothing, where such runs are long.
        crossings: How often the value has crossed that.
        value: The value since the last change.
        run: How many reports since the last change, that of the change included.
        from_s: When the run began, moved on by what of it was a gap.
        aged_changes: After how many changes the longest runs were decayed last.
        due_s: When they are to be decayed again.
    """

    rest: float = _RESTLESS
    resting: bool = False
    crossings: int = 0
    value: float = math.nan
    run: int = 0
    longest_run: float = 0.0
    longest_held_s: float = 0.0
    changes: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    from_s: float = 0.0
    aged_changes: int = 0
    due_s: float = 0.0

    @classmethod
    def of(cls, entity: Entity) -> Self | None:
        """Return the state for an entity, or None when it does not take part."""
        if entity.state_class != "measurement" or entity.entity_category is not None:
            return None
        rest = _REST.get(entity.device_class or "", {}).get(entity.unit)
        return None if rest is None else cls(rest=rest)

    def report(self, at_s: float, changed: bool, value: float = math.nan) -> None:  # noqa: FBT001  # hot, positional
        """Take a report; a value is needed with a change."""
        gap_s = at_s - self.last_s
        if gap_s > _GAP_S:
            self.from_s += gap_s - _GAP_S
        if not changed:
            if gap_s > 0.0:
                self.run += 1
                self.last_s = at_s
            return
        if value == self.value:
            # It was unavailable in between.
            if gap_s > 0.0:
                self.last_s = at_s
            return
        if at_s >= self.due_s or self.run > self.longest_run or at_s - self.from_s > self.longest_held_s:
            self._learn(at_s)
        self.changes += 1
        self.run = 1
        self.last_s = self.from_s = at_s
        self.value = value
        resting = value <= self.rest
        if resting is not self.resting:
            self.resting = resting
            self.crossings += 1

    def check(self, at_s: float) -> Evidence | None:
        """Return the figures when it is stuck."""
        if not self._learned(at_s) or (self.resting and not self._cycles()):
            return None
        run_limit, held_limit = self._limits()
        held_s = self.last_s - self.from_s
        if self.run <= run_limit or held_s <= held_limit:
            return None
        return {
            "since_us": microseconds(self.from_s),
            "equal_reports": int(rounded(self.run)),
            "usual_equal_reports_at_most": round(self.longest_run),
            "held_hours": rounded(held_s / HOUR_S),
            "usually_held_hours_at_most": rounded(self.longest_held_s / HOUR_S),
        }

    def _learn(self, at_s: float) -> None:
        """Let the run that ends take part in what is usual."""
        if not self.changes:
            self.first_s = at_s
            self.due_s = at_s + _AGES_S
            return
        if at_s >= self.due_s:
            self._age(at_s)
        held_s = at_s - self.from_s
        run_limit, held_limit = self._limits() if self._learned(self.last_s) else (math.inf, math.inf)
        if self.run > run_limit and held_s > held_limit and self._cycles():
            return
        self.longest_run = max(self.longest_run, min(float(self.run), run_limit))
        self.longest_held_s = max(self.longest_held_s, min(held_s, held_limit))

    def _age(self, at_s: float) -> None:
        """Let what is usual decay."""
        changes, passed_s = 1 + self.changes - self.aged_changes, at_s - self.due_s + _AGES_S
        kept = math.exp(-min(_DECAY * changes, _DECAY_A_SECOND * passed_s))
        self.longest_run *= kept
        self.longest_held_s *= kept
        self.aged_changes += changes
        self.due_s = at_s + _AGES_S

    def _limits(self) -> tuple[float, float]:
        times = _TIMES if self.longest_held_s < _RESTS_S else _TIMES_COARSE
        return max(_REPORTS, times * self.longest_run), max(_HELD_S, times * self.longest_held_s)

    def _cycles(self) -> bool:
        """Return whether it never rests for long, as a refrigerator."""
        return self.crossings >= _CROSSINGS and self.longest_held_s < _CYCLE_S

    def _learned(self, at_s: float) -> bool:
        return self.changes >= _LEARNED_CHANGES and at_s - self.first_s >= _LEARNED_S


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    return subject.condition(
        Kind.STUCK,
        3,
        f"{subject.name} is stuck",
        f"{subject.name} has reported the same value for {span(number(evidence, 'held_hours') * HOUR_S)}"
        f" ({counted(round(number(evidence, 'equal_reports')), 'report')} in a row); usually it changes within"
        f" {span(number(evidence, 'usually_held_hours_at_most') * HOUR_S)}."
        " Restart the sensor, or take its battery out for a moment.",
        evidence,
        now_us,
    )
