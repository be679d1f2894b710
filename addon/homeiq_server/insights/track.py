"""What is remembered of each entity and each device. Each is one msgspec struct, so that a checkpoint is one call."""

from typing import Final

import msgspec

from homeiq_server.insights.activity import Lull
from homeiq_server.insights.battery import Battery
from homeiq_server.insights.commands import Commands
from homeiq_server.insights.drift import Drift
from homeiq_server.insights.energy import Energy
from homeiq_server.insights.finding import Facts
from homeiq_server.insights.flapping import Flapping
from homeiq_server.insights.hours import Hours, Sum
from homeiq_server.insights.impossible import Values
from homeiq_server.insights.link import Link
from homeiq_server.insights.role import Role
from homeiq_server.insights.silent import REPORTS, TOGETHER_S, Silence
from homeiq_server.insights.slots import quick
from homeiq_server.insights.stuck import Stuck
from homeiq_server.registry import Device, Entity

_LINK_STEP_S: Final = 60.0
_DAY_STEP_US: Final = 900_000_000
_ENERGY_STEP_US: Final = 10_000_000
"""Slow rules need no more than one value in this time; a power that is read so often is summed up well enough."""


@quick
class Day(msgspec.Struct, array_like=True, gc=False):
    """The mean of a day, weighted by how long each value held. Times by the source's clock, in seconds."""

    value: float
    at_s: float
    area: float = 0.0
    held_s: float = 0.0

    def take(self, at_s: float, value: float) -> None:
        """Let the value before have held until now."""
        held_s = at_s - self.at_s
        if held_s > 0.0:
            self.area += self.value * held_s
            self.held_s += held_s
            self.at_s = at_s
        self.value = value

    def close(self, at_s: float) -> tuple[float, float]:
        """Return the mean and how long it was measured for, in seconds, and begin again."""
        self.take(at_s, self.value)
        mean, held_s = (self.area / self.held_s if self.held_s else self.value), self.held_s
        self.area = self.held_s = 0.0
        return mean, held_s


