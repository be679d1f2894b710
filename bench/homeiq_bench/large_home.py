"""The registries of a large home, as its integration would send them; the same seed makes the same home."""

import random
from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Final

import msgspec

from homeiq_server.registry import Area, ConfigEntry, Device, Entity, Floor, Label, Rows

_ENTITIES_A_DEVICE: Final = 5
_ROWS_A_PART: Final = 5_000
_MODELS: Final = (
    ("zha", "Aqara", "Temperature and humidity sensor", "WSDCGQ11LM"),
    ("zha", "IKEA of Sweden", "TRADFRI bulb E27 CWS 806lm", "LED1924G9"),
    ("hue", "Signify Netherlands B.V.", "Hue motion sensor", "SML001"),
    ("shelly", "Shelly", "Shelly Plus 1PM", "SNSW-001P16EU"),
    ("esphome", "Espressif", "ESP32 DevKit", None),
    ("zwave_js", "Aeotec Ltd.", "MultiSensor 7", "ZWA024"),
)
_CLASSES: Final = (
    ("sensor", "temperature", "°C"),
    ("sensor", "humidity", "%"),
    ("sensor", "battery", "%"),
    ("sensor", "power", "W"),
    ("binary_sensor", "motion", None),
    ("light", None, None),
    ("switch", "outlet", None),
)


class LargeHome:
    """A home of so many devices, and five entities for each."""

    def __init__(self, devices: int, *, seed: int = 4) -> None:
        """Make it up."""
        self._chance = random.Random(seed)  # noqa: S311  # a repeatable choice, no secret
        self._floors = [Floor(id=f"floor_{n}", name=f"Floor {n}", level=n) for n in range(4)]
        self._areas = [Area(id=f"area_{n}", name=f"Room {n}", floor_id=f"floor_{n % 4}") for n in range(60)]
        self._labels = [Label(id=f"label_{n}", name=f"Label {n}") for n in range(20)]
        self._entries = [
            ConfigEntry(id=self._id(), domain=model[0], title=model[1], state="loaded")
            for model in _MODELS
            for _ in "ab"
        ]
        self.devices = [self._device(n) for n in range(devices)]
        self.entities = [self._entity(n) for n in range(_ENTITIES_A_DEVICE * devices)]

    def parts(self) -> Iterator[Rows]:
        """Yield all of it, in parts as they fit into a request."""
        yield Rows(
            floors=tuple(self._floors),
            areas=tuple(self._areas),
            labels=tuple(self._labels),
            config_entries=tuple(self._entries),
        )
        for devices in batched(self.devices, _ROWS_A_PART, strict=False):
            yield Rows(devices=devices)
        for entities in batched(self.entities, _ROWS_A_PART, strict=False):
            yield Rows(entities=entities)

    def _id(self) -> str:
        return f"{self._chance.getrandbits(128):032x}"

    def _device(self, n: int) -> Device:
        integration, maker, model, model_id = _MODELS[n % len(_MODELS)]
        address = f"{self._chance.getrandbits(64):016x}"
        return Device(
            id=self._id(),
            name=f"{model} {n}",
            name_by_user=f"Sensor {n} of the room" if n % 3 == 0 else None,
            manufacturer=maker,
            model=model,
            model_id=model_id,
            sw_version=f"1.{n % 7}.0",
            serial_number=address if n % 4 == 0 else None,
            area_id=self._chance.choice(self._areas).id if n % 9 else None,
            integration=integration,
            config_entry_id=self._chance.choice(self._entries).id,
            labels=("label_1", "label_2") if n % 10 == 0 else (),
            identifiers=((integration, address),),
            connections=(("mac", address),),
        )

    def _entity(self, n: int) -> Entity:
        device = self.devices[n // _ENTITIES_A_DEVICE]
        domain, device_class, unit = _CLASSES[n % len(_CLASSES)]
        return Entity(
            id=self._id(),
            entity_id=f"{domain}.sensor_{n // _ENTITIES_A_DEVICE}_{device_class or 'main'}_{n}",
            name=f"{device.shown_name} {device_class or ''}",
            device_id=device.id,
            integration=device.integration,
            config_entry_id=device.config_entry_id,
            unique_id=f"{self._chance.getrandbits(64):016x}-1-{n}",
            device_class=device_class,
            state_class="measurement" if unit else None,
            unit=unit,
            entity_category="diagnostic" if device_class == "battery" else None,
            supported_features=44 if domain == "light" else 0,
            capabilities=_capabilities(domain),
        )


def _capabilities(domain: str) -> dict[str, object]:
    match domain:
        case "light":
            return {"supported_color_modes": ["color_temp", "xy"], "min_color_temp_kelvin": 2_000}
        case "sensor":
            return {"state_class": "measurement"}
        case _:
            return {}


def bodies(parts: Sequence[Rows], revision: int) -> Iterator[bytes]:
    """Yield the bodies of the requests that send parts."""
    for number, rows in enumerate(parts):
        last = number == len(parts) - 1
        yield msgspec.json.encode({**HEAD, "revision": revision, "part": number, "last": last, "rows": rows})


HEAD: Final = {"source": "large"}
