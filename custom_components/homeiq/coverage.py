"""What the app does not have of this Home Assistant's changes, as it says itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A stretch of time; changes at its two ends may be missing too.

    Attributes:
        start_us: Its first instant.
        end_us: Its last instant.
        events: How many changes are missing in it, or None when nobody counted.
    """

    start_us: int
    end_us: int
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """What ``GET /api/v1/gaps`` answered.

    Attributes:
        since_us: The beginning of what the app has; None when it has nothing.
        missing: The stretches that it does not know to have, those before the beginning among them.
    """

    since_us: int | None
    missing: tuple[Stretch, ...]

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read an answer.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is none.
        """
        since = answer["covered_since_us"]
        return cls(None if since is None else int(since), tuple(map(_stretch, answer["uncovered"])))

    def before(self) -> list[Stretch]:
        """Return what was before the beginning: nobody has lost it."""
        if (since_us := self.since_us) is None:
            return joined(self.missing)
        earlier = (one for one in self.missing if one.start_us < since_us)
        return joined(Stretch(one.start_us, min(one.end_us, since_us)) for one in earlier)

    def gaps(self) -> list[Stretch]:
        """Return what is missing since the beginning: what was lost on the way."""
        if (since_us := self.since_us) is None:
            return []
        later = (one for one in self.missing if one.end_us > since_us)
        return joined(Stretch(max(one.start_us, since_us), one.end_us, one.events) for one in later)


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the same instants in as few stretches as possible, in order, so that none is read twice."""
    found: list[Stretch] = []
    for one in sorted(stretches, key=lambda stretch: stretch.start_us):
        if found and one.start_us <= found[-1].end_us:
            last = found.pop()
            events = None if last.events is None or one.events is None else last.events + one.events
            one = Stretch(last.start_us, max(last.end_us, one.end_us), events)  # noqa: PLW2901 - it took in the last
        found.append(one)
    return found


def _stretch(answer: Any) -> Stretch:  # noqa: ANN401 - any JSON value
    start_us, end_us, events = int(answer["start_us"]), int(answer["end_us"]), answer["events"]
    if end_us < start_us:
        raise ValueError("a stretch ends before it starts")
    return Stretch(start_us, end_us, None if events is None else int(events))
