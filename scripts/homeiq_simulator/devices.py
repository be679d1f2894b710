"""What devices measure: plain models of a room, a field and a socket, each device with its own phase and noise."""

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

type Metrics = Mapping[str, float | bool | str]

_DAY_S = 86_400
_BATTERY_LASTS_S = 200 * _DAY_S


def _climate(at_s: float, chance: random.Random) -> Metrics:
    warm = math.sin(2 * math.pi * at_s / _DAY_S)
    return {
        "temperature": round(20.5 + 1.5 * warm + chance.gauss(0, 0.1), 2),
        "humidity": round(48 - 6 * warm + chance.gauss(0, 0.6), 1),
        "battery": round(100 - 100 * (at_s % _BATTERY_LASTS_S) / _BATTERY_LASTS_S),
        "rssi_dbm": round(-62 + chance.gauss(0, 3)),
    }


def _field(at_s: float, chance: random.Random) -> Metrics:
    return {
        "soil_moisture": round(31 + 4 * math.cos(2 * math.pi * at_s / (3 * _DAY_S)) + chance.gauss(0, 0.3), 1),
        "temp_c": round(12 + 6 * math.sin(2 * math.pi * at_s / _DAY_S) + chance.gauss(0, 0.2), 2),
        "vbat": round(3.62 + chance.gauss(0, 0.01), 3),
        "rssi_dbm": round(-104 + chance.gauss(0, 4)),
        "snr_db": round(7 + chance.gauss(0, 1.5), 1),
    }


def _plug(at_s: float, chance: random.Random) -> Metrics:
    is_on = at_s % 5_400 < 1_800  # noqa: PLR2004 - a fridge: on for a third of the time
    return {
        "relay": is_on,
        "power": round(84 + chance.gauss(0, 1.5), 1) if is_on else 0.4,
        "voltage": round(231 + chance.gauss(0, 1.2), 1),
        "energy": round(at_s / 3_600_000 * 28, 3),
        "mode": "eco" if is_on else "idle",
    }


MODELS: Mapping[str, Callable[[float, random.Random], Metrics]] = {"climate": _climate, "field": _field, "plug": _plug}


@dataclass(slots=True)
class Device:
    """One device.

    Attributes:
        number: From 1; its id and its model follow from it.
        fault: What is wrong with it, a key of ``faults.FAULTS``; None for a good one.
        seq: How many messages it has made.
    """

    number: int
    fault: str | None = None
    seq: int = 0
    _chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Give it a noise of its own, the same in every run."""
        self._chance = random.Random(self.number)  # noqa: S311 - noise, not a secret

    @property
    def model(self) -> str:
        """What it is."""
        return tuple(MODELS)[self.number % len(MODELS)]

    @property
    def device_id(self) -> str:
        """What it is called, unique within its tenant."""
        return f"{self.model}-{self.number:05}"

    def telemetry(self, at_s: float) -> dict[str, object]:
        """Return what it measures at this instant."""
        return self.heartbeat(at_s) | {"metrics": MODELS[self.model](at_s + 997 * self.number, self._chance)}

    def heartbeat(self, at_s: float) -> dict[str, object]:
        """Return a sign of life, which counts as a message too."""
        self.seq += 1
        return {"version": "1", "ts": round(at_s, 3), "seq": self.seq}


def encode(message: Mapping[str, object]) -> bytes:
    """Return a message as it travels."""
    return json.dumps(message, separators=(",", ":")).encode()
