"""Impossible: values that no thing of this class can have, or that jump as nothing in nature does.

Formula (iot.md D.2, rule 6): a reading is bad when it is outside the physical range of its device class, or when it is
a spike: away from the running median by more than five times 1.4826 MAD (the Hampel filter) and from the reading before
by more than what such a quantity does between two reports. The second half is what tells a spike from a new level.
Median and MAD are followed by steps of the sign of the difference, which no single value can pull away. Three bad
readings of the last five are needed, and it is over after 25 good ones in a row: what is broken now and then is broken.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.slots import quick
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import figure, microseconds, number, rounded

_NEVER: Final = float("inf")
_REMEMBERED: Final = (1 << 25) - 1
_LAST_FIVE: Final = 0b11111
_RAISED: Final = 3
_HAMPEL: Final = 5 * 1.4826
_STEP: Final = 0.05
_CALM: Final = 10
"""A deviation of less than a tenth of the jump need not be told from it: the jump alone decides then."""

_NEAR: Final = 8
"""Within an eighth of the jump from the median, a reading moves neither."""


class Range(msgspec.Struct, frozen=True, gc=False):
    """What is possible.

    Attributes:
        jump: From which difference between two readings on a deviation from the median is a spike; infinite for
            quantities that people switch, which may do anything.
    """

    low: float
    high: float
    jump: float = _NEVER


class _Class(msgspec.Struct, frozen=True):
    """A range in a base unit, and the units that it can be told in: value = base * scale + offset."""

    range: Range
    units: Mapping[str | None, tuple[float, float]]


_PRESSURE: Final[Mapping[str | None, tuple[float, float]]] = {
    "hPa": (1.0, 0.0),
    "mbar": (1.0, 0.0),
    "Pa": (100.0, 0.0),
    "kPa": (0.1, 0.0),
    "bar": (0.001, 0.0),
    "inHg": (0.0295299831, 0.0),
    "mmHg": (0.750061683, 0.0),
    "psi": (0.0145037738, 0.0),
}
_SPEED: Final[Mapping[str | None, tuple[float, float]]] = {
    "m/s": (1.0, 0.0),
    "km/h": (3.6, 0.0),
    "mph": (2.2369363, 0.0),
    "kn": (1.9438445, 0.0),
    "ft/s": (3.2808399, 0.0),
}
_RAIN: Final[Mapping[str | None, tuple[float, float]]] = {
    "mm/h": (1.0, 0.0),
    "in/h": (1 / 25.4, 0.0),
    "mm/d": (24.0, 0.0),
    "in/d": (24 / 25.4, 0.0),
}
_PERCENT: Final[Mapping[str | None, tuple[float, float]]] = {"%": (1.0, 0.0)}
_DUST: Final[Mapping[str | None, tuple[float, float]]] = {"µg/m³": (1.0, 0.0), "μg/m³": (1.0, 0.0)}

_CLASSES: Final[Mapping[str, _Class]] = {
    # The coldest air ever was -89.2 °C (WMO); platinum thermometers end at 600 °C (IEC 60751 B).
    "temperature": _Class(Range(-90, 600, 10), {"°C": (1.0, 0.0), "°F": (1.8, 32.0), "K": (1.0, 273.15)}),
    # Relative humidity ends at 100 %; a user's calibration may add a few points.
    "humidity": _Class(Range(-1, 105, 30), _PERCENT),
    "moisture": _Class(Range(-1, 105), _PERCENT),
    # By definition of Home Assistant; 200 is half a percent taken for one.
    "battery": _Class(Range(0, 100), _PERCENT),
    # What barometers measure: Bosch BME280 300 to 1,100 hPa; at sea level 870 to 1,085 were seen (WMO).
    "atmospheric_pressure": _Class(Range(300, 1_100, 20), _PRESSURE),
    # Below a vacuum there is nothing; the top is a pressure washer's ten times.
    "pressure": _Class(Range(-1_100, 2_000_000), _PRESSURE),
    # Direct sun is 130,000 lx.
    "illuminance": _Class(Range(0, 200_000), {"lx": (1.0, 0.0)}),
    # The sun brings 1,361 W/m² to the atmosphere, edges of clouds up to 1,900; pyranometers show some -5 at night.
    "irradiance": _Class(Range(-20, 2_000), {"W/m²": (1.0, 0.0), "BTU/(h⋅ft²)": (0.3169983, 0.0)}),
    # The air has not had less than 170 ppm in 800,000 years (ice cores); Sensirion SCD30 ends at 40,000.
    "carbon_dioxide": _Class(Range(170, 40_000), {"ppm": (1.0, 0.0)}),
    "carbon_monoxide": _Class(Range(0, 13_000), {"ppm": (1.0, 0.0)}),
    # Optical counters end at 1,000 µg/m³ (Plantower PMS5003, Sensirion SPS30); ten times that is left for smoke.
    "pm1": _Class(Range(0, 10_000), _DUST),
    "pm25": _Class(Range(0, 10_000), _DUST),
    "pm10": _Class(Range(0, 10_000), _DUST),
    # By definition.
    "power_factor": _Class(Range(-1, 1), {None: (1.0, 0.0), "%": (100.0, 0.0)}),
    "ph": _Class(Range(0, 14), {None: (1.0, 0.0)}),
    "wind_direction": _Class(Range(0, 360), {"°": (1.0, 0.0)}),
    # Low voltage ends at 1,000 V AC and 1,500 V DC (Directive 2014/35/EU).
    "voltage": _Class(Range(-1_500, 1_500), {"V": (1.0, 0.0), "mV": (1e3, 0.0), "µV": (1e6, 0.0), "kV": (1e-3, 0.0)}),
    # A home's connection ends at three times 125 A, 86 kW; batteries on direct current at some 500 A.
    "power": _Class(
        Range(-100_000, 100_000), {"W": (1.0, 0.0), "mW": (1e3, 0.0), "kW": (1e-3, 0.0), "MW": (1e-6, 0.0)}
    ),
    "current": _Class(Range(-500, 500), {"A": (1.0, 0.0), "mA": (1e3, 0.0)}),
    # No receiver hears less than -150 dBm, no sender of a home has more than 1 W (30 dBm).
    "signal_strength": _Class(Range(-150, 30), {"dBm": (1.0, 0.0)}),
    # The strongest gust was 113.2 m/s (WMO, Barrow Island 1996).
    "wind_speed": _Class(Range(0, 115), _SPEED),
    # The strongest minute of rain was 31.2 mm (WMO, Unionville 1956).
    "precipitation_intensity": _Class(Range(0, 2_000), _RAIN),
    # Above 194 dB a wave in air is cut off at the vacuum.
    "sound_pressure": _Class(Range(-20, 194), {"dB": (1.0, 0.0), "dBA": (1.0, 0.0)}),
}


@lru_cache(maxsize=256)
def range_of(device_class: str | None, unit: str | None) -> Range | None:
    """Return what is possible in this unit, or None where nothing is impossible."""
    known = _CLASSES.get(device_class or "")
    if known is None or unit not in known.units:
        return None
    scale, offset = known.units[unit]
    base = known.range
    return Range(base.low * scale + offset, base.high * scale + offset, base.jump * scale)


class Spell(msgspec.Struct, array_like=True, gc=False):
    """A time in which there were bad readings.

    Attributes:
        bad: The last 25 readings, a bit each, the latest lowest.
        most: How many of five in a row were bad at most.
        first: The first bad reading.
        low: With ``high`` what was possible then.
    """

    since_s: float
    first: float
    low: float
    high: float
    bad: int = 0
    most: int = 0

    def note(self, bad: bool) -> bool:  # noqa: FBT001  # one of two kinds
        """Put a reading among the last ones; return whether any of these is bad."""
        self.bad = (self.bad << 1 | bad) & _REMEMBERED
        self.most = max(self.most, (self.bad & _LAST_FIVE).bit_count())
        return self.bad != 0


@quick
class Values(msgspec.Struct, array_like=True, gc=False):
    """The readings of one entity. One is only needed where ``range_of`` knows a range.

    Attributes:
        near: Within so much of the median a reading is good and moves nothing; negative while that is not known.
        deviation: The MAD; 0 where there are no spikes, and the median is then the middle of what is possible.
        before: The last reading.
        spell: None while all is good.
    """

    near: float = -1.0
    median: float = 0.0
    deviation: float = 0.0
    before: float = 0.0
    spell: Spell | None = None

    def take(self, at_s: float, value: float, limits: Range | None) -> None:
        """Take a reading; limits in the reading's unit."""
        near = self.near
        if -near <= value - self.median <= near and self.spell is None:
            self.before = value
        elif limits is not None:
            bad = not limits.low <= value <= limits.high or self._follow(value, limits)
            if bad and self.spell is None:
                self.spell = Spell(at_s, value if value - value == 0 else 0.0, limits.low, limits.high)
            if self.spell is not None and not self.spell.note(bad):
                self.spell = None

    def check(self) -> Evidence | None:
        """Return the figures when values are impossible."""
        spell = self.spell
        if spell is None or spell.most < _RAISED:
            return None
        return {
            "since_us": microseconds(spell.since_s),
            "bad_readings_of_5": spell.most,
            "bad_value": spell.first,
            "possible_from": spell.low,
            "possible_to": spell.high,
            "usual_value": rounded(self.median) if self.deviation else None,
        }

    def _follow(self, value: float, limits: Range) -> bool:
        """Let median and MAD follow; return whether the value is a spike."""
        jump = limits.jump
        if jump == _NEVER:
            self.median, self.near = (limits.low + limits.high) / 2, (limits.high - limits.low) / 2
            return False
        if not self.deviation:
            self.median = self.before = value
            self.deviation = jump / _CALM
        distance = abs(value - self.median)
        spike = distance > jump and abs(value - self.before) > jump and distance > _HAMPEL * self.deviation
        step = _STEP * self.deviation
        if distance > jump / _NEAR:
            self.median += math.copysign(2 * step, value - self.median)
        self.deviation = max(jump / _CALM, self.deviation + (step if distance > self.deviation else -step))
        # Where the deviation counts, every reading has to move it.
        calm = self.deviation * _HAMPEL <= jump
        self.near = min(jump / _NEAR, self.median - limits.low, limits.high - self.median) if calm else -1.0
        self.before = value
        return spike


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    value, low, high = (number(evidence, name) for name in ("bad_value", "possible_from", "possible_to"))
    count = round(number(evidence, "bad_readings_of_5"))
    if low <= value <= high:
        usual = figure(number(evidence, "usual_value"), subject.unit)
        seen = f"jumps to values such as {figure(value, subject.unit)} and back, while it usually shows about {usual}"
    else:
        possible = f"{figure(low, subject.unit)} to {figure(high, subject.unit)}"
        seen = f"shows {figure(value, subject.unit)}, which cannot be: possible is {possible}"
    return subject.condition(
        Kind.IMPOSSIBLE,
        3,
        f"{subject.name} shows impossible values",
        f"{subject.name} {seen} ({count} of 5 readings in a row). Check its battery, its cable and its place.",
        evidence,
        now_us,
    )
