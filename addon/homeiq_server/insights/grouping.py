"""One cause, one finding: what many devices suffer from together is no fault of each.

When a device is found silent, the others are asked that would normally have spoken in the same time: their longest
normal gap is shorter than its quiet. If they are quiet beyond normal too, the cause is common: nobody is at home, or
their integration is down. So the first of them whose limit passes is already held back.

What a common cause explains is paused: a device's quiet stays at its normal meanwhile. After the cause has gone, each
has time to come back in its own rhythm before it is found silent for itself.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from statistics import median
from typing import Final

import msgspec

from homeiq_server.insights.clock import Clock
from homeiq_server.insights.finding import Condition, Kind
from homeiq_server.insights.home import Home
from homeiq_server.insights.standing import Standing
from homeiq_server.insights.words import DAY_S, HOUR_S, counted, number

HOUSE_SHARE: Final = 0.4
LIVELY_SHARE: Final = 0.2
LIVELY_S: Final = 3 * DAY_S
"""The quiet is over when fewer than a fifth are quiet, or for three days fewer than are needed for its beginning: a cat
or a flickering sensor is no return."""
NIGHT_S: Final = 6 * HOUR_S
"""What speaks more often than this by day and night is not set off by people."""
DOWN_SHARE: Final = 0.5
DOWN_DEVICES: Final = 3
FAILED: Final = frozenset({"setup_error", "setup_retry", "migration_error", "failed_unload"})
"""States of a config entry with which Home Assistant itself says that it is down."""
_ABOUT_S: Final = 900.0
"""Devices of one set-up become unavailable within this time of each other when it goes down."""
_UNDECIDED: Final = 2.0
"""A silence waits until twice its limit at most for a word of the others, which tells whether it is common."""


class Groups(msgspec.Struct, array_like=True, gc=False):
    """The common causes that hold. Times are observed ones, in seconds.

    Attributes:
        quiet_s: Since when the house is quiet.
        lively_s: Since when it has been livelier than at the beginning of its quiet.
        down: Since when, by the id of a config entry or the domain of an integration.
    """

    quiet_s: float | None = None
    lively_s: float | None = None
    down: dict[str, float] = {}


def find(home: Home, standings: Mapping[str, Standing], groups: Groups, clock: Clock, now_us: int) -> list[Condition]:
    """Return the common causes; what they explain is marked in ``standings``."""
    now_s = clock.judged_s
    conditions = [*_hubs(home, standings, now_s, now_us), *_integrations(home, standings, groups, now_s, now_us)]
    house = _house(standings.values(), groups, now_s, now_us)
    return [*conditions, house] if house else conditions


def _hubs(home: Home, standings: Mapping[str, Standing], now_s: float, now_us: int) -> Iterable[Condition]:
    for hub in [each for each in standings.values() if each.offline or each.silent]:
        children = [standings[each] for each in _family(home, hub.device.id) if each in standings]
        entry = home.config_entries.get(hub.device.config_entry_id or "")
        unloaded = entry is not None and entry.state in FAILED
        if hub.explained or not children or unloaded:
            continue
        since_s = hub.fell_s() + (0.0 if hub.offline else hub.normal_s or 0.0)
        lost = [each for each in children if not each.alive(since_s)]
        if 2 * len(lost) <= len(children):
            continue
        hub.explained = True
        for each in lost:
            each.explain(now_s)
        yield Condition(
            kind=Kind.HUB_DOWN,
            subject_type="device",
            subject=hub.device.id,
            device_id=hub.device.id,
            severity=5,
            title=f"{hub.device.shown_name} is down",
            explanation=(
                f"{counted(len(lost), 'device')} can only be reached through it and cannot be reached now. "
                "Check its power and its network; the others need no attention until it is back."
            ),
            evidence={"children": len(children), "children_lost": len(lost), **(hub.offline or hub.silent or {})},
            since_us=hub.track.away_us or hub.track.seen_us or now_us,
            affected=tuple(each.device.id for each in lost),
        )


def _integrations(
    home: Home, standings: Mapping[str, Standing], groups: Groups, now_s: float, now_us: int
) -> Iterable[Condition]:
    """Yield the set-ups that are down, then integrations of which several set-ups are."""
    suspects = {each.device.id: each for each in standings.values() if each.offline or (each.silent and each.regular)}
    entries = dict.fromkeys(each.device.config_entry_id for each in suspects.values() if each.device.config_entry_id)
    domains = dict.fromkeys(home.integration_of(each.device) or "" for each in suspects.values())
    names = {**entries, **dict.fromkeys(each for each in domains if _several(home, each)), **dict.fromkeys(groups.down)}
    found = {}
    for name in names:
        entry = home.config_entries.get(name)
        devices = home.devices_of(name) if entry else home.devices_by(name)
        members = [
            standing for each in devices if (standing := standings.get(each.id)) is not None and not standing.explained
        ]
        failed = entry is not None and entry.state in FAILED and any(each.away_s is not None for each in members)
        left = name not in groups.down and _behind_a_hub(home, members, standings)
        if not failed and (left or not _down(members, groups.down.get(name), now_s)):
            _await(members, now_s)
            continue
        out = [each for each in members if each.over(now_s)]
        fell_s = median(each.fell_s() for each in out)
        lost = [each for each in members if each.over(now_s) or not each.alive(fell_s)]
        found[name] = groups.down.get(name, fell_s)
        since_us = min((each.track.away_us or each.track.seen_us or now_us for each in out), default=now_us)
        for each in lost:
            each.explain(now_s)
        yield Condition(
            kind=Kind.INTEGRATION_DOWN,
            subject_type="config_entry" if entry else "integration",
            subject=name,
            severity=5,
            title=f"{entry.title or entry.domain if entry else name} is down",
            explanation=(
                f"{len(out)} of its {counted(len(members), 'device')} went quiet or unavailable together. Reload the "
                "integration and check what it connects to; the devices themselves need no attention."
            ),
            evidence={"devices": len(members), "devices_out": len(out)},
            since_us=since_us,
            affected=tuple(each.device.id for each in lost),
        )
    groups.down = found


def _behind_a_hub(home: Home, members: Sequence[Standing], standings: Mapping[str, Standing]) -> bool:
    """Return whether all members talk through one hub, which is away itself: soon that is the finding."""
    hubs = {home.owner(each.device.via_device_id) for each in members if each.device.via_device_id}
    hub = standings.get(hubs.pop()) if len(hubs) == 1 else None
    away = hub is not None and hub.away_s is not None
    return away and all(each is hub or each.device.via_device_id for each in members)


def _down(members: Sequence[Standing], since_s: float | None, now_s: float) -> bool:
    """Return whether most of a set-up's devices are out; those that people set off only tell that it is not."""
    heard = [each for each in members if each.regular or each.away_s is not None or not each.over(now_s)]
    if since_s is not None:
        return _hushed(heard, since_s, now_s, DOWN_SHARE, DOWN_DEVICES)
    silent = [each for each in members if each.silent and each.regular]
    if not silent and not any(each.offline for each in members):
        return False
    out = [each for each in members if each.away_s is not None or (each.silent and each.regular)]
    if _together(out) >= max(DOWN_DEVICES, DOWN_SHARE * len(members)):
        return True
    over = [each for each in heard if each.over(now_s)]
    due_s = max((each.due_s for each in silent), default=now_s)
    return bool(silent) and _together(over) >= DOWN_DEVICES and _hushed(heard, due_s, now_s, DOWN_SHARE, DOWN_DEVICES)


