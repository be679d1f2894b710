"""Stuck: a sensor that goes on reporting, and always the same value.

Formula (iot.md D.2, rule 4): the length of the present run of equal reports against the longest usual run, which is a
maximum that decays by a thousandth with each change, but by no more than half in fourteen days. Stuck means a run of
more than 12 reports and four hours, and more than twice the longest usual one, in reports as well as in time. A run in
reports alone would be long as soon as an integration begins to report more often; a run in time alone as soon as the
app was stopped for a while.

A slow sensor with coarse steps rests for whole nights: those runs are its normal, once it has been seen for a week, and
it gets three times instead of two, since a home that nobody is in rests longer still. A run that was called stuck
teaches only the limit that it passed, else the second time would go unnoticed.

Only quantities that never rest take part: those of the air and the soil, and the grid's voltage. What people switch off
(power, current) and what gets dark or calm takes part above its level of rest, and below it where it never rests for
three hours, as a refrigerator. What may be constant for weeks does not take part: battery levels, link qualities,
counters and totals, times, amounts of money, set points, diagnostics.
"""

import math
from collections.abc import Mapping
from typing import Final, Self

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import DAY_S, HOUR_S, counted, microseconds, number, rounded, span
from homeiq_server.registry import Entity

_REPORTS: Final = 12
_HELD_S: Final = 4 * HOUR_S
_TIMES: Final = 2.0
_TIMES_COARSE: Final = 3.0
_RESTS_S: Final = 3 * HOUR_S
"""A sensor that keeps a value for so long has coarse steps or a calm place, and may rest for days when nobody is in."""

_DECAY: Final = 0.001
_DECAY_A_SECOND: Final = math.log(2) / (14 * DAY_S)
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


class Stuck(msgspec.Struct, array_like=True, gc=False):
    """The runs of one entity.

    Attributes:
        rest: The value up to which a run means nothing, where such runs are long.
        run: How many reports since the last change, that of the change included.
        held_s: For how long.
    """

    rest: float = _RESTLESS
    resting: bool = False
    run: int = 0
    longest_run: float = 0.0
    held_s: float = 0.0
    longest_held_s: float = 0.0
    changes: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    since_s: float = 0.0

    @classmethod
    def of(cls, entity: Entity) -> Self | None:
        """Return the state for an entity, or None when it does not take part."""
        if entity.state_class != "measurement" or entity.entity_category is not None:
            return None
        rest = _REST.get(entity.device_class or "", {}).get(entity.unit)
        return None if rest is None else cls(rest=rest)

    def report(self, at_s: float, changed: bool, value: float | None = None) -> None:  # noqa: FBT001  # hot, positional
        """Take a report. A value is needed only with a change, and only where there is a level of rest."""
        if not changed:
            gap = at_s - self.last_s
            if gap > 0:
                self.run += 1
                self.held_s += min(_GAP_S, gap)
                self.last_s = at_s
            return
        if self.changes:
            self._learn(at_s)
        else:
            self.first_s = at_s
        self.changes += 1
        self.run = 1
        self.held_s = 0.0
        self.last_s = self.since_s = at_s
        self.resting = value is not None and value <= self.rest

    def check(self, at_s: float) -> Evidence | None:
        """Return the figures when it is stuck."""
        if not self._learned(at_s) or (self.resting and self.longest_held_s >= _RESTS_S):
            return None
        run_limit, held_limit = self._limits()
        if self.run <= run_limit or self.held_s <= held_limit:
            return None
        return {
            "since_us": microseconds(self.since_s),
            "equal_reports": int(rounded(self.run)),
            "usual_equal_reports_at_most": round(self.longest_run),
            "held_hours": rounded(self.held_s / HOUR_S),
            "usually_held_hours_at_most": rounded(self.longest_held_s / HOUR_S),
        }

    def _learn(self, at_s: float) -> None:
        """Let the run that ends take part in what is usual."""
        held_s = self.held_s + min(_GAP_S, at_s - self.last_s)
        kept = 1.0 - min(_DECAY, _DECAY_A_SECOND * held_s)
        self.longest_run *= kept
        self.longest_held_s *= kept
        if self.run <= self.longest_run and held_s <= self.longest_held_s:
            return
        run_limit, held_limit = self._limits() if self._learned(self.last_s) else (self.run, held_s)
        self.longest_run = max(self.longest_run, min(self.run, run_limit))
        self.longest_held_s = max(self.longest_held_s, min(held_s, held_limit))

    def _limits(self) -> tuple[float, float]:
        times = _TIMES if self.longest_held_s < _RESTS_S else _TIMES_COARSE
        return max(_REPORTS, times * self.longest_run), max(_HELD_S, times * self.longest_held_s)

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
