"""Messages that came together, with what has become of each so far."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from homeiq_server.errors import RetryLater

from .case import Case
from .message import COUNTED_ONLY, Accepted, Inbound, Outcome, Refused

_WEIGHT_BYTES: Final = 1024


class Parcel:
    """Messages in the order in which they came.

    Attributes:
        cases: One for each message.
        outcomes: Of each: None while it is not decided; ``RetryLater`` when it could not be, or could not be kept.
    """

    __slots__ = ("cases", "outcomes")

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases
        self.outcomes: list[Outcome | RetryLater | None] = [None] * len(cases)

    def undecided(self) -> dict[str, list[int]]:
        """Return the places of those that the store has to be asked about, by tenant."""
        places: dict[str, list[int]] = {}
        if None in self.outcomes:
            for place, outcome in enumerate(self.outcomes):
                if outcome is None and (address := self.cases[place].address):
                    places.setdefault(address.tenant_id, []).append(place)
        return places

    def fail(self, places: Iterable[int], err: RetryLater) -> None:
        """Note that messages cannot be kept now."""
        for place in places:
            self.outcomes[place] = err

    def failed(self) -> Iterator[tuple[Case, RetryLater]]:
        """Yield those that cannot be kept now."""
        for case, outcome in zip(self.cases, self.outcomes, strict=True):
            if isinstance(outcome, RetryLater):
                yield case, outcome

    def results(self) -> list[Outcome | RetryLater]:
        """Return the outcomes, once there is one for each."""
        return [outcome for outcome in self.outcomes if outcome is not None]


class Part:
    """Decided messages of a parcel, which are kept together: all or none.

    Attributes:
        places: Where in the parcel they are.
        accepted: Those that were taken.
        refused: Those that were not.
        weight: How much it is: a message, and each kibibyte of it, count 1.
    """

    __slots__ = ("accepted", "places", "refused", "weight")

    def __init__(self, parcel: Parcel, places: Sequence[int]) -> None:
        self.places = places
        self.accepted: list[Accepted] = []
        self.refused: list[tuple[Inbound, Refused]] = []
        self.weight = len(places)
        for place in places:
            message, outcome = parcel.cases[place].message, parcel.outcomes[place]
            self.weight += len(message.payload) // _WEIGHT_BYTES
            if isinstance(outcome, Accepted):
                self.accepted.append(outcome)
            elif isinstance(outcome, Refused):
                self.refused.append((message, outcome))

    def quarantined(self) -> list[tuple[Inbound, Refused]]:
        """Return those that are refused and more than counted."""
        return [each for each in self.refused if each[1].reason not in COUNTED_ONLY]
