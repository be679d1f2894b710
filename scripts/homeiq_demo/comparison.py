"""Compares what Home Assistant says has happened with what the database holds."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from .database import Sample, kept, time_ms
from .rest import Json

NOTHING_TO_STORE = ("", "unknown", "unavailable")
WORDS = {
    "on": 1.0,
    "off": 0.0,
    "home": 1.0,
    "not_home": 0.0,
    "open": 1.0,
    "closed": 0.0,
    "locked": 1.0,
    "unlocked": 0.0,
}
WORDS |= {"above_horizon": 1.0, "below_horizon": 0.0}
FOLDED = "other"  # what VictoriaMetrics holds of an entity's further texts when it has had fifty
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome.

    Attributes:
        compared: How many states Home Assistant told of that have to be in the database.
        entities: Of how many entities.
        missing: Those that are not.
    """

    compared: int
    entities: int
    missing: tuple[Sample, ...]

    def __str__(self) -> str:
        """Say what was compared and what differs."""
        said = f"compared {self.compared} states of {self.entities} entities, each by value and millisecond: "
        if not self.missing:
            return said + "the database holds every one"
        lines = [f"  missing: {s.entity_id} = {s.state!r} at {s.time_ms} ms" for s in self.missing[:SHOWN]]
        return "\n".join([said + f"{len(self.missing)} are missing", *lines])


def expected(row: Json) -> Sample | None:
    """Return what the ``core`` schema stores of a state, or None when that is nothing."""
    text, at = row["state"], time_ms(datetime.fromisoformat(row["last_updated"]))
    if text in NOTHING_TO_STORE:
        return None
    try:
        number = WORDS[text] if text in WORDS else float(text)
    except ValueError:
        return Sample(row["entity_id"], at, text)
    return Sample(row["entity_id"], at, kept(number)) if math.isfinite(number) else None


def is_stored(sample: Sample, stored: Collection[Sample]) -> bool:
    """Return whether the database holds the state; of long texts VictoriaMetrics holds the beginning."""
    if isinstance(sample.state, float):
        return sample in stored
    return any(sample._replace(state=text) in stored for text in (sample.state, sample.state[:100], FOLDED))


def compare(rows: Iterable[Json], stored: Collection[Sample]) -> Comparison:
    """Look up each of Home Assistant's states among the stored ones.

    Two changes of one entity within a millisecond are one sample to VictoriaMetrics: the later stands.
    """
    newest = {(sample.entity_id, sample.time_ms): sample for row in rows if (sample := expected(row))}
    missing = tuple(sample for sample in newest.values() if not is_stored(sample, stored))
    return Comparison(len(newest), len({entity_id for entity_id, _ in newest}), missing)
