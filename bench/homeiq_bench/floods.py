"""What might take a server's memory: each flood is what many senders send it at once."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from homeiq_bench.flood_bodies import (
    EVENTS,
    JSON,
    LINES_PATH,
    PLAIN,
    Post,
    envelope,
    hard_bodies,
    large_bodies,
    line_bodies,
)
from homeiq_bench.http import Connection
from homeiq_bench.server import Server

_SOURCES, _LABELS = 40, 20_000


@dataclass(frozen=True, slots=True)
class Flood:
    """One of them.

    Attributes:
        name: For the figures.
        connections: How many send at once.
        posts: Yields what one connection sends, the connection's number given; it ends, or goes on without end.
        entities: How many different entities come.
    """

    name: str
    connections: int
    posts: Callable[[int], Iterator[Post]]
    entities: int = 0


def floods(series: int, tracked: int) -> list[Flood]:
    """Return all of them; ``series`` and ``tracked`` are how many entities the last ones have."""
    large, hard = list(large_bodies()), list(hard_bodies())
    lines = list(line_bodies())
    return [
        Flood("large_bodies", 200, lambda n: _streamed(large, n)),
        Flood("hard_bodies", 200, lambda n: _again(hard, n)),
        Flood("large_line_bodies", 200, lambda n: _again(lines, n)),
        Flood("labels_of_many_sources", 4, lambda n: _labels(n, _SOURCES // 4), tracked),
        Flood("many_series", 4, lambda n: _series(n, series // 4, times=1), series),
        Flood("many_lines_series", 4, lambda n: _line_series(n, series // 4)),
        Flood("tracked_entities", 4, lambda n: _series(n, tracked // 4, times=10), tracked),
    ]


async def pour(flood: Flood, server: Server, seconds: float) -> Counter[int]:
    """Send a flood for so long, or until it ends; return how often each status came, 0 for a broken connection."""
    statuses: Counter[int] = Counter()

    async def send(number: int) -> None:
        connection = Connection(server.port, authorization=f"Bearer {server.token}")
        for path, body, headers in flood.posts(number):
            if time.monotonic() > until:
                break
            try:
                statuses[(await connection.post(path, body, headers=headers)).status] += 1
            except OSError, EOFError:  # refused before all of it was read
                statuses[0] += 1
        connection.abort()

    until = time.monotonic() + seconds
    async with asyncio.TaskGroup() as tasks:
        for number in range(flood.connections):
            tasks.create_task(send(number))
    return statuses


def _again(bodies: list[Post], number: int) -> Iterator[Post]:
    """Yield them without end; each connection begins with another one."""
    while True:
        for path, body, headers in bodies[number % len(bodies) :] + bodies[: number % len(bodies)]:
            if path == "/api/v1/events" and body.startswith(b"["):
                yield path, envelope(uuid.uuid4().hex, 1, body), headers
            else:
                yield path, body, headers


def _streamed(events: list[bytes], number: int) -> Iterator[Post]:
    """Yield each as the first batch of a stream of its own, so that a refused one needs no second try."""
    return _again([("/api/v1/events", each, JSON) for each in events], number)


def _series(connection: int, count: int, *, times: int) -> Iterator[Post]:
    """Yield batches in which each of ``count`` entities changes, ``times`` over; they have labels and attributes."""
    stream, seq, now_us = uuid.uuid4().hex, 0, round(time.time()) * 1_000_000
    for turn in range(times):
        for start in range(0, count, EVENTS):
            seq += 1
            names = [f"sensor.flood_{connection}_{number}" for number in range(start, min(start + EVENTS, count))]
            labels = {name: {"area": "kitchen", "device": f"device of {name}"} for name in names} if turn == 0 else None
            attributes = {"unit_of_measurement": "W", "device_class": "power"}
            events = [
                [name, str(turn), {**attributes, "friendly_name": f"Flood {name}"}, None, None, now_us + turn, "", None]
                for name in names
            ]
            yield "/api/v1/events", envelope(stream, seq, json.dumps(events).encode(), labels), JSON


def _labels(connection: int, sources: int) -> Iterator[Post]:
    """Yield the labels of some sources, each with as many entities as a large home of its own would have."""
    for number in range(sources):
        source = f"home{connection}-{number}"
        labels = {f"sensor.flood_{n}": {"area": "kitchen", "device": f"device {n}"} for n in range(_LABELS)}
        event = f'[["sensor.flood_1","{number}",{{}},null,null,{round(time.time()) * 1_000_000},"",null]]'
        yield "/api/v1/events", envelope(source, 1, event.encode(), labels), JSON


def _line_series(connection: int, count: int) -> Iterator[Post]:
    """Yield line protocol in which each line is a series of its own."""
    for start in range(0, count, EVENTS):
        numbers = range(start, min(start + EVENTS, count))
        lines = [f"flood,host=host{connection}_{n},region=r{n % 100} value={n}.5" for n in numbers]
        yield LINES_PATH, "\n".join(lines).encode(), PLAIN
