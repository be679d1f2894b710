"""Which entities devices that send to the app have, and how many there may be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from homeassistant.const import Platform

from .ingest_device import IngestDevice, Metric
from .metric_names import binary_meaning_of, meaning_of

MOST_ENTITIES: Final = 5_000
MOST_METRICS: Final = 200


@dataclass(frozen=True, slots=True)
class Place:
    """An entity that a device has.

    Attributes:
        device_id: None for the event entity of everybody's alerts.
        metric: Its name; empty for the event entity of the device's alerts.
        is_number: Whether its values are numbers.
    """

    platform: Platform
    device_id: str | None
    metric: str = ""
    is_number: bool = False


class Places:
    """The entities of all devices of an app.

    What a metric is (a number, a yes or no, a text) is decided when it first comes, and stays.

    Attributes:
        left_out: Metrics, and whole devices with an empty one, that have no entities because there are too many.
    """

    def __init__(self, was_binary: Callable[[str, str], bool]) -> None:
        """``was_binary`` says of a device's metric whether it was a yes or no before Home Assistant was restarted."""
        self.left_out: set[tuple[str, str]] = set()
        self._was_binary = was_binary
        self._of: dict[str, dict[str, Place]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many entities there are."""
        return self._count

    def has(self, device_id: str) -> bool:
        """Return whether a device has entities."""
        return device_id in self._of

    def place(self, device: IngestDevice) -> list[Place]:
        """Return the entities that a device has now and had not before."""
        new = []
        own = self._of.get(device.device_id, {})
        for metric in ("", *sorted(device.metrics)):
            if metric in own:
                continue
            if self._count >= MOST_ENTITIES or len(own) > MOST_METRICS:
                self.left_out.add((device.device_id, metric))
                if not own:
                    break  # without the first there is no device
                continue
            self.left_out.discard((device.device_id, metric))
            own[metric] = self._decide(device.device_id, metric, device.metrics.get(metric))
            self._count += 1
            new.append(own[metric])
        if own:
            self._of[device.device_id] = own
        return new

    def remove(self, device_id: str) -> None:
        """A device goes with its entities; what was left out may come when it next says something."""
        self._count -= len(self._of.pop(device_id, ()))
        self.left_out = {one for one in self.left_out if one[0] != device_id}

    def _decide(self, device_id: str, name: str, metric: Metric | None) -> Place:
        if metric is None:
            return Place(Platform.EVENT, device_id)
        is_known_number = meaning_of(name) is not None
        if self._was_binary(device_id, name) or isinstance(metric.value, bool) or _says_yes_or_no(name, metric):
            return Place(Platform.BINARY_SENSOR, device_id, name)
        is_number = is_known_number or not isinstance(metric.value, str)
        return Place(Platform.SENSOR, device_id, name, is_number)


def _says_yes_or_no(name: str, metric: Metric) -> bool:
    """Return whether a number or a text means yes or no: firmware sends 0 and 1, or open and closed, for a door."""
    if meaning_of(name) is not None or binary_meaning_of(name) is None:
        return False
    return as_yes_or_no(metric.value, is_strict=True) is not None


_YES: Final = frozenset({"on", "true", "yes", "open", "opened", "detected", "wet", "1", "motion", "occupied", "low"})
_NO: Final = frozenset({"off", "false", "no", "closed", "close", "clear", "dry", "0", "ok", "none", "normal"})


def as_yes_or_no(value: object, *, is_strict: bool = False) -> bool | None:
    """Return what a value says, None when it is neither; strictly taken a number other than 0 and 1 is neither."""
    match value:
        case bool():
            return value
        case int() | float():
            return bool(value) if not is_strict or value in (0, 1) else None
        case str():
            word = value.lower()
            return True if word in _YES else False if word in _NO else None
        case _:
            return None
