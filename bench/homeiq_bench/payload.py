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

    def __init__(self, seed: int, start_us: int, *, every_us: int | None = None) -> None:
        """Begin at ``start_us``; the events are ``every_us`` apart, or at irregular times."""
        self._every_us = every_us
        self._chance = random.Random(seed)  # noqa: S311  # a repeatable choice, no secret
        self._time_us = start_us
        self._states = {entity_id: (state, attributes) for entity_id, state, attributes in recorded_states()}
        self._entities = list(self._states)

    def events(self, count: int) -> list[list[object]]:
        """Return ``count`` event arrays, in the order of their times."""
        return [self._event() for _ in range(count)]

    def encoded(self, count: int) -> bytes:
        """Return the same as JSON."""
        return json.dumps(self.events(count), ensure_ascii=False, separators=(",", ":")).encode()

    def _event(self) -> list[object]:
        entity_id = self._chance.choice(self._entities)
        previous, attributes = self._states[entity_id]
        state = self._next(previous)
        self._states[entity_id] = (state, attributes)
        before_us = self._time_us
        self._time_us += self._every_us or self._chance.randrange(_SHORTEST_CHANGE_US, 20 * _SHORTEST_CHANGE_US)
        context = f"{self._chance.getrandbits(128):032X}"[:26]
        return [entity_id, state, attributes, previous, before_us, self._time_us, context, None]

    def _next(self, state: str) -> str:
        try:
            number = float(state)
        except ValueError:
            return {"on": "off", "off": "on"}.get(state, state)
        return f"{number + self._chance.uniform(-0.5, 0.5):.2f}"


def recorded_lines(seed: int, start_ns: int, *, requests: int, lines: int, attributes: bool) -> list[bytes]:
    """Return bodies of line protocol made of the recorded states, each line at a nanosecond of its own.

    Args:
        seed: The same makes the same lines.
        start_ns: The time of the first.
        requests: How many bodies.
        lines: Of each.
        attributes: Whether a line has all that core's integration writes; else a number and two tags, as most writers
            send it.
    """
    chance = random.Random(seed)  # noqa: S311  # a repeatable choice, no secret
    heads = [_head(*state, attributes_too=attributes) for state in recorded_states()]
    numbers = iter(range(start_ns, start_ns + requests * lines))
    return [
        b"\n".join(
            f"{chance.choice(heads)}value={chance.uniform(-20, 3000):.2f} {next(numbers)}".encode()
            for _ in range(lines)
        )
        for _ in range(requests)
    ]


def _head(entity_id: str, _: str, attributes: dict[str, object], *, attributes_too: bool) -> str:
    """Return a line up to its value."""
    domain, _, name = entity_id.partition(".")
    measurement = str(attributes.get("unit_of_measurement", entity_id)).replace(" ", r"\ ").replace(",", r"\,")
    fields = [_field(key, value) for key, value in attributes.items()] if attributes_too else []
    return f"{measurement},domain={domain},entity_id={name} " + "".join(fields)


def _field(key: str, value: object) -> str:
    if isinstance(value, int | float):
        return f"{key}={float(value)},"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}_str="{text}",'
