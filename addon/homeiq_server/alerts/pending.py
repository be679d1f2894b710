"""What devices said since it was last brought to the store: of each device the newest, and what rules must not miss.

Bounded: when there is no room for another device, what it said is not kept and counted; those that wait stay.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from homeiq_server.store.device_states import MOST_METRICS, DeviceState, Value

from .threshold import Sample

MOST_SAMPLES: Final = 16
"""Of one metric of one device between two writes; beyond it the first, the extremes and the last remain."""

type Key = tuple[str, str]
"""A tenant and a device."""


class Observation(Protocol):
    """A message that was taken."""

    @property
    def tenant_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def device_id(self) -> str:
        """Which device of his sent it."""
        ...

    @property
    def site_id(self) -> str:
        """Where that is."""
        ...

    @property
    def msg_type(self) -> str:
        """``telemetry``, ``heartbeat``, or a word of the device's own."""
        ...

    @property
    def time_us(self) -> int:
        """The device's own time."""
        ...

    @property
    def received_us(self) -> int:
        """When it came."""
        ...

    @property
    def metrics(self) -> Mapping[str, Value]:
        """Values by name."""
        ...

    @property
    def position(self) -> tuple[float, float] | None:
        """Latitude and longitude, in degrees."""
        ...


class Heard:
    """What one device said; of values with one time the one that came last counts."""

    __slots__ = ("heartbeat_us", "metrics", "position", "samples", "seen_us", "site_id", "telemetry_us")

    def __init__(self) -> None:
        self.site_id = ""
        self.metrics: dict[str, tuple[Value, int]] = {}
        self.samples: dict[str, list[Sample]] = {}
        self.position: tuple[float, float, int] | None = None
        self.seen_us = 0
        self.telemetry_us: int | None = None
        self.heartbeat_us: int | None = None

    def add(self, said: Observation, watched: Container[str]) -> None:
        """Take in a message; of metrics that are ``watched`` more than the newest value is kept."""
        self.site_id = said.site_id
        self.seen_us = max(self.seen_us, said.received_us)
        if said.msg_type == "heartbeat":
            self.heartbeat_us = max(self.heartbeat_us or 0, said.received_us)
        elif said.metrics:
            self.telemetry_us = max(self.telemetry_us or 0, said.received_us)
        if said.position and (self.position is None or self.position[2] <= said.time_us):
            self.position = (*said.position, said.time_us)
        for name, value in said.metrics.items():
            self._value(name, value, said.time_us)
            if name in watched and isinstance(value, (int, float)):
                self._sample(name, Sample(said.time_us, float(value)))

    def merge_older(self, older: Heard) -> None:
        """Take in what was heard before, and could not be brought to the store."""
        for name, (value, time_us) in older.metrics.items():
            if name not in self.metrics or self.metrics[name][1] < time_us:
                self._value(name, value, time_us)
        for name, samples in older.samples.items():
            self.samples[name] = _thinned([*samples, *self.samples.get(name, ())])
        self.seen_us = max(self.seen_us, older.seen_us)
        self.telemetry_us = _later(self.telemetry_us, older.telemetry_us)
        self.heartbeat_us = _later(self.heartbeat_us, older.heartbeat_us)
        if older.position and (self.position is None or self.position[2] < older.position[2]):
            self.position = older.position

    def _value(self, name: str, value: Value, time_us: int) -> None:
        known = self.metrics.get(name)
        if known is None and len(self.metrics) >= MOST_METRICS:
            return
        if known is None or known[1] <= time_us:
            self.metrics[name] = (value, time_us)

    def _sample(self, name: str, sample: Sample) -> None:
        samples = self.samples.setdefault(name, [])
        samples.append(sample)
        if len(samples) > MOST_SAMPLES:
            self.samples[name] = _thinned(samples)


class Pending:
    """What waits for the store.

    Attributes:
        dropped: Messages that are not reflected, because too many devices were waiting.
    """

    def __init__(self, *, limit: int = 100_000) -> None:
        self.dropped = 0
        self._limit = limit
        self._heard: dict[Key, Heard] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def add(self, said: Iterable[Observation], watched: Callable[[str], Container[str]]) -> None:
        """Take in messages; ``watched`` names the metrics that a tenant's rules watch."""
        for each in said:
            key = (each.tenant_id, each.device_id)
            heard = self._heard.get(key)
            if heard is None:
                if len(self._heard) >= self._limit:
                    self.dropped += 1
                    continue
                heard = self._heard[key] = Heard()
            heard.add(each, watched(each.tenant_id))

    def take(self) -> dict[Key, Heard]:
        """Return all that waits; nothing waits then."""
        taken, self._heard = self._heard, {}
        return taken

    def give_back(self, taken: Mapping[Key, Heard]) -> None:
        """Let what was taken wait once more; what came meanwhile is newer."""
        newer, self._heard = self._heard, dict(taken)
        for key, heard in newer.items():
            if older := self._heard.get(key):
                heard.merge_older(older)
            elif len(self._heard) >= self._limit:
                self.dropped += 1
                continue
            self._heard[key] = heard


def states_of(taken: Mapping[Key, Heard]) -> Iterator[DeviceState]:
    """Yield what is to be kept of each device."""
    for (tenant_id, device_id), heard in taken.items():
        yield DeviceState(
            tenant_id=tenant_id,
            device_id=device_id,
            metrics=heard.metrics,
            last_seen_us=heard.seen_us,
            last_telemetry_us=heard.telemetry_us,
            last_heartbeat_us=heard.heartbeat_us,
            position=heard.position,
        )


def _thinned(samples: Sequence[Sample]) -> list[Sample]:
    if len(samples) <= MOST_SAMPLES:
        return list(samples)
    ordered = sorted(samples, key=lambda sample: sample.time_us)
    least = min(ordered, key=lambda sample: sample.value)
    most = max(ordered, key=lambda sample: sample.value)
    kept = {id(each): each for each in (ordered[0], least, most, ordered[-1])}
    return sorted(kept.values(), key=lambda sample: sample.time_us)


def _later(one: int | None, other: int | None) -> int | None:
    return max(one or 0, other or 0) or None