def _together(out: Sequence[Standing]) -> int:
    """Return how many at most can have gone at one instant.

    One that is unavailable went about when it became so, a silent one between its last word and when it was due.
    """
    begins = sorted(each.fell_s() - (_ABOUT_S if each.away_s is not None else 0.0) for each in out)
    ends = sorted(each.away_s + _ABOUT_S if each.away_s is not None else max(each.due_s, each.fell_s()) for each in out)
    return max((count - bisect_left(ends, at_s) for count, at_s in enumerate(begins, 1)), default=0)


def _await(members: Sequence[Standing], now_s: float) -> None:
    """Hold silences back as long as nothing shows that the others are not quiet as well."""
    known = [each for each in members if each.normal_s is not None]
    spoken = nlargest(2, (each.heard_s or 0.0 for each in known if each.away_s is None))
    for one in known:
        if one.silent is None or not one.regular or one.own or len(known) < DOWN_DEVICES:
            continue
        others_s = next((each for each in spoken if each != one.heard_s), 0.0)
        limit_s = number(one.silent, "limit_hours") * HOUR_S
        if others_s <= one.due_s and one.quiet_s(now_s) < _UNDECIDED * limit_s:
            one.explained = True


def _several(home: Home, integration: str) -> bool:
    """Return whether an integration was set up more than once: then it can be down as a whole."""
    return len({each.config_entry_id for each in home.devices_by(integration)}) > 1


