"""Hygiene: what is untidy in a home, found in its registries alone.

Rules (iot.md D.2, rule 11, and those that the earlier service had): a device without an area; two devices of one name
in one area; a name that nobody chose; a device of which no registry says an integration; an entity whose device or
set-up is gone; a firmware update that has waited for more than fourteen days; an integration that Home Assistant cannot
set up. Disabled things, services (no things) and parts of devices are left alone. Where fewer than half of the things
are in an area, the home makes no use of areas, and none is missed. The severity is 1, for what is wrong and not only
untidy 2.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from homeiq_server.insights.finding import Condition, Kind
from homeiq_server.insights.home import Home
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import DAY_S, MICROSECONDS, counted
from homeiq_server.registry import ConfigEntry, Device, Entity

_PENDING_US: Final = int(14 * DAY_S) * MICROSECONDS
_FAILED_FOR_US: Final = 15 * 60 * MICROSECONDS
_FAILED: Final[Mapping[str, str]] = {
    "setup_error": "Home Assistant could not set it up",
    "setup_retry": "Home Assistant cannot reach it and tries again",
    "migration_error": "its settings are of another version",
    "failed_unload": "it did not stop",
}
_PLACEHOLDER: Final = re.compile(
    r"""(?:
        unnamed(?:\ device)? | default | unknown(?:\ device)? | (?:new\ )?device | untitled | none | null | test | tbd
        | (?:new\ )?(?:device|light|lamp|bulb|switch|sensor|plug|socket|button|entity|thing|gateway)[\s_-]*\#?\d+
        | 0x[0-9a-f]{6,16}                      # an address of Zigbee
        | (?:[0-9a-f]{2}[:_-]){5,7}[0-9a-f]{2}  # an address of a network card, or of Zigbee with colons
        | (?=[0-9a-f]*\d)[0-9a-f]{12,64}        # an id in hexadecimal figures
        | [0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def conditions(
    home: Home, source: str, now_us: int, states: Mapping[str, str], since: Mapping[str, int] | None = None
) -> Iterator[Condition]:
    """Yield what is untidy.

    Args:
        home: The registries.
        source: The Home Assistant that they are of.
        now_us: Now.
        states: The present states by entity id; those of update entities are read.
        since: When those states were entered, by entity id. An update entity without a time is never told.
    """
    del source
    things = [each for each in home.wholes if each.entry_type != "service" and each.disabled_by is None]
    uses_areas = 2 * sum(device.area_id is not None for device in things) >= len(things)
    for device in things:
        if uses_areas and device.area_id is None:
            yield _no_area(device, now_us)
        yield from _of_device(home, device, now_us)
    yield from _duplicates(home, things, now_us)
    for entity in home.entities.values():
        if entity.disabled_by is None:
            yield from _of_entity(home, entity, now_us)
            if entity.domain == "update" and states.get(entity.entity_id) == "on":
                yield from _update(home, entity, now_us, (since or {}).get(entity.entity_id))


def lasting(found: Iterable[Condition], begun: dict[str, int]) -> Iterator[Condition]:
    """Yield conditions with the time at which each was first found, which would else move with every look.

    Args:
        found: All that hold now.
        begun: When each was first found; it is brought up to date.
    """
    holds = set()
    for each in found:
        key = f"{each.kind} {each.subject}"
        holds.add(key)
        since_us = begun.setdefault(key, each.since_us)
        yield each if since_us == each.since_us else msgspec.structs.replace(each, since_us=since_us)
    for key in begun.keys() - holds:
        del begun[key]


def failing(home: Home) -> Iterator[str]:
    """Yield the ids of config entries that do not run though they should."""
    for entry in home.config_entries.values():
        if entry.disabled_by is None and entry.state in _FAILED:
            yield entry.id


def failed(home: Home, since: Mapping[str, int], now_us: int) -> Iterator[Condition]:
    """Yield the config entries that have not run for a quarter of an hour; ``since`` when, by id.

    A start of Home Assistant, an update of a hub, a router that restarts: all of these are over sooner.
    """
    for entry_id, since_us in since.items():
        if now_us - since_us >= _FAILED_FOR_US and (entry := home.config_entries.get(entry_id)):
            yield _failed(entry, since_us)


def is_placeholder(name: str) -> bool:
    """Return whether a name is one that nobody has chosen: ``Device 3``, ``unnamed``, an address."""
    return _PLACEHOLDER.fullmatch(name.strip()) is not None


def _no_area(device: Device, now_us: int) -> Condition:
    name = device.shown_name
    return Subject.of_device(device).condition(
        Kind.MISSING_AREA,
        1,
        f"{name} is in no area",
        f"{name} is in no area, so it is missing from the area's page and voice commands for the room do not reach it."
        " Choose an area on its device page.",
        {},
        now_us,
    )


def _of_device(home: Home, device: Device, now_us: int) -> Iterator[Condition]:
    subject, name = Subject.of_device(device), device.shown_name
    if not device.name_by_user and (not device.name or is_placeholder(name)):
        yield subject.condition(
            Kind.PLACEHOLDER_NAME,
            1,
            f"{name} has no name of its own",
            f"A device is called “{name}”, which does not tell it from others. Give it a name on its device page.",
            {"name": name},
            now_us,
        )
    if home.integration_of(device) is None:
        yield subject.condition(
            Kind.MISSING_INTEGRATION,
            2,
            f"{name} belongs to no integration",
            f"No integration of Home Assistant says that {name} is its own; it was probably left behind. Delete it on"
            " its device page if you no longer use it.",
            {},
            now_us,
        )


def _duplicates(home: Home, things: list[Device], now_us: int) -> Iterator[Condition]:
    """Yield one condition for each further device of a name in an area."""
    groups = defaultdict[tuple[str, str], list[Device]](list)
    for device in things:
        if device.name_by_user or device.name:
            groups[device.shown_name.casefold().strip(), device.area_id or ""].append(device)
    for (_, area_id), devices in groups.items():
        first, *others = sorted(devices, key=lambda each: each.id)
        area = home.areas[area_id].name if area_id in home.areas else None
        where = f"in {area}" if area else "in no area"
        for device in others:
            name = device.shown_name
            yield Subject.of_device(device).condition(
                Kind.DUPLICATE_NAME,
                1,
                f"Two devices are called {name}",
                f"{counted(len(devices), 'device')} {where} are called “{name}”. Give each a name of its own, so that"
                " you and your voice assistant can tell them apart.",
                {"name": name, "area": area, "devices": len(devices), "other_device_id": first.id},
                now_us,
            )


def _of_entity(home: Home, entity: Entity, now_us: int) -> Iterator[Condition]:
    if not entity.registered:
        return
    device_gone = entity.device_id is not None and entity.device_id not in home.devices
    entry_gone = entity.config_entry_id is not None and entity.config_entry_id not in home.config_entries
    if device_gone or entry_gone:
        subject = Subject.of_entity(entity, home.device_of(entity))
        gone = "device" if device_gone else "integration"
        yield subject.condition(
            Kind.ORPHAN_ENTITY,
            1,
            f"{subject.name} is left over",
            f"The {gone} that {subject.name} ({entity.entity_id}) belonged to no longer exists. Delete the entity, and"
            " see whether automations or dashboards still use it.",
            {"gone": gone, "entity_id": entity.entity_id},
            now_us,
        )


def _update(home: Home, entity: Entity, now_us: int, since_us: int | None) -> Iterator[Condition]:
    if since_us is None or now_us - since_us <= _PENDING_US:
        return
    device = home.device_of(entity)
    subject = Subject.of_entity(entity, device)
    name = device.shown_name if device else subject.name
    days = int((now_us - since_us) / MICROSECONDS // DAY_S)
    yield subject.condition(
        Kind.UPDATE_PENDING,
        1,
        f"An update for {name} is waiting",
        f"An update for {name} has been waiting for {counted(days // 7, 'week')}. Updates mend faults and close"
        " security holes: install it, or skip this version.",
        {"since_us": since_us, "weeks": days // 7, "entity_id": entity.entity_id},
        now_us,
    )


def _failed(entry: ConfigEntry, since_us: int) -> Condition:
    name = entry.title or entry.domain
    return Subject(type="config_entry", id=entry.id, name=name).condition(
        Kind.INTEGRATION_DOWN,
        2,
        f"{name} is not running",
        f"The integration {name} ({entry.domain}) is not running: {_FAILED[entry.state]}. Its devices cannot be reached"
        " until it does. See Settings > Devices & services for the reason.",
        {"domain": entry.domain, "state": entry.state},
        since_us,
    )
