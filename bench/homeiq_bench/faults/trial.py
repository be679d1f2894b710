"""A home lived through: everything that happens goes to the engine and to the baselines, in order of time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from homeiq_server.insights import engine, home
from homeiq_server.insights.finding import Condition

from .baselines import NAMES, Baselines
from .disturbances import TICK_S, Disturbance
from .homes import Home
from .ledger import GROUPS, Holding, Ledger
from .state_machine import StateMachine
from .things import BACK, CONSTANT, GONE, Command, Heard

SOURCE: Final = "simulated"
_AWAY: Final = ("restart", "power_cut")
_CHECKPOINT_S: Final = 600.0
_FIRST_STATES: Final = {**CONSTANT, "occupancy": "off", "contact": "off", "light": "off"}


class Course(msgspec.Struct, frozen=True):
    """What came of a trial: a ledger for ``homeiq`` and for each baseline."""

    home: Home
    disturbances: Sequence[Disturbance]
    ledgers: dict[str, Ledger]


class Trial:
    """One run. Every ``every_s`` simulated seconds, a multiple of five minutes, the conditions are evaluated.

    Attributes:
        checkpoint: What the engine wants to be kept, by key, as of the last ten minutes.
        ledgers: Of ``homeiq`` and of each baseline, until now.
    """

    def __init__(self, simulated: Home, disturbances: Sequence[Disturbance], every_s: float) -> None:
        self.home, self._disturbances, self._every_s = simulated, disturbances, every_s
        self._absences = [disturbance for disturbance in disturbances if disturbance.integrations]
        self._states = StateMachine(simulated.things, simulated.seed)
        self._baselines = Baselines(simulated.things, self._states.heard_s)
        self._placed = home.Home.of(simulated.rows)
        self._streams = 0
        self._engine = self._new_engine()
        self.checkpoint: dict[str, bytes] = {}
        self._later: list[Heard] = []
        self.ledgers = {name: Ledger() for name in ("homeiq", *NAMES)}

    def course(self) -> Course:
        """Return what has come of it until now."""
        return Course(self.home, self._disturbances, self.ledgers)

    def run(self, on_day: Callable[[int], object] = lambda _: None) -> None:
        """Live through all days."""
        calendar = self.home.household.calendar
        start_s, _ = self.home.span_s
        for thing in self.home.things:
            first = {entity.entity_id: _FIRST_STATES.get(name) for name, entity in thing.entities.items()}
            known = {entity_id: state for entity_id, state in first.items() if state is not None}
            self._states.take(start_s, thing.number, known)
        self._begin(start_s)
        tick_s = start_s
        for day in range(calendar.days):
            on_day(day)
            end_s = calendar.at(day + 1, 0)
            heard = self._heard(day, calendar.at(day, 0), end_s)
            place = 0
            while tick_s < end_s:
                tick_s += TICK_S
                before, place = place, _until(heard, place, tick_s)
                self._tick(heard[before:place], tick_s)
            self._later += heard[place:]

    def _heard(self, day: int, start_s: float, end_s: float) -> list[Heard]:
        heard, self._later = self._later, []
        for thing in self.home.things:
            heard += thing.day(day, start_s, end_s)
        for disturbance in self._disturbances:
            if disturbance.integrations and start_s <= disturbance.start_s < end_s:
                heard += self._absence(disturbance)
        heard.sort(key=lambda message: message[0])
        return heard

    def _absence(self, disturbance: Disturbance) -> Iterator[Heard]:
        for thing in self.home.things:
            if thing.device.integration in disturbance.integrations:
                yield disturbance.start_s, thing.number, GONE
                if not thing.episode("offline", disturbance.end_s):
                    yield disturbance.end_s, thing.number, BACK

    def _tick(self, heard: Sequence[Heard], now_s: float) -> None:
        """Let five minutes pass."""
        away = self._covering(now_s, _AWAY)
        for message in heard:
            at_s, number, states = message
            if away is not None and away.start_s <= at_s < away.end_s:
                if states is GONE or states is BACK:
                    self._later.append((max(at_s, away.end_s + TICK_S), number, states))
                continue
            if states is not BACK and states is not GONE and self._is_absent(number, at_s):
                continue
            self._states.take(*message)
        if away is not None:
            if away.end_s < now_s:
                self._begin(away.end_s)
                for message in sorted(self._states.restart(away.end_s), key=lambda message: message[0]):
                    self._states.take(*message)
            else:
                return
        self._tell(now_s)

    def _tell(self, now_s: float) -> None:
        """Let the app know, if it is there, and evaluate."""
        events = self._states.take_events()
        events.sort(key=lambda event: event.time_us)
        self._baselines.observe(events)
        if now_s % self._every_s == 0:
            for name, holding in self._baselines.holding(now_s).items():
                self.ledgers[name].update(now_s, holding)
        outage = self._covering(now_s, ("outage",))
        if outage is not None and now_s < outage.end_s:
            return
        if outage is not None:
            self._engine = self._new_engine()
            self._engine.restore(self.checkpoint.items())
        self._engine.observe(events if outage is None else ())
        self._engine.hear(self._states.poll(f"stream{self._streams}", now_s, self._commands(now_s)))
        if now_s % _CHECKPOINT_S == 0:
            self.checkpoint.update(self._engine.take_state())
        if now_s % self._every_s == 0:
            evaluation = self._engine.evaluate(int(now_s * 1e6))
            holding = (holding_of(condition) for condition in evaluation.conditions)
            self.ledgers["homeiq"].update(now_s, holding, settled=evaluation.settled)

    def _commands(self, now_s: float) -> list[Command]:
        """Take the commands that were asked until now."""
        found: list[Command] = []
        for thing in self.home.things:
            if thing.commands:
                found += (command for command in thing.commands if command[1] < now_s)
                thing.commands = [command for command in thing.commands if command[1] >= now_s]
        return found

    def _covering(self, now_s: float, kinds: Sequence[str]) -> Disturbance | None:
        """Return the disturbance that has a part of the five minutes before."""
        for disturbance in self._disturbances:
            if disturbance.kind in kinds and disturbance.start_s < now_s and disturbance.end_s > now_s - TICK_S:
                return disturbance
        return None

    def _is_absent(self, number: int, at_s: float) -> bool:
        """Return whether the device's integration is away, which then hears nothing of it."""
        integration = self.home.things[number].device.integration
        return any(
            disturbance.start_s <= at_s < disturbance.end_s and integration in disturbance.integrations
            for disturbance in self._absences
        )

    def _begin(self, at_s: float) -> None:
        self._streams += 1
        self._engine.begin(f"stream{self._streams}", int(at_s * 1e6))

    def _new_engine(self) -> engine.Engine:
        made = engine.Engine(SOURCE)
        made.place(self._placed)
        return made


def holding_of(condition: Condition) -> Holding:
    """Return what a condition says, and about which single device."""
    group = condition.kind in GROUPS or condition.subject_type in ("house", "integration", "config_entry")
    return Holding(str(condition.kind), condition.subject, None if group else condition.device_id or condition.subject)


def _until(heard: Sequence[Heard], place: int, end_s: float) -> int:
    while place < len(heard) and heard[place][0] < end_s:
        place += 1
    return place
