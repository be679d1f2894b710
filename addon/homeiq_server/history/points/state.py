"""What the text of a state means; the rules are those of Home Assistant's ``influxdb`` integration."""

import math
from typing import Final, Literal, NamedTuple

type Kind = Literal["number", "word", "text", "gap"]
"""``word``: a text with an agreed number, such as ``on``; ``gap``: the state is not known."""

MAX_STATE_LENGTH: Final = 255
"""In characters; Home Assistant's own limit."""

# Source: homeassistant.helpers.state.state_as_number.
_WORDS: Final = dict.fromkeys(("on", "locked", "above_horizon", "open", "home"), 1.0) | dict.fromkeys(
    ("off", "unlocked", "below_horizon", "closed", "not_home"), 0.0
)
GAPS: Final[dict[str, str]] = {"": "state empty", "unknown": "state unknown", "unavailable": "state unavailable"}
"""States that say nothing, with the reason for which they are skipped."""
NO_FINITE_VALUE: Final = "no finite value"
"""The reason for which a state such as ``nan`` is skipped when its attributes have nothing to store either."""


class Reading(NamedTuple):
    """A state, read.

    Attributes:
        kind: How it is stored.
        number: Its number, or None when it has none that is finite.
    """

    kind: Kind
    number: float | None


def read(state: str) -> Reading:
    """Tell what a state is."""
    if state in GAPS:
        return Reading("gap", None)
    if (number := _WORDS.get(state)) is not None:
        return Reading("word", number)
    try:
        number = float(state)
    except ValueError:
        return Reading("text", None)
    return Reading("number", number if math.isfinite(number) else None)
