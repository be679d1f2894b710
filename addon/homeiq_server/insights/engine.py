"""The insights of one source: it takes what is heard, and says what holds.

Every event costs a fixed and small amount of work, every tracked entity a fixed and small amount of memory. What is
remembered survives a restart as a checkpoint of the tracks that changed.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from homeiq_server.insights import drift, drops, hygiene
from homeiq_server.insights.clock import Clock
from homeiq_server.insights.commands import Commands
from homeiq_server.insights.drops import Drop
from homeiq_server.insights.finding import Condition, Evaluation, Facts, Hour, Report
from homeiq_server.insights.flapping import Flapping
from homeiq_server.insights.grouping import Groups
from homeiq_server.insights.hearing import Hearing
from homeiq_server.insights.home import Home
from homeiq_server.insights.hours import Hours
from homeiq_server.insights.judge import judge, states
from homeiq_server.insights.roster import FORMAT, Roster
from homeiq_server.insights.words import DAY_S, HOUR_S, MICROSECONDS
from homeiq_server.model import Event

_DAY_US: Final = int(DAY_S) * MICROSECONDS
_HOUR_US: Final = int(HOUR_S) * MICROSECONDS
_WHOLE_DAY_S: Final = 12 * HOUR_S
"""A day's mean needs half a day of values."""


class State(msgspec.Struct, array_like=True):
    """What is remembered beside the tracks."""

    format: int = FORMAT
    stream: str = ""
    day: int = 0
    clock: Clock = msgspec.field(default_factory=Clock)
    groups: Groups = msgspec.field(default_factory=Groups)
    drops: list[Drop] = []
    failing: dict[str, int] = {}
    """Since when config entries do not run, by id."""
    untidy: dict[str, int] = {}
    """Since when something is untidy, by kind and subject."""


