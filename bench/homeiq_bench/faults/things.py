"""One device of a simulated home: its place in the registries, and all that is heard of it."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final

import msgspec

from homeiq_server import registry

from .household import DAY_S, HOUR_S
from .injections import LOST, LOST_BY_A_WEAK_LINK, UNANSWERED, UNANSWERED_IN_HEALTH, WEAK, Distortion, Episode, absences
from .regimes import Distort, Message, Regime

GONE: Final[Mapping[str, str]] = {"": "unavailable"}
"""In place of states: all entities of the device become unavailable."""

BACK: Final[Mapping[str, str]] = {"": "back"}
"""All entities are what they were before."""

CONSTANT: Final[Mapping[str, str]] = {
    "connection": "on",
    "switch": "on",
    "firmware": "off",
    "restart": "unknown",
    "overheating": "off",
    "overpowering": "off",
}
"""States that do not change in the simulation, by suffix."""

type Heard = tuple[float, int, Mapping[str, str]]
"""When, from which thing (its number), and states by entity id, or ``GONE`` or ``BACK``."""

type Command = tuple[str, float, float | None]


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a kind of device is like.

    Attributes:
        group: The class that it is counted in.
        repeats: Whether its integration writes states that have not changed, so that a poll sees them; MQTT's does not.
        drops_a_day: How often it is unavailable without being broken.
        quality: The usual link quality, when Home Assistant has an entity for it.
        battery_days: How long a battery lasts; None for what is plugged in.
        heartbeat_s: How often it speaks without a reason.
        wakes: Whether it is unavailable after a restart until it speaks by itself.
        glitches_a_day: How often it gives an impossible reading without being broken.
        commanded: Whether what it does is commanded through Home Assistant.
    """

    group: str
    repeats: bool
    drops_a_day: float = 0
    quality: float | None = None
    battery_days: float | None = None
    heartbeat_s: float | None = None
    wakes: bool = False
    glitches_a_day: float = 0
    commanded: bool = False


class Make(msgspec.Struct, frozen=True):
    """What a device is like and how it speaks."""

    traits: Traits
    regime: Callable[[Random, Distort], Regime]


class Registered(msgspec.Struct, frozen=True):
    """Its place among the things, and what the registries say: its entities by suffix."""

    number: int
    device: registry.Device
    entities: Mapping[str, registry.Entity]


class Run(msgspec.Struct, frozen=True):
    """What is the same for all: the seed, the time that is simulated, and the share of messages that are lost."""

    seed: str
    span_s: tuple[float, float]
    lost: float = LOST


class Thing:
    """A device and its messages.

    Attributes:
        commands: What was asked of it, in order of time; whoever reads them takes them away.
    """

    def __init__(self, kind: Make, registered: Registered, episodes: Sequence[Episode], run: Run) -> None:
        self.number, self.device, self.entities = registered.number, registered.device, registered.entities
        traits = kind.traits
        self.traits, self.episodes = traits, episodes
        self.commands: list[Command] = []
        self._lost = run.lost
        self._chance = chance = Random(f"{run.seed} {self.device.id}")  # noqa: S311
        self._regime = kind.regime(chance, Distortion(chance, episodes, traits.glitches_a_day))
        self._ids = {name: entity.entity_id for name, entity in self.entities.items()}
        self._constant = {self._ids[name]: state for name, state in CONSTANT.items() if name in self._ids}
        self._absences = absences(chance, episodes, traits.drops_a_day, *run.span_s)
        self._absent_from = [start_s for start_s, _ in self._absences]
        self._phase_s = chance.uniform(0, HOUR_S)
        self._charged_s = run.span_s[0] - chance.uniform(0.05, 0.6) * (traits.battery_days or 0) * DAY_S

    def day(self, day: int, start_s: float, end_s: float) -> list[Heard]:
        """Return what is heard of it on a day, which lasts from ``start_s`` to ``end_s``; not in order of time."""
        found: list[Heard] = []
        for at_s, states in self._messages(day, start_s, end_s):
            if self._is_lost(at_s) or self._is_refused(at_s, states):
                continue
            found.append((at_s, self.number, self._named(at_s, states)))
        for absent_s, back_s in self._absences:
            if start_s <= absent_s < end_s:
                found.append((absent_s, self.number, GONE))
            if start_s <= back_s < end_s:
                found.append((back_s, self.number, BACK))
        return found

    def episode(self, kind: str, at_s: float) -> Episode | None:
        """Return the fault of a kind (flapping of whatever rate) that it has at that moment."""
        for episode in self.episodes:
            if episode.kind.partition("_")[0] == kind and episode.covers(at_s):
                return episode
        return None

    def _messages(self, day: int, start_s: float, end_s: float) -> list[Message]:
        messages = self._regime.day(day)
        if (every_s := self.traits.heartbeat_s) is not None:
            at_s = start_s + self._phase_s % every_s
            while at_s < end_s:
                messages.append((at_s + self._chance.uniform(-0.02, 0.02) * every_s, {}))
                at_s += every_s
        return messages

    def _is_lost(self, at_s: float) -> bool:
        share = self._lost
        for episode in self.episodes:
            if episode.covers(at_s):
                if episode.kind == "silent":
                    return True
                if episode.kind == "link":
                    share += LOST_BY_A_WEAK_LINK
        return self._is_absent(at_s) or self._chance.random() < share

    def _is_absent(self, at_s: float) -> bool:
        place = bisect_right(self._absent_from, at_s) - 1
        return place >= 0 and at_s < self._absences[place][1]

    def _is_refused(self, at_s: float, states: Mapping[str, str]) -> bool:
        """Note the command behind a message, and return whether it was not carried out."""
        if not (self.traits.commanded and states):
            return False
        share = UNANSWERED if self.episode("commands", at_s) else UNANSWERED_IN_HEALTH
        refused = self._chance.random() < share
        asked_s = at_s - self._chance.uniform(0.1, 0.8)
        self.commands += [(self._ids[name], asked_s, None if refused else at_s) for name in states]
        return refused

    def _named(self, at_s: float, states: Mapping[str, str]) -> dict[str, str]:
        """Return the states by entity id, with what rides on every message of the device."""
        named = {self._ids[name]: state for name, state in states.items()}
        if (entity_id := self._ids.get("linkquality")) is not None and self.traits.quality is not None:
            quality = self.traits.quality * (WEAK if self.episode("link", at_s) else 1)
            named[entity_id] = str(min(255, max(1, round(self._chance.gauss(quality, 4 + 0.05 * quality)))))
        if (entity_id := self._ids.get("battery")) is not None and self.traits.battery_days is not None:
            named[entity_id] = str(round(100 * (1 - (at_s - self._charged_s) / DAY_S / self.traits.battery_days)))
        return named | self._constant if self.traits.repeats else named
