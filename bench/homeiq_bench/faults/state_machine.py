"""What Home Assistant makes of messages: state changes for the stream, and times of reports for the poll.

An integration that writes states although they have not changed moves their time of report only; those of MQTT write
changes alone. An entity that becomes available again has the state that it had. After a restart all states are gone:
each entity appears as unavailable and then with its old state, within a minute, except those of devices that must
first wake up by themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from random import Random

import msgspec

from homeiq_server.insights.finding import Report
from homeiq_server.model import Event

from .things import BACK, GONE, Heard, Thing

_UNAVAILABLE = "unavailable"


class _State(msgspec.Struct):
    state: str
    changed_us: int


class StateMachine:
    """The states of a home.

    Attributes:
        events: State changes that nobody has taken yet.
        heard_s: When a device was last seen to speak of itself, by its id.
    """

    def __init__(self, things: Sequence[Thing], seed: str) -> None:
        self._things = things
        self._chance = Random(f"{seed} states")  # noqa: S311
        self._states: dict[str, _State] = {}
        self._good: dict[str, str] = {}
        self._absent: set[int] = set()
        self._reported: dict[str, int] = {}
        self._attributes = {
            entity.entity_id: msgspec.Raw(
                msgspec.json.encode(
                    {
                        name: value
                        for name, value in (
                            ("state_class", entity.state_class),
                            ("unit_of_measurement", entity.unit),
                            ("device_class", entity.device_class),
                            ("friendly_name", entity.name),
                        )
                        if value
                    }
                )
            )
            for thing in things
            for entity in thing.entities.values()
        }
        self.events: list[Event] = []
        self.heard_s: dict[str, float] = {}

    def take(self, at_s: float, number: int, states: Mapping[str, str]) -> None:
        """Take one message."""
        thing, at_us = self._things[number], int(at_s * 1e6)
        if states is GONE:
            self._absent.add(number)
            for entity in thing.entities.values():
                self._write(entity.entity_id, _UNAVAILABLE, at_us, repeats=False)
            return
        if number in self._absent or states is BACK:
            self._absent.discard(number)
            for entity in thing.entities.values():
                if (good := self._good.get(entity.entity_id)) is not None:
                    self._write(entity.entity_id, good, at_us, repeats=False)
        for entity_id, state in states.items() if states is not BACK else ():
            self._good[entity_id] = state
            if self._write(entity_id, state, at_us, repeats=thing.traits.repeats):
                self.heard_s[thing.device.id] = at_s

    def restart(self, at_s: float) -> list[Heard]:
        """Forget all states, as a start at ``at_s`` does, and return what comes back by itself within a minute."""
        self._states.clear()
        back: list[Heard] = []
        for thing in self._things:
            for entity in thing.entities.values():
                if entity.entity_id in self._good:
                    self._write(entity.entity_id, _UNAVAILABLE, int(at_s * 1e6), repeats=False)
            if thing.number not in self._absent and not thing.traits.wakes:
                back.append((at_s + self._chance.uniform(1, 60), thing.number, BACK))
        self._absent |= {thing.number for thing in self._things if thing.traits.wakes}
        return back

    def take_events(self) -> list[Event]:
        """Return what has changed since the last call, in order of time."""
        events, self.events = self.events, []
        return events

    def poll(self, stream: str, at_s: float, commands: Iterable[tuple[str, float, float | None]]) -> Report:
        """Return what the integration tells every five minutes."""
        reported, self._reported = self._reported, {}
        told = tuple(
            (entity_id, int(asked_s * 1e6), None if answered_s is None else int(answered_s * 1e6))
            for entity_id, asked_s, answered_s in commands
        )
        return Report(stream=stream, at_us=int(at_s * 1e6), reported=reported, commands=told)

    def _write(self, entity_id: str, state: str, at_us: int, *, repeats: bool) -> bool:
        """Write a state, and return whether that shows outside."""
        known = self._states.get(entity_id)
        if known is None:
            self._states[entity_id] = _State(state, at_us)
            self._tell(entity_id, state, None, None, at_us)
        elif known.state != state:
            self._tell(entity_id, state, known.state, known.changed_us, at_us)
            known.state, known.changed_us = state, at_us
        elif repeats:
            self._reported[entity_id] = at_us
        else:
            return False
        return True

    def _tell(self, entity_id: str, state: str, previous: str | None, previous_us: int | None, at_us: int) -> None:
        self._reported[entity_id] = at_us
        self.events.append(
            Event(entity_id, state, self._attributes[entity_id], previous, previous_us, at_us, entity_id, None)
        )