class Engine:
    """The rules over one Home Assistant. Times at its border are microseconds by the source's clock.

    Attributes:
        source: The Home Assistant.
    """

    def __init__(self, source: str, *, limit: int = 50_000) -> None:
        self.source = source
        self._state = State()
        self._clock = self._state.clock
        self._roster = Roster(limit)
        self._hours = Hours()
        self._hearing = Hearing(self._roster, self._hours, self._clock, self._state.drops)
        self._told = 0
        self._tidied: tuple[Home, int, tuple[Condition, ...]] | None = None
        self._identified: tuple[Home, dict[tuple[str, ...], str]] | None = None

    @property
    def tracked(self) -> int:
        """How many entities are remembered."""
        return len(self._roster)

    @property
    def evicted(self) -> int:
        """How many entities were forgotten because there were more than the limit."""
        return self._roster.evicted

    @property
    def skipped(self) -> int:
        """How many states of a checkpoint could not be read."""
        return self._roster.skipped

    def place(self, home: Home) -> None:
        """Take the registries, again at each change."""
        self._roster.place(home)

    def begin(self, stream: str, at_us: int) -> None:
        """Take note of another run of the source's forwarder: what is published now is old."""
        if stream == self._state.stream:
            return
        self._state.stream = stream
        self._state.drops.clear()
        self._clock.begin(at_us)

    def observe(self, events: Sequence[Event]) -> None:
        """Take events, about in order of time."""
        self._hearing.events(events)

    def hear(self, report: Report) -> None:
        """Take what the source tells every five minutes."""
        self.begin(report.stream, report.at_us)
        clock, roster = self._clock, self._roster
        clock.advance(report.at_us)
        clock.reported_us = max(clock.reported_us, report.at_us)
        roster.touch += 1
        for entity_id, at_us in report.reported.items():
            if at_us <= report.at_us:
                self._hearing.report(entity_id, at_us)
        for entity_id, asked_us, answered_us in report.commands:
            seat = roster.seat(entity_id)
            if seat is not None and seat.device is not None:
                track = seat.device.track
                track.commands = track.commands or Commands()
                answered_s = None if answered_us is None else answered_us / MICROSECONDS
                track.commands.asked(asked_us / MICROSECONDS, answered_s)
                seat.device.touch = roster.touch

    def sight(self, identifier: tuple[str, str], at_us: int, link_quality: int | None) -> None:
        """Take that a hub has heard the device with this identifier, and how well (LQI, 0 to 255)."""
        home = self._roster.home
        if self._identified is None or self._identified[0] is not home:
            self._identified = (home, {each[:2]: device.id for device in home.wholes for each in device.identifiers})
        seat = self._roster.devices.get(self._identified[1].get(identifier, ""))
        if seat is not None:
            self._roster.touch += 1
            self._hearing.sight(seat, at_us, link_quality)

    def evaluation(self, now_us: int) -> Generator[None, None, Evaluation]:
        """Evaluate everything, in steps between which an event loop can go on."""
        self._count_drops()
        self._end_day()
        untidy = [*self._tidy(now_us), *self._failed(now_us)]
        return (yield from judge(self._roster, self._clock, self._state.groups, untidy, now_us))

    def evaluate(self, now_us: int) -> Evaluation:
        """Evaluate everything at once."""
        steps = self.evaluation(now_us)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                evaluation: Evaluation = end.value
                return evaluation

    def facts(self, device_id: str) -> Facts | None:
        """Return what was measured of a device last, or None when it was never heard."""
        seat = self._roster.devices.get(self._roster.home.owner(device_id))
        return None if seat is None else seat.track.facts()

    def take_changed_facts(self) -> dict[str, Facts]:
        """Return the facts of the devices that were heard since they were last taken, by device."""
        since, self._told = self._told, self._roster.touch
        self._roster.touch += 1
        return {id_: seat.track.facts() for id_, seat in self._roster.devices.items() if seat.touch > since}

    def take_hours(self) -> list[Hour]:
        """Return the rollups of what came since they were last taken."""
        return self._hours.take()

    def give_back_hours(self, hours: Sequence[Hour]) -> None:
        """Take rollups back that could not be stored."""
        self._hours.give_back(hours)

    def take_state(self) -> Iterator[tuple[str, bytes]]:
        """Yield what changed since the last checkpoint, by key; the engine's own state has the key ``""``."""
        yield "", msgspec.msgpack.encode(self._state)
        yield from self._roster.take_state()

    def restore(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Take a checkpoint, before the first event."""
        for key, state in states:
            if key:
                self._roster.restore(key, state)
            else:
                self._restore(state)
        self._roster.restored()

    def forget(self, count: int) -> None:
        """Forget so many entities, the least recently heard first."""
        self._roster.forget(count)

    def _restore(self, state: bytes) -> None:
        try:
            restored = msgspec.msgpack.decode(state, type=State)
        except msgspec.MsgspecError:
            self._roster.skipped += 1
            return
        if restored.format != FORMAT:
            self._roster.skipped += 1
            return
        self._state, self._clock = restored, restored.clock
        self._hearing.clock, self._hearing.drops = restored.clock, restored.drops

    def _count_drops(self) -> None:
        for drop in drops.settle(self._state.drops, self._roster.home, self._clock.now_s):
            device = self._roster.devices.get(drop.device_id)
            if device is not None:
                device.track.flapping = device.track.flapping or Flapping(at_s=drop.at_s)
                device.track.flapping.drop(drop.at_s, drop.at_us)
                device.touch = self._roster.touch

    def _end_day(self) -> None:
        """Give the means of the day that has ended to the drift rule."""
        day = self._clock.latest_us // _DAY_US
        if day == self._state.day:
            return
        ended, self._state.day = self._state.day, day
        at_s = day * DAY_S
        means, seats = {}, {}
        for seat in self._roster.seats.values():
            if seat.track.day is not None and seat.track.drift is not None:
                mean, held_s = seat.track.day.close(at_s)
                seat.touch = self._roster.touch
                if ended and held_s >= _WHOLE_DAY_S:
                    means[seat.entity.id], seats[seat.entity.id] = mean, seat
        for id_, residual in drift.residuals(means, self._roster.home.peers).items():
            track = seats[id_].track
            if track.drift is not None:
                track.drift.day(residual, at_s)

    def _failed(self, now_us: int) -> Iterator[Condition]:
        """Yield the config entries that have not run for long enough to speak of it."""
        home, before = self._roster.home, self._state.failing
        self._state.failing = {entry_id: before.get(entry_id, now_us) for entry_id in hygiene.failing(home)}
        return hygiene.failed(home, self._state.failing, now_us)

    def _tidy(self, now_us: int) -> Sequence[Condition]:
        """Return what is untidy; looked up again when the registries have changed, else once an hour."""
        home = self._roster.home
        if self._tidied is None or self._tidied[0] is not home or now_us - self._tidied[1] > _HOUR_US:
            found = hygiene.lasting(
                hygiene.conditions(home, self.source, now_us, *states(self._roster)), self._state.untidy
            )
            self._tidied = (home, now_us, tuple(found))
        return self._tidied[2]
