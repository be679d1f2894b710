"""What is learned from each event and each time of a report. Every event of a home comes through here."""

from collections.abc import Sequence
from typing import Final

from homeiq_server.insights import drops
from homeiq_server.insights.clock import Clock
from homeiq_server.insights.drops import Drop
from homeiq_server.insights.hours import Hours
from homeiq_server.insights.roster import Roster
from homeiq_server.insights.silent import TOGETHER_S
from homeiq_server.insights.track import DeviceSeat, Seat
from homeiq_server.insights.words import MICROSECONDS
from homeiq_server.model import Event

UNAVAILABLE: Final = "unavailable"
UNKNOWN: Final = "unknown"
NO_VALUE: Final = frozenset({None, UNAVAILABLE, UNKNOWN})
_TOGETHER_US: Final = int(TOGETHER_S) * MICROSECONDS


class Hearing:
    """Takes what is heard by the clock of the source into the tracks and the hours.

    Attributes:
        clock: Whether and when it is heard.
        drops: Devices that have become unavailable, until it is known whether others did as well.
    """

    def __init__(self, roster: Roster, hours: Hours, clock: Clock, drops: list[Drop]) -> None:
        self.clock = clock
        self.drops = drops
        self._roster = roster
        self._hours = hours

    def events(self, events: Sequence[Event]) -> None:  # noqa: C901, PLR0912  # hot: calls cost
        """Take events, about in order of time."""
        if not events:
            return
        clock, roster, no_value, hours = self.clock, self._roster, NO_VALUE, self._hours
        roster.touch += 1
        touch, seats = roster.touch, roster.seats
        begin_us, end_us, lost_us = clock.steady()
        for event in events:
            time_us = event.time_us
            if begin_us <= time_us <= end_us:
                at_s = (time_us - lost_us) * 1e-6
            else:
                at_s = clock.advance(time_us)
                begin_us, end_us, lost_us = clock.steady()
            seat = seats.get(event.entity_id) or roster.seat(event.entity_id)
            if seat is None:
                continue
            seat.touch = touch
            track, state, previous = seat.track, event.state, event.previous
            if time_us > track.heard_us:  # noqa: PLR1730  # hot: max() is slower
                track.heard_us = time_us
            if state in no_value or previous in no_value or track.away_s is not None:
                if not self._turn(seat, event, at_s):
                    continue
            elif (device := seat.speaks_for) is not None and time_us - device.track.seen_us >= _TOGETHER_US:
                device.touch = touch
                if seat.of_people or (silence := device.track.silence) is None:
                    self._speak(device, time_us, at_s, set_off=seat.role.set_off)
                else:
                    device.track.seen_us = time_us
                    silence.speak(at_s)
            if seat.numeric:
                seat.measure(state or "", time_us, state != previous, hours)
            elif seat.role.worded:
                seat.note(state, time_us)
        clock.advance(events[-1].time_us)

    def report(self, entity_id: str, at_us: int) -> None:
        """Take that an entity has reported the value that it has."""
        roster = self._roster
        seat = roster.seat(entity_id)
        if seat is None or at_us <= seat.track.heard_us or seat.track.away_s is not None:
            return
        seat.track.heard_us = at_us
        seat.touch = roster.touch
        if self.clock.restarting(at_us):
            return
        if seat.track.stuck is not None:
            seat.track.stuck.report(at_us * 1e-6, False)
        device = seat.speaks_for
        if device is not None:
            device.track.reported_us = max(device.track.reported_us, at_us)
            self._speak(device, at_us, self.clock.read(at_us), set_off=False)

    def sight(self, device: DeviceSeat, at_us: int, link_quality: int | None) -> None:
        """Take that a device's hub has heard it, and how well."""
        track = device.track
        if link_quality is not None:
            track.connect(at_us * 1e-6, float(link_quality))
            device.touch = self._roster.touch
        if at_us - max(track.seen_us, track.reported_us) < _TOGETHER_US or track.away_s is not None:
            return
        track.reported_us = at_us
        if not self.clock.restarting(at_us):
            self._speak(device, at_us, self.clock.read(at_us), set_off=False)

    def _speak(self, device: DeviceSeat, time_us: int, at_s: float, *, set_off: bool) -> None:
        """Take a sign of life of a device, which somebody has set off or not."""
        activity = self.clock.activity
        if set_off:
            activity.advance(at_s)
        device.touch = self._roster.touch
        device.track.speak(time_us, at_s, activity.read(at_s) if device.by_people else None)

    def _turn(self, seat: Seat, event: Event, at_s: float) -> bool:
        """Take a change from or to no value; return whether a fresh value came."""
        track, device = seat.track, seat.device
        restarting = self.clock.restarting(event.time_us)
        was_away, track.away_s = track.away_s is not None, None
        track.gone = event.state is None
        if event.state == UNAVAILABLE:
            track.away_s = at_s
        if device is not None:
            self._attend(seat, device, event.time_us, at_s, restarting=restarting)
        if event.state in NO_VALUE:
            return False
        if restarting:
            seat.know(event.state or "")
            return seat.role.worded
        if seat.speaks_for is not None and event.previous == UNKNOWN and not was_away:
            self._speak(seat.speaks_for, event.time_us, at_s, set_off=seat.role.set_off)
        return True

    def _attend(self, seat: Seat, device: DeviceSeat, time_us: int, at_s: float, *, restarting: bool) -> None:
        """Find whether a device is unavailable, after one of its entities has become so or has come back."""
        vital = self._roster.vital(device.device)
        if seat.entity.entity_id not in vital:
            return
        found = [self._roster.seats.get(each) for each in vital]
        away = any(each is not None and each.track.away_s is not None for each in found) and all(
            each is not None and (each.track.away_s is not None or each.track.gone) for each in found
        )
        track = device.track
        device.touch = self._roster.touch
        if away and track.away_s is None:
            track.away_s, track.away_us, track.away_by_start = at_s, time_us, restarting
            if track.lull is not None:
                track.lull.away_s = self.clock.activity.read(at_s)
            if not restarting and len(self.drops) < drops.MOST:
                self.drops.append(Drop(at_s, time_us, device.device.id))
        elif not away and track.away_s is not None:
            if track.silence is not None:
                track.silence.skip(max(0.0, at_s - track.away_s))
            if track.lull is not None:
                track.lull.come_back(self.clock.activity.read(at_s))
            track.away_s, track.away_us = None, 0
