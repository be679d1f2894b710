"""Precision, recall, delay and false alarms, by rule and class of device.

A fault is found when the rule opens a finding about its device between the fault's beginning and its end. Any other
finding of the rule is a false alarm, unless its device has another fault at that time (a weak link that makes it
silent is worth a word, and is counted as neither) or had one until a day before. False alarms count on all days:
those before anything is broken, the holiday and the restarts among them. Precision is found / (found + false).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

from .disturbances import Disturbance
from .household import DAY_S, HOUR_S
from .injections import Episode
from .ledger import Opened
from .things import Thing

RULES: Final[Mapping[str, str]] = {
    "silent": "silent",
    "offline": "offline",
    "flapping": "flapping",
    "stuck": "stuck",
    "drift": "drift",
    "impossible": "impossible",
    "link": "link",
    "commands": "commands",
}
"""Which fault a kind of finding is about; kinds that are not here have no fault, so that each is a false alarm."""

_AFTER_S: Final = DAY_S
_UNCOUNTED: Final = frozenset(
    ("battery", "missing_area", "placeholder_name", "duplicate_name", "missing_integration", "orphan_entity")
)


class Score(msgspec.Struct):
    """How a rule did for a class. Add scores with ``+``.

    Attributes:
        delays_h: Of those found, in hours.
        again: How often a fault that was found was resolved and found once more.
        device_days: On which the class's devices had no fault.
    """

    faults: int = 0
    delays_h: list[float] = msgspec.field(default_factory=list)
    false: int = 0
    device_days: float = 0
    again: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.faults + other.faults,
            self.delays_h + other.delays_h,
            self.false + other.false,
            self.device_days + other.device_days,
            self.again + other.again,
        )

    @property
    def found(self) -> int:
        """Return how many faults were found."""
        return len(self.delays_h)

    @property
    def recall(self) -> float | None:
        """Return the share of the faults that were found; None when there were none."""
        return self.found / self.faults if self.faults else None

    @property
    def precision(self) -> float | None:
        """Return the share of the findings that were right; None when there were none."""
        return self.found / (self.found + self.false) if self.found + self.false else None

    @property
    def delay_h(self) -> float | None:
        """Return the median delay."""
        return median(self.delays_h) if self.delays_h else None

    @property
    def false_per_1000_device_days(self) -> float | None:
        """Return the rate of false alarms."""
        return 1_000 * self.false / self.device_days if self.device_days else None


def scores(
    things: Iterable[Thing], opened: Sequence[Opened], span_s: tuple[float, float]
) -> dict[tuple[str, str], Score]:
    """Return the score of each rule for each class; faults that differ in strength are classes of their own."""
    by_device: dict[str, list[Opened]] = {}
    for finding in opened:
        if finding.device_id is not None:
            by_device.setdefault(finding.device_id, []).append(finding)
    found: dict[tuple[str, str], Score] = {}
    for thing in things:
        group, findings = thing.traits.group, by_device.get(thing.device.id, [])
        sick_days = sum(episode.end_s - episode.start_s for episode in thing.episodes) / DAY_S
        well_days = (span_s[1] - span_s[0]) / DAY_S - sick_days
        for kind in {*RULES, *(finding.kind for finding in findings)} - _UNCOUNTED:
            score = found.setdefault((kind, group), Score())
            score.device_days += well_days
            score.false += sum(
                finding.kind == kind and not _is_explained(thing.episodes, finding.at_s) for finding in findings
            )
        for episode in thing.episodes:
            kind, _, strength = episode.kind.partition("_")
            _note(found.setdefault((kind, group), Score()), episode, findings)
            if strength:
                _note(found.setdefault((episode.kind, "all"), Score()), episode, findings)
    return found


def _note(score: Score, episode: Episode, findings: Sequence[Opened]) -> None:
    """Count a fault, and whether it was found."""
    kind = RULES[episode.kind.partition("_")[0]]
    found = [finding for finding in findings if finding.kind == kind and episode.covers(finding.at_s)]
    score.faults += 1
    score.delays_h += [(finding.at_s - episode.start_s) / HOUR_S for finding in found[:1]]
    score.again += len(found) - len({finding.subject for finding in found})


def _is_explained(episodes: Sequence[Episode], at_s: float) -> bool:
    return any(episode.start_s <= at_s < episode.end_s + _AFTER_S for episode in episodes)


class Aftermath(msgspec.Struct):
    """The findings of one disturbance: all of them, and those about single devices that have no fault."""

    kind: str
    findings: int
    about_single_devices: int
    kinds: list[str]


def unprovoked(disturbances: Sequence[Disturbance], opened: Iterable[Opened]) -> int:
    """Return how many findings name a common cause while there was none, such as a quiet house on a day out."""
    common = [finding for finding in opened if finding.device_id is None and finding.kind not in _UNCOUNTED]
    return sum(not any(disturbance.counts(finding.at_s) for disturbance in disturbances) for finding in common)


def aftermaths(
    things: Iterable[Thing],
    disturbances: Iterable[Disturbance],
    opened: Sequence[Opened],
    otherwise: Callable[[Disturbance], Iterable[Opened]] | None = None,
) -> list[Aftermath]:
    """Return what was said because of each disturbance, until a day after it.

    A false alarm may fall into that day by chance. Where single devices are named and ``otherwise`` is given, it must
    return what is found in the same home without the disturbance: what is found then too was not said because of it.
    """
    episodes = {thing.device.id: thing.episodes for thing in things}
    found = []
    for disturbance in disturbances:
        due = [
            finding
            for finding in opened
            if disturbance.counts(finding.at_s)
            and finding.kind not in _UNCOUNTED
            and not (finding.device_id and _is_explained(episodes.get(finding.device_id, ()), finding.at_s))
        ]
        if otherwise and any(finding.device_id for finding in due):
            anyway = {(each.kind, each.subject) for each in otherwise(disturbance) if disturbance.counts(each.at_s)}
            due = [finding for finding in due if (finding.kind, finding.subject) not in anyway]
        single = sum(finding.device_id is not None for finding in due)
        names = sorted(f"{finding.kind} {finding.subject}" for finding in due)
        found.append(Aftermath(disturbance.kind, len(due), single, names))
    return found
