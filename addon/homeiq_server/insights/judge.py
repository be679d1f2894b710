"""An evaluation: every device and entity is asked, common causes are found, and every device's health is told."""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final

from homeiq_server.insights import (
    battery,
    commands,
    drift,
    energy,
    flapping,
    grouping,
    health,
    impossible,
    link,
    offline,
    silent,
    stuck,
)
from homeiq_server.insights.clock import Clock
from homeiq_server.insights.finding import BatteryEnd, Condition, Evaluation, Health, Kind
from homeiq_server.insights.grouping import Groups
from homeiq_server.insights.roster import Roster
from homeiq_server.insights.standing import Standing
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.track import DeviceSeat, Seat
from homeiq_server.insights.words import DAY_S, MICROSECONDS
from homeiq_server.registry import Device

_STEP: Final = 256
"""Devices or entities between two yields, some milliseconds."""
_DEPENDS: Final = frozenset({Kind.HUB_DOWN, Kind.INTEGRATION_DOWN})
"""Kinds whose ``affected`` devices have no fault of their own."""


def judge(
    roster: Roster, clock: Clock, groups: Groups, hygiene: Sequence[Condition], now_us: int
) -> Generator[None, None, Evaluation]:
    """Evaluate everything; yields now and then, so that an event loop can go on."""
    things = [each for each in roster.home.wholes if watched(each)]
    of_devices = yield from _devices(roster, things, clock, groups, now_us)
    of_entities, ends = yield from _entities(roster, clock.latest_us)
    found = tuple(_once([*of_devices, *of_entities, *_drifting(roster, clock.latest_us), *hygiene]))
    told = yield from _told(roster, things, found, ends, clock)
    return Evaluation(at_us=now_us, settled=clock.settled, conditions=found, health=told)


def _devices(
    roster: Roster, things: Sequence[Device], clock: Clock, groups: Groups, now_us: int
) -> Generator[None, None, list[Condition]]:
    """Find what devices have, together and each for itself."""
    standings: dict[str, Standing] = {}
    found: list[Condition] = []
    for device in _paused(things):
        if device is None:
            yield
        elif (seat := roster.devices.get(device.id)) is not None:
            standings[device.id] = _standing(seat, clock)
            found.extend(_of_device(seat, clock, roster.touch))
    common = grouping.find(roster.home, standings, groups, clock, now_us)
    for each in standings.values():
        if each.explained and (seat := roster.devices.get(each.device.id)) is not None:
            seat.touch = roster.touch
    return [*common, *found, *_own(standings.values(), now_us)]


def _entities(roster: Roster, now_us: int) -> Generator[None, None, tuple[list[Condition], dict[str, BatteryEnd]]]:
    """Find what entities have, and when each device's first battery ends."""
    found: list[Condition] = []
    ends: dict[str, BatteryEnd] = {}
    for seat in _paused(list(roster.seats.values())):
        if seat is None:
            yield
            continue
        if not seat.rules:
            continue
        device = roster.home.device_of(seat.entity)
        if device is None or watched(device):
            found.extend(_of_entity(seat, device, now_us, roster.touch))
            _note_end(ends, seat, device, now_us)
    return found, ends


def _told(
    roster: Roster, things: Sequence[Device], found: Iterable[Condition], ends: Mapping[str, BatteryEnd], clock: Clock
) -> Generator[None, None, dict[str, Health]]:
    """Tell every device's health."""
    of_device: defaultdict[str, list[Condition]] = defaultdict(list)
    affected: set[str] = set()
    for condition in found:
        if condition.device_id is not None:
            of_device[condition.device_id].append(condition)
        if condition.kind in _DEPENDS:
            affected.update(condition.affected)
    told: dict[str, Health] = {}
    for device in _paused(things):
        if device is None:
            yield
            continue
        count, days = _observed(roster.devices.get(device.id), clock)
        told[device.id] = health.assess(
            device,
            of_device.get(device.id, ()),
            count=count,
            days=days,
            affected=device.id in affected,
            battery_end=ends.get(device.id),
        )
    return told


def _paused[T](things: Sequence[T]) -> Iterator[T | None]:
    """Yield the things, and None where there is to be a pause."""
    for number, thing in enumerate(things, 1):
        yield thing
        if not number % _STEP:
            yield None


def watched(device: Device) -> bool:
    """Return whether a device is a thing that is in use."""
    return device.disabled_by is None and device.entry_type != "service"


def _standing(seat: DeviceSeat, clock: Clock) -> Standing:
    track, silence = seat.track, seat.track.silence
    now_s = clock.judged_s
    active_s = clock.activity.read(now_s)
    limit_s = silence.limit_s(event_driven=not seat.regular) if silence is not None else None
    patience_s = (limit_s or offline.UNKNOWN_S) if track.away_by_start else offline.LIMIT_S
    known = limit_s is not None and not seat.idle
    quiet = None
    if silence is not None and known and track.away_s is None:
        lull = track.lull if seat.by_people else None
        quiet = silent.evidence(silence, now_s, event_driven=not seat.regular, lull=lull, active_s=active_s)
    return Standing(
        device=seat.device,
        track=track,
        away_s=track.away_s,
        heard_s=silence.heard_s if silence is not None else None,
        normal_s=silence.normal_s(silence.heard_s) if silence is not None and known else None,
        offline=offline.evidence(track.away_s, clock.now_s, patience_s),
        silent=quiet,
        regular=seat.regular,
        set_off=seat.set_off,
        overdue=silence is not None and limit_s is not None and now_s - silence.heard_s > limit_s,
        active_s=active_s,
    )


