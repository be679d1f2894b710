"""What is remembered of each entity and each device. Each is one msgspec struct, so that a checkpoint is one call."""

from typing import Final

import msgspec

from homeiq_server.insights.battery import Battery
from homeiq_server.insights.commands import Commands
from homeiq_server.insights.drift import Drift
from homeiq_server.insights.energy import Energy
from homeiq_server.insights.finding import Facts
from homeiq_server.insights.flapping import Flapping
from homeiq_server.insights.hours import Sum
from homeiq_server.insights.impossible import Values
from homeiq_server.insights.link import Link
from homeiq_server.insights.role import Role
from homeiq_server.insights.silent import Silence
from homeiq_server.insights.stuck import Stuck
from homeiq_server.registry import Device, Entity

_DAY_STEP_S: Final = 300.0
_LINK_STEP_S: Final = 60.0
_ENERGY_STEP_S: Final = 10.0
"""Slow rules need no more than one value in this time."""


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


class DeviceTrack(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of one device.

    Attributes:
        away_s: Since when all of it is unavailable, in observed seconds; a common cause moves it on.
        away_by_start: It became so when Home Assistant was started.
        away_us: The same by the source's clock, never moved; 0 when it is not away.
        own_s: When it had last spoken, when it was found silent for itself.
        seen_us: When it last spoke.
        reported_us: When it last reported, changed or not.
    """

    silence: Silence | None = None
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

    def speak(self, time_us: int, at_s: float) -> None:
        """Learn from a sign of life."""
        if self.silence is None:
            self.silence = Silence(at_s, at_s)
        else:
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
    """

    __slots__ = ("device", "idle", "regular", "set_off", "touch", "track", "vital")

    def __init__(self, device: Device, track: DeviceTrack) -> None:
        self.device = device
        self.track = track
        self.touch = 0
        self.regular = False
        self.idle = False
        self.set_off = False
        self.vital: tuple[str, ...] = ()


class Seat:
    """An entity of the present home and what is remembered of it.

    Attributes:
        touch: The number of the call that changed it last.
        sum: Where its numbers are counted, until the hours are taken.
    """

    __slots__ = ("device", "entity", "role", "rules", "sum", "touch", "track")

    def __init__(self, entity: Entity, role: Role, track: Track, device: DeviceSeat | None) -> None:
        self.entity = entity
        self.role = role
        self.track = track
        self.device = device
        self.touch = 0
        self.sum: Sum | None = None
        self.rules = role.battery or any(
            each is not None
            for each in (track.stuck, track.values, track.drift, track.link, track.energy, track.battery)
        )

    def measure(self, value: float, at_s: float, changed: bool) -> None:  # noqa: FBT001  # hot, positional
        """Give a number to the rules that ask for it."""
        track = self.track
        if track.stuck is not None:
            track.stuck.report(at_s, changed, value)
        if track.values is not None:
            track.values.take(at_s, value, self.role.limits)
        if track.drift is not None and (track.day is None or at_s - track.day.at_s >= _DAY_STEP_S):
            if track.day is None:
                track.day = Day(value, at_s)
            else:
                track.day.take(at_s, value)
        if track.energy is not None and not 0.0 <= at_s - track.energy.last_s < _ENERGY_STEP_S:
            track.energy.take(at_s, value)
        if self.device is not None and (track.link is not None or self.role.battery):
            self._tell(self.device.track, value, at_s)

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