def _hushed(standings: Iterable[Standing], since_s: float, now_s: float, share: float, least: int) -> bool:
    """Return whether enough are quiet beyond normal, beside those that have spoken since."""
    out = alive = 0
    for each in standings:
        if each.over(now_s):
            out += 1
        elif each.alive(since_s):
            alive += 1
    return out >= least and out >= share * (out + alive)


def _house(standings: Iterable[Standing], groups: Groups, now_s: float, now_us: int) -> Condition | None:
    """Return the house's quiet, when nobody sets anything off any more."""
    people = [each for each in standings if _by_people(each)]
    out = [each for each in people if each.over(now_s)]
    if groups.quiet_s is not None and _returned(people, groups, now_s):
        groups.quiet_s = groups.lively_s = None
    if groups.quiet_s is None:
        if not any(each.overdue and _nobody_else(each, people, now_s) for each in people):
            return None
        groups.quiet_s = min(each.fell_s() for each in out)
    since_us = max((each.track.seen_us for each in out), default=now_us)
    for each in out:
        each.explain(now_s)
    return Condition(
        kind=Kind.HOUSE_QUIET,
        subject_type="house",
        subject="house",
        severity=1,
        title="The house is quiet",
        explanation=(
            f"{counted(len(out), 'device')} that people set off by what they do have been quiet for longer than ever: "
            "probably nobody is at home. They are not reported one by one meanwhile."
        ),
        evidence={"quiet_devices": len(out), "devices": len(people)},
        since_us=since_us,
    )


def _by_people(each: Standing) -> bool:
    """Return whether a device only speaks when somebody is at home, as far as is known."""
    return (
        each.set_off
        and not each.regular
        and not each.explained
        and not each.own
        and each.normal_s is not None
        and each.normal_s >= NIGHT_S
    )


def _nobody_else(one: Standing, people: Sequence[Standing], now_s: float) -> bool:
    """Return whether the others that should have spoken while one was quiet did not either."""
    asked = [each for each in people if each is not one and each.due(one.quiet_s(now_s))]
    out = sum(each.over(now_s) for each in asked)
    return bool(asked) and out >= min(2, len(asked)) and out >= HOUSE_SHARE * len(asked)


def _returned(people: Sequence[Standing], groups: Groups, now_s: float) -> bool:
    """Return whether somebody is at home again."""
    asked = [each for each in people if each.due(now_s - (groups.quiet_s or now_s))]
    out = sum(each.over(now_s) for each in asked)
    if out >= HOUSE_SHARE * len(asked) > 0:
        groups.lively_s = None
        return False
    groups.lively_s = groups.lively_s or now_s
    return out < LIVELY_SHARE * len(asked) or not out or now_s - groups.lively_s > LIVELY_S


def _family(home: Home, hub_id: str) -> Sequence[str]:
    """Return all that talk through a hub, also through hubs in between."""
    found: dict[str, None] = {}
    open_ids = [hub_id]
    while open_ids:
        for child in home.children(open_ids.pop()):
            if child.id not in found and child.id != hub_id:
                found[child.id] = None
                open_ids.append(child.id)
    return tuple(found)
