"""What the engine costs: time by event, memory by entity, and that it keeps to its limit.

The events are those of a day of the simulated home, of several homes side by side. The memory is that of entities
which were watched for weeks: the checkpoint of a trial is restored as many times, under other names, as makes up the
limit, and what was allocated from then on is counted, the registries aside.
"""

import gc
import time
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from homeiq_server import registry
from homeiq_server.insights import engine, home
from homeiq_server.insights.finding import Report
from homeiq_server.model import Event

from .disturbances import TICK_S
from .homes import Home
from .state_machine import StateMachine

LIMIT: Final = 50_000
_SIDE_BY_SIDE: Final = 8
_BEYOND: Final = 2_000


def us_per_event(simulated: Home, days: int) -> float:
    """Return the CPU time of ``observe`` for an event in microseconds.

    It is the least of the days after the first: what else runs on the machine makes the others slower.
    """
    copies = [_renamed(simulated.rows, copy) for copy in range(_SIDE_BY_SIDE)]
    watching = engine.Engine("cost")
    watching.place(home.Home.of(_together(copies)))
    spent = []
    for day, (batches, reports) in enumerate(_days(simulated, days)):
        count, took_s = 0, 0.0
        for batch, report in zip(batches, reports, strict=True):
            events = [_copied(event, copy) for event in batch for copy in range(_SIDE_BY_SIDE)]
            if day == 0 and not count:
                watching.begin("stream", report.at_us - int(TICK_S * 1e6))
            count += len(events)
            started_s = time.process_time()
            watching.observe(events)
            took_s += time.process_time() - started_s
            watching.hear(report)
        watching.evaluate(report.at_us)
        watching.take_hours()
        spent.append(took_s * 1e6 / count)
    return min(spent[1:] or spent)


def bytes_per_entity(simulated: Home, checkpoint: Mapping[str, bytes]) -> float:
    """Return the memory that the engine allocates for each of ``LIMIT`` entities that it has watched for weeks."""
    copies = [_renamed(simulated.rows, copy) for copy in range(LIMIT // len(simulated.rows.entities))]
    placed = home.Home.of(_together(copies))
    states = [(_key(key, copy), state) for copy in range(len(copies)) for key, state in checkpoint.items()]
    for entity in placed.entities.values():
        placed.entity(entity.entity_id)
        placed.peers(entity.id)
        placed.entities_of(entity.device_id or "")
        placed.children(entity.device_id or "")
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    watching = engine.Engine("cost")
    watching.restore(states)
    watching.place(placed)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / watching.tracked


def tracked_of_too_many() -> tuple[int, int]:
    """Return how many entities are tracked, and how many were given up, when more speak than the limit allows."""
    entities = tuple(
        registry.Entity(id=f"sensor.e{number}", entity_id=f"sensor.e{number}", registered=False)
        for number in range(LIMIT + _BEYOND)
    )
    watching = engine.Engine("cost", limit=LIMIT)
    watching.place(home.Home.of(registry.Rows(entities=entities)))
    attributes = msgspec.Raw(b"{}")
    for number, entity in enumerate(entities):
        at_us = 1_770_000_000_000_000 + number * 1_000
        watching.observe([Event(entity.entity_id, "1.5", attributes, "1", at_us - 1, at_us, "context", None)])
    return watching.tracked, watching.evicted


def _days(simulated: Home, days: int) -> Iterable[tuple[list[list[Event]], list[Report]]]:
    """Yield each day's events and reports, by five minutes."""
    states, calendar = StateMachine(simulated.things, simulated.seed), simulated.household.calendar
    for day in range(days):
        start_s, end_s = calendar.at(day, 0), calendar.at(day + 1, 0)
        heard = [message for thing in simulated.things for message in thing.day(day, start_s, end_s)]
        heard.sort(key=lambda message: message[0])
        batches, reports, tick_s = [], [], start_s + TICK_S
        for message in heard:
            while message[0] >= tick_s:
                batches.append(states.take_events())
                reports.append(states.poll("stream", tick_s, ()))
                tick_s += TICK_S
            states.take(*message)
        yield batches, reports


def _renamed(rows: registry.Rows, copy: int) -> registry.Rows:
    """Return the same devices under other ids; areas, floors and config entries are a home's own."""
    replace = msgspec.structs.replace
    return registry.Rows(
        floors=rows.floors,
        areas=tuple(replace(area, id=f"{copy:03d}{area.id}") for area in rows.areas),
        config_entries=tuple(replace(entry, id=f"{copy:03d}{entry.id}") for entry in rows.config_entries),
        devices=tuple(
            replace(
                device,
                id=f"{copy:03d}{device.id}",
                area_id=f"{copy:03d}{device.area_id}",
                config_entry_id=f"{copy:03d}{device.config_entry_id}",
                via_device_id=device.via_device_id and f"{copy:03d}{device.via_device_id}",
            )
            for device in rows.devices
        ),
        entities=tuple(
            replace(
                entity,
                id=f"{copy:03d}{entity.id}",
                entity_id=_entity_id(entity.entity_id, copy),
                device_id=f"{copy:03d}{entity.device_id}",
                config_entry_id=f"{copy:03d}{entity.config_entry_id}",
            )
            for entity in rows.entities
        ),
    )


def _together(copies: Sequence[registry.Rows]) -> registry.Rows:
    return registry.Rows(
        floors=copies[0].floors,
        areas=tuple(row for rows in copies for row in rows.areas),
        config_entries=tuple(row for rows in copies for row in rows.config_entries),
        devices=tuple(row for rows in copies for row in rows.devices),
        entities=tuple(row for rows in copies for row in rows.entities),
    )


def _key(key: str, copy: int) -> str:
    """Return a checkpoint's key for a copy: ``entity:ID`` and ``device:ID``; the engine's own is empty."""
    kind, colon, id_ = key.partition(":")
    return f"{kind}:{copy:03d}{id_}" if colon else key


def _entity_id(entity_id: str, copy: int) -> str:
    domain, _, name = entity_id.partition(".")
    return f"{domain}.home{copy:03d}_{name}"


def _copied(event: Event, copy: int) -> Event:
    return Event(_entity_id(event.entity_id, copy), *msgspec.structs.astuple(event)[1:])
