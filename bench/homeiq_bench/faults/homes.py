"""A simulated home: which devices it has, through which integrations, and which of them break when.

About a hundred devices in eight rooms on two floors: battery-driven sensors behind a Zigbee bridge on MQTT (one config
entry for all of them), lamps behind a bridge of their own, and devices on Wi-Fi and Bluetooth (a config entry each).
Each has at most one fault in each of two stretches of time, between which lies the holiday; at any time about one in
six is broken, far more than in a real home, so that there is something to count.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final

import msgspec

from homeiq_server import registry

from . import regimes
from .household import DAY_S, HOUR_S, ROOMS, UPSTAIRS, Household
from .injections import Episode
from .regimes import Distort, Regime
from .things import Make, Registered, Run, Thing, Traits

ZIGBEE, HUE = "mqtt", "hue"

REGULAR: Final = ("temperature", "ble", "heartbeat", "power")
"""The classes of devices that speak by themselves, by day and night."""

_FAULTS: Final[Mapping[str, Sequence[tuple[str, int]]]] = {
    # By class: which faults, and in how many devices in each of the two stretches.
    "temperature": (("silent", 3), ("drift", 1), ("stuck", 1), ("impossible", 1), ("link", 1)),
    "ble": (("silent", 1), ("stuck", 1), ("drift", 1), ("flapping_12", 1), ("offline", 1)),
    "heartbeat": (("silent", 1), ("stuck", 1), ("impossible", 1), ("flapping_12", 1), ("flapping_40", 1)),
    "power": (("stuck", 1), ("silent", 1), ("flapping_12", 1), ("offline", 1)),
    "motion": (("silent", 2), ("link", 1)),
    "contact": (("silent", 2),),
    "light": (("flapping_12", 1), ("flapping_4", 1), ("commands", 1), ("offline", 1)),
}
_LAST_DAYS: Final = {"silent": 7, "offline": 4, "flapping": 6, "stuck": 6, "impossible": 5, "link": 8, "commands": 10}
_NEEDED: Final = {"drift": 12}
_SHAPES: Final[Mapping[str, tuple[str, str | None, str | None, str | None]]] = {
    # By suffix: domain, device class, unit, state class.
    "temperature": ("sensor", "temperature", "°C", "measurement"),
    "humidity": ("sensor", "humidity", "%", "measurement"),
    "power": ("sensor", "power", "W", "measurement"),
    "energy": ("sensor", "energy", "kWh", "total_increasing"),
    "battery": ("sensor", "battery", "%", "measurement"),
    "linkquality": ("sensor", None, "lqi", "measurement"),
    "occupancy": ("binary_sensor", "occupancy", None, None),
    "contact": ("binary_sensor", "door", None, None),
    "action": ("event", "button", None, None),
    "light": ("light", None, None, None),
    "switch": ("switch", "outlet", None, None),
    "connection": ("binary_sensor", "connectivity", None, None),
    "firmware": ("update", "firmware", None, None),
    "restart": ("button", "restart", None, None),
    "overheating": ("binary_sensor", "problem", None, None),
    "overpowering": ("binary_sensor", "problem", None, None),
}
_DIAGNOSTIC: Final = ("battery", "linkquality", "connection", "overheating", "overpowering")
_SETTINGS: Final = ("firmware", "restart")
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    ZIGBEE: ("firmware",),
    "esphome": ("firmware", "restart"),
    "shelly": ("firmware", "restart", "overheating", "overpowering"),
}
"""What integrations bring along with each device, and what hardly ever changes."""


class Home(msgspec.Struct, frozen=True):
    """A home and the time that is simulated.

    Attributes:
        rows: What its registries say.
        things: Its devices; each one's number is its place.
        span_s: From when until when.
    """

    seed: str
    household: Household
    rows: registry.Rows
    things: Sequence[Thing]
    span_s: tuple[float, float]


class _Draft(msgspec.Struct, kw_only=True):
    """A device before it is known which faults it has; what ``may_rest`` is constant for days and cannot be stuck."""

    traits: Traits
    integration: str
    room: str
    suffixes: tuple[str, ...]
    regime: Callable[[Random, Distort], Regime]
    may_rest: bool = False


def home(seed: str, household: Household, *, faulty: bool = True) -> Home:
    """Return a home, the same one for the same seed; one that is not ``faulty`` loses no message either."""
    chance = Random(f"{seed} home")  # noqa: S311
    calendar = household.calendar
    span_s = (calendar.at(0, 0), calendar.at(calendar.days, 0))
    drafts = list(_drafts(seed, chance, household))
    episodes = _episodes(chance, household, drafts) if faulty else {}
    things, rows = [], _Registry()
    run = Run(seed, span_s) if faulty else Run(seed, span_s, lost=0.0)
    for number, draft in enumerate(drafts):
        make = Make(draft.traits, draft.regime)
        things.append(Thing(make, rows.add(number, draft), episodes.get(number, ()), run))
    return Home(seed, household, rows.rows(), things, span_s)


def _drafts(seed: str, chance: Random, household: Household) -> Iterator[_Draft]:
    rooms = {name: regimes.Room(seed, name, household) for name in ROOMS}
    for integration in (ZIGBEE, HUE):
        bridge = Traits(group="bridge", repeats=False)
        yield _Draft(
            traits=bridge, integration=integration, room="utility", suffixes=("connection",), regime=regimes.Quiet
        )
    yield from _climate(chance, rooms)
    for number in range(8):
        kind = regimes.Load.KINDS[number % 4]
        yield _Draft(
            traits=Traits(group="power", repeats=True, drops_a_day=_drops(chance)),
            integration="shelly",
            room="kitchen" if kind == "refrigerator" else chance.choice(("living_room", "utility", "study")),
            suffixes=("power", "energy", "switch"),
            may_rest=kind != "refrigerator",
            regime=partial(regimes.Load, household=household, kind=kind),
        )
    yield from _people(chance, household)


def _climate(chance: Random, rooms: Mapping[str, regimes.Room]) -> Iterator[_Draft]:
    """Three thermometers of each class to a room, so that each has peers."""
    for number in range(20):
        room = list(ROOMS)[number % len(ROOMS)]
        quality = chance.uniform(60, 220) if chance.random() < 0.6 else None  # noqa: PLR2004
        yield _Draft(
            traits=_zigbee(chance, "temperature", quality, heartbeat_s=None),
            integration=ZIGBEE,
            room=room,
            suffixes=("temperature", "humidity", "battery", *(("linkquality",) if quality else ())),
            regime=partial(regimes.OnChange, room=rooms[room]),
        )
    for number in range(20):
        room, ble = list(ROOMS)[number % len(ROOMS)], number % 5 < 2  # noqa: PLR2004
        traits = Traits(
            group="ble" if ble else "heartbeat",
            repeats=True,
            drops_a_day=_drops(chance),
            wakes=number % 5 == 4,  # noqa: PLR2004
            glitches_a_day=0 if ble else 1 / 30,
            battery_days=chance.uniform(250, 900) if ble else None,
        )
        every_s = 600.0 if ble else HOUR_S
        yield _Draft(
            traits=traits,
            integration="bthome" if ble else "esphome",
            room=room,
            suffixes=("temperature", "humidity", *(("battery",) if ble else ())),
            regime=partial(regimes.Repeating, room=rooms[room], every_s=every_s),
        )


def _people(chance: Random, household: Household) -> Iterator[_Draft]:
    """What speaks only when somebody is there."""
    lit = (*ROOMS, *list(ROOMS)[:6])
    for number in range(12):
        room = list(ROOMS)[number % 6]  # who puts two motion sensors into a guest room
        yield _Draft(
            traits=_zigbee(chance, "motion", chance.uniform(60, 220) if number % 3 == 0 else None, heartbeat_s=3_000.0),
            integration=ZIGBEE,
            room=room,
            suffixes=("occupancy", "battery", *(("linkquality",) if number % 3 == 0 else ())),
            regime=partial(regimes.Motion, household=household, room=room),
        )
    for number in range(12):
        kind = list(regimes.Contact.OPENINGS)[number % 5]
        yield _Draft(
            traits=_zigbee(chance, "contact", None, heartbeat_s=HOUR_S),
            integration=ZIGBEE,
            room=chance.choice(list(ROOMS)),
            suffixes=("contact", "battery"),
            regime=partial(regimes.Contact, household=household, kind=kind),
        )
    for _ in range(4):
        yield _Draft(
            traits=_zigbee(chance, "button", None, heartbeat_s=4 * HOUR_S),
            integration=ZIGBEE,
            room=chance.choice(list(ROOMS)),
            suffixes=("action", "battery"),
            regime=partial(regimes.Button, household=household),
        )
    for room in lit:
        yield _Draft(
            traits=Traits(group="light", repeats=False, drops_a_day=_drops(chance) / 3, commanded=True),
            integration=HUE,
            room=room,
            suffixes=("light",),
            regime=partial(regimes.Light, household=household, room=room),
        )


def _zigbee(chance: Random, group: str, quality: float | None, heartbeat_s: float | None) -> Traits:
    lasts = chance.uniform(250, 900)
    return Traits(group=group, repeats=False, quality=quality, battery_days=lasts, heartbeat_s=heartbeat_s)


def _drops(chance: Random) -> float:
    """Return how often a day a healthy device on Wi-Fi is unavailable: most hardly ever, some every day."""
    return min(1.5, chance.lognormvariate(-2.5, 1.0))


def _episodes(chance: Random, household: Household, drafts: Sequence[_Draft]) -> dict[int, list[Episode]]:
    """Break devices: in each of two stretches, the first after two weeks, the second after the holiday."""
    calendar = household.calendar
    holiday = calendar.holiday
    found: dict[int, list[Episode]] = {}
    for first, last in ((15, holiday.start - 1), (holiday.stop + 4, calendar.days)):
        free = {group: [n for n, d in enumerate(drafts) if d.traits.group == group] for group in _FAULTS}
        for group, faults in _FAULTS.items():
            chance.shuffle(free[group])
            for kind, count in faults:
                for _ in range(count):
                    number = _breakable(kind, drafts, free[group], found)
                    if number is not None:
                        found.setdefault(number, []).append(_episode(chance, household, kind, first, last))
    return found


def _breakable(
    kind: str, drafts: Sequence[_Draft], free: list[int], found: Mapping[int, Sequence[Episode]]
) -> int | None:
    """Take a device that can have a fault of this kind; a sensor that drifts goes on doing so and has no other."""
    for place, number in enumerate(free):
        suffixes = drafts[number].suffixes
        if (kind == "link" and "linkquality" not in suffixes) or (kind == "stuck" and drafts[number].may_rest):
            continue
        if any(episode.kind == "drift" for episode in found.get(number, ())) or (kind == "drift" and number in found):
            continue
        del free[place]
        return number
    return None


def _episode(chance: Random, household: Household, kind: str, first: int, last: int) -> Episode:
    """Return a fault that begins at any hour of the stretch, early enough to be found in it."""
    calendar = household.calendar
    name = kind.partition("_")[0]
    lasts = _LAST_DAYS.get(name)
    latest = last - (lasts or _NEEDED[name])
    start_s = calendar.at(0, 0) + chance.uniform(first, max(first + 0.5, latest)) * DAY_S
    end_s = calendar.at(calendar.days, 0) if lasts is None else start_s + lasts * DAY_S
    return Episode(kind, start_s, end_s)


class _Registry:
    """Collects what the registries of the home say."""

    def __init__(self) -> None:
        self._devices: list[registry.Device] = []
        self._entities: list[registry.Entity] = []
        self._entries: dict[str, registry.ConfigEntry] = {}
        self._bridges: dict[str, str] = {}

    def add(self, number: int, draft: _Draft) -> Registered:
        """Put a device in."""
        group, room = draft.traits.group, draft.room
        device_id = f"device{number:03d}"
        name = f"{room} {group} {number}".replace("_", " ").capitalize()
        shared = draft.integration in (ZIGBEE, HUE)
        entry_id = f"entry_{draft.integration}" if shared else f"entry_{draft.integration}_{number}"
        self._entries.setdefault(
            entry_id, registry.ConfigEntry(id=entry_id, domain=draft.integration, title=entry_id, state="loaded")
        )
        if group == "bridge":
            self._bridges[draft.integration] = device_id
        device = registry.Device(
            id=device_id,
            name=name,
            manufacturer="Example",
            model=group,
            area_id=room,
            integration=draft.integration,
            config_entry_id=entry_id,
            via_device_id=None if group == "bridge" else self._bridges.get(draft.integration),
            identifiers=((draft.integration, f"0x{number:016x}"),),
        )
        entities = {
            suffix: _entity(device, suffix) for suffix in (*draft.suffixes, *_BESIDE.get(draft.integration, ()))
        }
        self._devices.append(device)
        self._entities += entities.values()
        return Registered(number, device, entities)

    def rows(self) -> registry.Rows:
        """Return all of it."""
        return registry.Rows(
            floors=(
                registry.Floor(id="ground", name="Ground floor", level=0),
                registry.Floor(id="up", name="Upstairs"),
            ),
            areas=tuple(
                registry.Area(id=room, name=room, floor_id="up" if room in UPSTAIRS else "ground") for room in ROOMS
            ),
            config_entries=tuple(self._entries.values()),
            devices=tuple(self._devices),
            entities=tuple(self._entities),
        )


def _entity(device: registry.Device, suffix: str) -> registry.Entity:
    domain, device_class, unit, state_class = _SHAPES[suffix]
    return registry.Entity(
        id=f"{device.id}_{suffix}",
        entity_id=f"{domain}.{device.shown_name.lower().replace(' ', '_')}_{suffix}",
        name=f"{device.shown_name} {suffix}",
        device_id=device.id,
        integration=device.integration,
        config_entry_id=device.config_entry_id,
        unique_id=f"{device.id}-{suffix}",
        device_class=device_class,
        state_class=state_class,
        unit=unit,
        entity_category="diagnostic" if suffix in _DIAGNOSTIC else "config" if suffix in _SETTINGS else None,
    )
