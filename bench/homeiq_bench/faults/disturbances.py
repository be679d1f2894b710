"""What goes wrong with many devices at once, and is no fault of any of them.

- ``restart``: Home Assistant is away for a minute and a half; ``power_cut``: for six hours. Old states come back.
- ``outage``: the app is away for eight hours, what happens meanwhile never reaches it, and it starts again from its
  last checkpoint.
- ``reload``: all entities of an integration are unavailable for twenty seconds.
- ``wifi``: all devices on Wi-Fi are unavailable for three minutes.
- ``integration``: all entities of an integration are unavailable for six hours.
- ``holiday``: nobody is at home for four days (``household``).
- ``clock_change``: the day is an hour shorter or longer (``household``); counted for two days.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Final

import msgspec

from .homes import HUE, ZIGBEE
from .household import DAY_S, HOUR_S, Calendar

TICK_S: Final = 300.0
HOLIDAY_DAYS: Final = 4
_LASTS_S: Final = {
    "restart": 90.0,
    "power_cut": 6 * HOUR_S,
    "outage": 8 * HOUR_S,
    "reload": 20.0,
    "wifi": 180.0,
    "integration": 6 * HOUR_S,
}
_COUNTED_AFTER_S: Final = DAY_S
WIFI: Final = ("shelly", "esphome")


class Disturbance(msgspec.Struct, frozen=True):
    """One of them.

    Attributes:
        integrations: Those whose entities become unavailable.
    """

    kind: str
    start_s: float
    end_s: float
    integrations: Sequence[str] = ()

    def counts(self, at_s: float) -> bool:
        """Return whether a finding that opens then may come of it: until a day after its end."""
        return self.start_s <= at_s < self.end_s + _COUNTED_AFTER_S


def calendar(seed: str, days: int) -> Calendar:
    """Return days among which the clocks are changed, in spring or in autumn, with a holiday in the middle."""
    change = date(2026, 3, 29) if Random(f"{seed} season").random() < 0.5 else date(2026, 10, 25)  # noqa: PLR2004, S311
    holiday = days // 2
    return Calendar(change - timedelta(days=round(days * 0.8)), days, range(holiday, holiday + HOLIDAY_DAYS))


def disturbances(seed: str, days: Calendar) -> list[Disturbance]:
    """Return those of a run, in order; beginning at any hour, none on the same days as another."""
    chance = Random(f"{seed} disturbances")  # noqa: S311
    holiday = days.holiday
    found = [
        Disturbance("holiday", days.at(holiday.start, 0), days.at(holiday.stop, 0)),
        Disturbance("clock_change", days.at(round(days.days * 0.8), 0), days.at(round(days.days * 0.8) + 1, 0)),
    ]
    kinds = ["restart", "outage", "reload", "restart", "wifi", "power_cut", "integration", "restart", "outage"]
    free = [day for day in range(8, days.days - 2, 3) if day not in range(holiday.start - 2, holiday.stop + 2)]
    for day, kind in zip(free, kinds, strict=False):
        start_s = days.at(day, chance.uniform(0, 24)) // TICK_S * TICK_S + TICK_S / 2
        found.append(Disturbance(kind, start_s, start_s + _LASTS_S[kind], _integrations(kind, chance)))
    return sorted(found, key=lambda disturbance: disturbance.start_s)


def _integrations(kind: str, chance: Random) -> Sequence[str]:
    if kind == "wifi":
        return WIFI
    return (chance.choice((ZIGBEE, HUE)),) if kind in ("reload", "integration") else ()
