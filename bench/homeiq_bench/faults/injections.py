"""What goes wrong with one device, from when until when, and what it does to its messages.

- ``silent``: nothing more is heard, and Home Assistant goes on showing the last state, as it does for devices that
  sleep. ``offline``: the integration notices, and its entities become unavailable.
- ``flapping_N``: N more drops a day, each of 1 to 15 minutes, at random moments.
- ``stuck``: the sensor measures what it measured when the fault began, and the device goes on talking.
- ``drift``: 0.25 °C a day, up or down.
- ``impossible``: three readings in ten are what a broken sensor or bus gives.
- ``link``: the quality falls to a quarter, and three messages in ten are lost besides.
- ``commands``: four commands in ten are not carried out.

Healthy devices are not perfect: three messages in a hundred are lost, those that can be unavailable are so at times
(some once a day), some give one impossible reading a month, one command in a hundred fails.
"""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

import msgspec

from .household import DAY_S

DRIFT_A_DAY: Final = 0.25
LOST: Final = 0.03
LOST_BY_A_WEAK_LINK: Final = 0.3
WEAK: Final = 0.25
UNANSWERED: Final = 0.4
UNANSWERED_IN_HEALTH: Final = 0.01
_IMPOSSIBLE: Final = 0.3
_READINGS: Final = {"temperature": (-127.0, 327.67, 999.9), "power": (-32_768.0, 2_147_483.6)}
_GLITCH: Final = 85.0


class Episode(msgspec.Struct, frozen=True):
    """A fault of one device."""

    kind: str
    start_s: float
    end_s: float

    def covers(self, at_s: float) -> bool:
        """Return whether the device has the fault at that moment."""
        return self.start_s <= at_s < self.end_s


class Distortion:
    """What faulty sensors make of true values."""

    def __init__(self, chance: Random, episodes: Sequence[Episode], glitches_a_day: float) -> None:
        self._chance = chance
        self._episodes = [episode for episode in episodes if episode.kind in ("stuck", "drift", "impossible")]
        self._glitches_a_day = glitches_a_day
        self._glitch_day = 0
        self._frozen: dict[tuple[float, str], float] = {}
        self._up = chance.choice((-1, 1))

    def __call__(self, at_s: float, name: str, value: float) -> float:
        """Return what is measured, from when, which entity, and the true value."""
        if self._glitches_a_day and name == "temperature" and (day := int(at_s // DAY_S)) != self._glitch_day:
            self._glitch_day = day
            if self._chance.random() < self._glitches_a_day:
                return _GLITCH
        for episode in self._episodes:
            if episode.covers(at_s):
                value = self._faulty(episode, at_s, name, value)
        return value

    def _faulty(self, episode: Episode, at_s: float, name: str, value: float) -> float:
        if episode.kind == "stuck":
            return self._frozen.setdefault((episode.start_s, name), value)
        if episode.kind == "drift":
            return value + self._up * DRIFT_A_DAY * (at_s - episode.start_s) / DAY_S * (name == "temperature")
        if name in _READINGS and self._chance.random() < _IMPOSSIBLE:
            return self._chance.choice(_READINGS[name])
        return value


def absences(
    chance: Random, episodes: Sequence[Episode], drops_a_day: float, start_s: float, end_s: float
) -> list[tuple[float, float]]:
    """Return when a device is unavailable: drops of its own and those of its faults, in order and apart."""
    found = list(_drops(chance, drops_a_day, start_s, end_s))
    for episode in episodes:
        name, _, a_day = episode.kind.partition("_")
        if name == "flapping":
            found += _drops(chance, float(a_day), episode.start_s, episode.end_s)
        elif name == "offline":
            found.append((episode.start_s, episode.end_s))
    return _merged(found)


def _drops(chance: Random, a_day: float, start_s: float, end_s: float) -> Iterable[tuple[float, float]]:
    if not a_day:
        return
    at_s = start_s
    while (at_s := at_s + chance.expovariate(a_day / DAY_S)) < end_s:
        yield at_s, at_s + chance.uniform(60, 900)


def _merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if found and start_s <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((start_s, end_s))
    return found