def _own(standings: Iterable[Standing], now_us: int) -> Iterator[Condition]:
    """Yield what devices have of their own, without what a common cause explains."""
    for each in standings:
        if each.explained:
            continue
        if each.offline is not None:
            yield offline.condition(each.device, each.offline, each.track.away_us or now_us)
        elif each.silent is not None:
            each.track.own_s = each.heard_s
            yield silent.condition(each.device, each.silent, each.track.seen_us or now_us)


def _of_device(seat: DeviceSeat, clock: Clock, touch: int) -> Iterator[Condition]:
    track = seat.track
    if track.flapping is not None and track.flapping.since_us:
        seat.touch = touch
        if (evidence := track.flapping.check(clock.now_s)) is not None:
            yield flapping.condition(seat.device, evidence, track.flapping.since_us)
    if track.commands is not None and (evidence := track.commands.check()) is not None:
        yield commands.condition(Subject.of_device(seat.device), evidence, clock.latest_us)
    if track.link is not None:
        raised = track.link.raised
        if (evidence := track.link.check(clock.latest_us / MICROSECONDS)) is not None:
            yield link.condition(Subject.of_device(seat.device), evidence, clock.latest_us)
        if track.link.raised != raised:
            seat.touch = touch


def _of_entity(seat: Seat, device: Device | None, now_us: int, touch: int) -> Iterator[Condition]:
    """Yield what is found about an entity; a check that changes what is remembered marks it."""
    track, entity, now_s = seat.track, seat.entity, now_us / MICROSECONDS
    if track.stuck is not None and (evidence := track.stuck.check(now_s)) is not None:
        yield stuck.condition(Subject.of_entity(entity, device), evidence, now_us)
    if track.values is not None and (evidence := track.values.check()) is not None:
        yield impossible.condition(Subject.of_entity(entity, device), evidence, now_us)
    if track.energy is not None and (evidence := track.energy.check(now_s)) is not None:
        yield energy.condition(Subject.of_entity(entity, device), evidence, now_us)
    about = Subject.of_device(device, entity) if device is not None else Subject.of_entity(entity, None)
    if track.battery is not None:
        estimated = track.battery.estimated
        if (evidence := track.battery.check(now_s)) is not None:
            yield battery.condition(about, evidence, now_us)
        if track.battery.estimated != estimated:
            seat.touch = touch
    if track.link is not None:
        raised = track.link.raised
        if (evidence := track.link.check(now_s)) is not None:
            yield link.condition(about, evidence, now_us)
        if track.link.raised != raised:
            seat.touch = touch


def _note_end(ends: dict[str, BatteryEnd], seat: Seat, device: Device | None, now_us: int) -> None:
    """Keep the first end of a device's batteries."""
    if device is None or seat.track.battery is None:
        return
    end = seat.track.battery.end(now_us / MICROSECONDS)
    if end is not None and (device.id not in ends or end.expected_us < ends[device.id].expected_us):
        ends[device.id] = end


def _drifting(roster: Roster, now_us: int) -> Iterator[Condition]:
    home, seats = roster.home, roster.seats.values()
    drifts = {seat.entity.id: seat.track.drift for seat in seats if seat.track.drift is not None}
    for id_, evidence in drift.apart(drifts, home.peers).items():
        entity = home.entities.get(id_)
        if entity is not None:
            yield drift.condition(Subject.of_entity(entity, home.device_of(entity)), evidence, now_us)


def _observed(seat: DeviceSeat | None, clock: Clock) -> tuple[int, float]:
    """Return how many reports of a device were heard, and over how many days."""
    silence = seat.track.silence if seat is not None else None
    return (silence.reports, (clock.now_s - silence.first_s) / DAY_S) if silence is not None else (0, 0.0)


def _once(conditions: Iterable[Condition]) -> Iterable[Condition]:
    """Return the first condition of each kind and subject: an earlier one knows more."""
    found: dict[tuple[Kind, str, str], Condition] = {}
    for each in conditions:
        found.setdefault((each.kind, each.subject_type, each.subject), each)
    return found.values()


def states(roster: Roster) -> tuple[Mapping[str, str], Mapping[str, int]]:
    """Return the present states that are asked for, and since when they are so, by entity id."""
    kept = [(entity_id, seat.track) for entity_id, seat in roster.seats.items() if seat.track.state is not None]
    return {id_: track.state or "" for id_, track in kept}, {id_: track.state_us for id_, track in kept}
