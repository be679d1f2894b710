"""Builders of state changes, for tests that need no Home Assistant."""

from typing import Any

from homeassistant.core import Context, EventStateChangedData, State
from homeassistant.util import dt as dt_util

from custom_components.homeiq.wire import Change, as_change

NOON = 1_763_812_800.0


def change(  # noqa: PLR0913 - one for each part of a change
    number: int = 0,
    state: str | None = "on",
    *,
    entity_id: str = "light.kitchen",
    attributes: dict[str, Any] | None = None,
    previous: str | None = None,
    at: float | None = None,
) -> Change:
    """Return the change number ``number`` of a day, one a second from noon."""
    fired = NOON + number if at is None else at
    before = dt_util.utc_from_timestamp(fired - 60)
    data = EventStateChangedData(
        entity_id=entity_id,
        old_state=None if previous is None else State(entity_id, previous, attributes, last_changed=before),
        new_state=None if state is None else State(entity_id, state, attributes),
    )
    return as_change(data, Context(), fired)
