"""What became of commands: whether an entity that was asked to change did so, and how long that took.

Only what can be judged is: a call that names its entities, to a state that they do not have, for domains of things. It
is answered by a change of state that the call itself caused (the same context), or that brings what was asked for:
Home Assistant forgets the context of a call after five seconds, and a slow device answers later. A command that is
followed by another one to the same entity is not judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.const import ATTR_ENTITY_ID, EVENT_CALL_SERVICE, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CALLBACK_TYPE, Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event

from .time_us import time_us

PATIENCE_US: Final = 60_000_000
MOST_COMMANDS: Final = 1_000
"""Of what is asked at one time, and of what is told at one time; what is more is not judged."""

_MUTE: Final = frozenset({STATE_UNAVAILABLE, STATE_UNKNOWN})
_ON: Final = frozenset({"on", "heat", "cool", "heat_cool", "auto", "dry", "fan_only"})
_OFF: Final = frozenset({"off"})
_SWITCHED: Final = frozenset({"light", "switch", "fan", "climate", "humidifier", "siren", "remote"})
_WANTED: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    **{(domain, "turn_on"): _ON for domain in _SWITCHED},
    **{(domain, "turn_off"): _OFF for domain in _SWITCHED},
    ("cover", "open_cover"): frozenset({"open", "opening"}),
    ("cover", "close_cover"): frozenset({"closed", "closing"}),
    ("valve", "open_valve"): frozenset({"open", "opening"}),
    ("valve", "close_valve"): frozenset({"closed", "closing"}),
    ("lock", "lock"): frozenset({"locked", "locking"}),
    ("lock", "unlock"): frozenset({"unlocked", "unlocking"}),
    ("lock", "open"): frozenset({"open", "opening"}),
}

type Told = tuple[str, int, int | None]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command that may still be answered."""

    at_us: int
    context_id: str
    wanted: frozenset[str]
    stop: CALLBACK_TYPE = field(compare=False)


class Commands:
    """Listens to calls, and to the entities that they ask to change."""

    def __init__(self, hass: HomeAssistant) -> None:
        self._hass = hass
        self._asked: dict[str, _Asked] = {}
        self._told: list[Told] = []

    @callback
    def async_listen(self) -> CALLBACK_TYPE:
        """Follow the calls; returns how to stop."""
        stop_listening = self._hass.bus.async_listen(EVENT_CALL_SERVICE, self._async_on_call)

        @callback
        def stop() -> None:
            stop_listening()
            for entity_id in list(self._asked):
                self._forget(entity_id)

        return stop

    @callback
    def async_take(self, now_us: int) -> list[Told]:
        """Return entity, when it was asked, and when it answered: None for not within a minute."""
        for entity_id, asked in list(self._asked.items()):
            if now_us - asked.at_us > PATIENCE_US:
                self._settle(entity_id, None)
        told, self._told = self._told, []
        return told

    @callback
    def async_put_back(self, told: list[Told]) -> None:
        """Keep what could not be told for the next time."""
        self._told = [*told, *self._told][-MOST_COMMANDS:]

    @callback
    def _async_on_call(self, event: Event[Mapping[str, Any]]) -> None:
        domain, service = event.data["domain"], event.data["service"]
        for entity_id in _named(event.data["service_data"]):
            state = self._hass.states.get(entity_id)
            if state is None or state.domain != domain or state.state in _MUTE:
                continue
            if service == "toggle" and domain in _SWITCHED:
                wanted = _ON if state.state in _OFF else _OFF
            elif (wanted := _WANTED.get((domain, service), frozenset())) == frozenset():
                continue
            self._forget(entity_id)
            if state.state not in wanted and len(self._asked) < MOST_COMMANDS:
                self._ask(entity_id, event, wanted)

    def _ask(self, entity_id: str, event: Event[Mapping[str, Any]], wanted: frozenset[str]) -> None:
        stop = async_track_state_change_event(self._hass, entity_id, self._async_on_change)
        self._asked[entity_id] = _Asked(time_us(event.time_fired_timestamp), event.context.id, wanted, stop)

    @callback
    def _async_on_change(self, event: Event[EventStateChangedData]) -> None:
        entity_id, state = event.data["entity_id"], event.data["new_state"]
        if (asked := self._asked.get(entity_id)) is None or state is None or state.state in _MUTE:
            return
        if event.context.id == asked.context_id or state.state in asked.wanted:
            at_us = time_us(state.last_updated_timestamp)
            self._settle(entity_id, at_us if at_us - asked.at_us <= PATIENCE_US else None)

    def _settle(self, entity_id: str, answered_us: int | None) -> None:
        asked = self._asked[entity_id]
        self._forget(entity_id)
        if len(self._told) < MOST_COMMANDS:
            self._told.append((entity_id, asked.at_us, answered_us))

    def _forget(self, entity_id: str) -> None:
        if asked := self._asked.pop(entity_id, None):
            asked.stop()


def _named(service_data: Mapping[str, Any]) -> list[str]:
    """Return the entities that a call names; those of areas, devices or labels it does not name one by one."""
    named = service_data.get(ATTR_ENTITY_ID, ())
    if isinstance(named, str):
        named = [one.strip() for one in named.split(",")]
    return [one for one in named if isinstance(one, str)] if isinstance(named, (list, tuple, set)) else []