@quick
class Track(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of one entity. What does not apply to it is None.

    Attributes:
        heard_us: When it last reported, changed or not.
        away_s: Since when it is unavailable, in observed seconds.
        gone: Home Assistant has removed its state.
        state: Its present state, where that is asked for.
        state_us: When that was entered.
    """

    heard_us: int = 0
    away_s: float | None = None
    gone: bool = False
    state: str | None = None
    state_us: int = 0
    stuck: Stuck | None = None
    values: Values | None = None
    day: Day | None = None
    drift: Drift | None = None
    link: Link | None = None
    energy: Energy | None = None
    battery: Battery | None = None


@quick
class DeviceTrack(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of one device.

    Attributes:
        lull: Only of what people set off.
        away_s: Since when all of it is unavailable, in observed seconds; a common cause moves it on.
        away_by_start: It became so when Home Assistant was started.
        away_us: The same by the source's clock, never moved; 0 when it is not away.
        own_s: When it had last spoken, when it was found silent for itself.
        seen_us: When it last spoke.
        reported_us: When it last reported, changed or not.
        link: Of a device whose link its hub tells of, and no entity.
    """

    silence: Silence | None = None
    lull: Lull | None = None
    flapping: Flapping | None = None
    commands: Commands | None = None
    away_s: float | None = None
    away_us: int = 0
    away_by_start: bool = False
    own_s: float | None = None
    seen_us: int = 0
    reported_us: int = 0
    battery_level: float | None = None
    battery_low: bool | None = None
    link_quality: float | None = None
    link_unit: str | None = None
    link: Link | None = None

    def connect(self, at_s: float, quality: float) -> None:
        """Take how well its hub hears it, as an LQI."""
        self.link = self.link or Link(unit="lqi", floor=30.0)
        self.link_quality, self.link_unit = quality, "lqi"
        if at_s - self.link.last_s >= _LINK_STEP_S:
            self.link.take(at_s, quality)

    def speak(self, time_us: int, at_s: float, active_s: float | None = None) -> None:
        """Learn from a sign of life; ``active_s`` is the house's activity, where it tells something of the device."""
        if self.silence is None:
            self.silence = Silence(at_s, at_s)
        if active_s is not None:
            self.lull = self.lull or Lull(active_s)
            if at_s - self.silence.heard_s >= TOGETHER_S:
                self.lull.speak(active_s, at_s, learned=self.silence.reports > REPORTS)
        self.silence.speak(at_s)
        if time_us > self.seen_us:  # noqa: PLR1730  # hot: max() is slower
            self.seen_us = time_us

    def facts(self) -> Facts:
        """Return what was measured last."""
        return Facts(
            available=self.away_s is None,
            battery_level=self.battery_level,
            battery_low=self.battery_low,
            link_quality=self.link_quality,
            link_unit=self.link_unit,
            last_seen_us=self.seen_us or None,
            last_reported_us=max(self.reported_us, self.seen_us) or None,
        )


class DeviceSeat:
    """A device of the present home and what is remembered of it.

    Attributes:
        touch: The number of the call that changed it last.
        regular: One of its entities tells by itself.
        idle: It only does what it is asked; then its silence means nothing.
        set_off: One of its entities tells what people do.
        by_people: It tells nothing but that.
    """

    __slots__ = ("by_people", "device", "idle", "regular", "set_off", "touch", "track")

    def __init__(self, device: Device, track: DeviceTrack) -> None:
        self.device = device
        self.track = track
        self.touch = 0
        self.regular = False
        self.idle = False
        self.set_off = False
        self.by_people = False


class Seat:
    """An entity of the present home and what is remembered of it.

    Attributes:
        touch: The number of the call that changed it last.
        numeric: Its states are numbers.
        of_people: What it says has to do with what people do.
        speaks_for: The device whose signs of life its reports are.
        sum: Where its numbers are counted, until the hours are taken.
        due_us: When the slow rules want their next value.
    """

    __slots__ = (
        "device",
        "due_us",
        "entity",
        "numeric",
        "of_people",
        "role",
        "rules",
        "speaks_for",
        "sum",
        "touch",
        "track",
    )

    def __init__(self, entity: Entity, role: Role, track: Track, device: DeviceSeat | None) -> None:
        self.entity = entity
        self.role = role
        self.track = track
        self.device = device
        self.touch = 0
        self.numeric = role.numeric
        self.speaks_for = device if role.speaks else None
        self.of_people = role.set_off or (device is not None and device.by_people)
        self.sum: Sum | None = None
        self.due_us = 0
        self.rules = role.battery or any(
            each is not None
            for each in (track.stuck, track.values, track.drift, track.link, track.energy, track.battery)
        )

    def measure(self, state: str, time_us: int, changed: bool, hours: Hours) -> None:  # noqa: FBT001  # hot, positional
        """Count a number, and give it to the rules that ask for it."""
        try:
            value = float(state)
        except ValueError:
            return
        if value - value != 0.0:  # not a number, or infinite
            return
        total = self.sum
        if total is None or not total.start_us <= time_us < total.end_us:
            total = self.sum = hours.of(self.entity.id, time_us)
        total.add(value, time_us)
        if not self.rules:
            return
        track, at_s = self.track, time_us * 1e-6
        if track.stuck is not None:
            track.stuck.report(at_s, changed, value)
        if track.values is not None:
            track.values.take(at_s, value, self.role.limits)
        if time_us >= self.due_us:
            self._slowly(value, time_us, at_s)

    def _slowly(self, value: float, time_us: int, at_s: float) -> None:
        """Give a number to the rules to which one now and then is enough."""
        track = self.track
        if track.drift is not None:
            self.due_us = time_us + _DAY_STEP_US
            if track.day is None:
                track.day = Day(value, at_s)
            else:
                track.day.take(at_s, value)
        if track.energy is not None:
            self.due_us = time_us + _ENERGY_STEP_US
            track.energy.take(at_s, value)
        if self.device is not None and (track.link is not None or self.role.battery):
            self._tell(self.device.track, value, at_s)

    def note(self, state: str | None, time_us: int) -> None:
        """Keep a state that is a word."""
        if self.role.keeps_state and state != self.track.state:
            self.track.state, self.track.state_us = state, time_us
        if self.role.battery_low and self.device is not None:
            self.device.track.battery_low = state == "on"

    def _tell(self, device: DeviceTrack, value: float, at_s: float) -> None:
        """Give a number that is about the device itself."""
        link, battery = self.track.link, self.track.battery
        if link is not None:
            device.link_quality, device.link_unit = value, link.unit
            if at_s - link.last_s >= _LINK_STEP_S:
                link.take(at_s, value)
        else:
            device.battery_level = value
            if battery is not None:
                battery.take(at_s, value)

    def know(self, state: str) -> None:
        """Take an old number as a fact about the device, where none is known; it is no measurement for a rule."""
        if self.device is None:
            return
        device, link = self.device.track, self.track.link
        try:
            value = float(state)
        except ValueError:
            return
        if value - value != 0.0:  # not a number, or infinite
            return
        if self.role.battery and device.battery_level is None:
            device.battery_level = value
        elif link is not None and device.link_quality is None:
            device.link_quality, device.link_unit = value, link.unit
