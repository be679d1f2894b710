"""Builders of state changes, for tests that need no Home Assistant."""

from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, State
from homeassistant.util import dt as dt_util

from custom_components.homeiq.wire import Change, as_change

NOON = 1_763_812_800.0


def change(number: int = 0, state: str | None = "on", **parts: Any) -> Change:  # noqa: ANN401 - see ``event``
    """Return the change number ``number`` of a day, one a second from noon, as the buffer holds it."""
    return as_change(event(number, state, **parts))


def event(  # noqa: PLR0913 - one for each part of a change
    number: int = 0,
    state: str | None = "on",
    *,
    entity_id: str = "light.kitchen",
    attributes: dict[str, Any] | None = None,
    previous: str | None = None,
    at: float | None = None,
) -> Event[EventStateChangedData]:
    """Return the same as it comes over the event bus."""
    fired = NOON + number if at is None else at
    moment = dt_util.utc_from_timestamp(fired)
    old = dt_util.utc_from_timestamp(fired - 60)

    def made(text: str, when: Any) -> State:  # noqa: ANN401 - a datetime, which freezegun subclasses
        return State(entity_id, text, attributes, last_changed=when, last_updated=when)

    data = EventStateChangedData(
        entity_id=entity_id,
        old_state=None if previous is None else made(previous, old),
        new_state=None if state is None else made(state, moment),
    )
    return Event(EVENT_STATE_CHANGED, data, time_fired_timestamp=fired)
