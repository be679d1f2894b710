"""Events to send: a recorded mix of real Home Assistant states, changed a little each time."""

import json
import random
from pathlib import Path

_FOLDER = Path(__file__).parent / "payload"
_SHORTEST_CHANGE_US = 1_000

type Recorded = tuple[str, str, dict[str, object]]


def recorded_states() -> list[Recorded]:
    """Return ``(entity_id, state, attributes)`` of every recorded entity: the demo's and some real homes'."""
    states: dict[str, Recorded] = {}
    for path in sorted(_FOLDER.glob("*.json")):
        states |= {recorded[0]: tuple(recorded) for recorded in json.loads(path.read_text())}
    return list(states.values())


class EventStream:
    """Makes wire events that look like those of one busy home; the same seed makes the same events."""

    def __init__(self, seed: int, start_us: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  # a repeatable choice, no secret
        self._time_us = start_us
        self._states = {entity_id: (state, attributes) for entity_id, state, attributes in recorded_states()}
        self._entities = list(self._states)

    def events(self, count: int) -> list[list[object]]:
        """Return ``count`` event arrays, in the order of their times."""
        return [self._event() for _ in range(count)]

    def _event(self) -> list[object]:
        entity_id = self._chance.choice(self._entities)
        previous, attributes = self._states[entity_id]
        state = self._next(previous)
        self._states[entity_id] = (state, attributes)
        before_us = self._time_us
        self._time_us += self._chance.randrange(_SHORTEST_CHANGE_US, 20 * _SHORTEST_CHANGE_US)
        context = f"{self._chance.getrandbits(128):032X}"[:26]
        return [entity_id, state, attributes, previous, before_us, self._time_us, context, None]

    def _next(self, state: str) -> str:
        try:
            number = float(state)
        except ValueError:
            return {"on": "off", "off": "on"}.get(state, state)
        return f"{number + self._chance.uniform(-0.5, 0.5):.2f}"
