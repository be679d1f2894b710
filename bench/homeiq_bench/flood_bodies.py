"""Bodies that are as large as they may be, hard to read, or little on the wire and much in memory."""

import gzip
import json
import random
import time
from collections.abc import Iterator, Mapping
from typing import Final

from homeiq_bench.payload import EventStream

MEBIBYTE: Final = 1024 * 1024
LARGEST: Final = 4 * MEBIBYTE
EVENTS: Final = 5_000
LINES_PATH: Final = "/api/v2/write?org=bench&bucket=bench"
JSON: Final = "Content-Type: application/json\r\n"
PLAIN: Final = "Content-Type: text/plain\r\n"
PACKED: Final = "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n"

type Post = tuple[str, bytes, str]
"""Path, body, headers."""


def envelope(stream: str, seq: int, events: bytes, entities: Mapping[str, object] | None = None) -> bytes:
    """Return a batch of a stream; ``events`` is a JSON array."""
    more = f'"entities":{json.dumps(entities)},' if entities else ""
    return (
        f'{{"source":"{stream}","stream":"{stream}","seq":{seq},"started_us":1,{more}"events":'.encode() + events + b"}"
    )


def large_bodies() -> Iterator[bytes]:
    """Yield arrays of as many events as a batch may have, filled up to the largest body."""
    now_us = round(time.time()) * 1_000_000
    for seed in range(4):
        events = EventStream(seed, now_us).events(EVENTS)
        room = (LARGEST - 4_096 - len(json.dumps(events, separators=(",", ":")).encode())) // EVENTS - 20
        chance = random.Random(seed)  # noqa: S311  # filling, no secret
        for event in events:
            attributes = event[2]
            if isinstance(attributes, dict) and room > 0:
                event[2] = {**attributes, "filling": f"{chance.getrandbits(room * 4):x}"}
        yield json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()


def hard_bodies() -> Iterator[Post]:
    """Yield what is hard to read, or is little on the wire and much in memory."""
    path, size = "/api/v1/events", LARGEST - 4_096
    event = '["sensor.a","1",{},null,null,1790000000000000,"",null]'
    long = json.dumps(["sensor.a", "x" * size, {}, None, None, 1_790_000_000_000_000, "", None])
    nested = "[" * 1_000 + "]" * 1_000
    yield path, f"[{long}]".encode(), JSON
    yield path, f"[{event.replace('{}', '{' + f'"a":"{"x" * size}"' + '}')}]".encode(), JSON
    yield path, f"[{','.join([event.replace('{}', '{"a":' + nested + '}')] * (size // 2_100))}]".encode(), JSON
    yield path, f"[{','.join(['["sensor.a"]'] * EVENTS)}]".encode(), JSON
    yield path, f"[{','.join(['1'] * (size // 2))}]".encode(), JSON
    yield path, b"{" * size, JSON
    yield path, envelope("labels", 1, b"[]", {f"sensor.{n}": {"area": f"room {n}"} for n in range(90_000)}), JSON
    keys = ",".join(f'"k{n}":{n}' for n in range(size // 14))
    yield path, f"[{event.replace('{}', '{' + keys + '}')}]".encode(), JSON


def line_bodies() -> Iterator[Post]:
    """Yield line protocol: much of it, little that unpacks to much, and what is none."""
    count = LARGEST // 40
    line = b"short,a=b value=1 179000000%010d000000000"
    short = b"\n".join(line[:-9] % number for number in range(count))[:LARGEST].rsplit(b"\n", 1)[0]
    yield LINES_PATH, short, PLAIN
    yield LINES_PATH, gzip.compress(short * 8, 1), PACKED
    yield LINES_PATH, gzip.compress(b"\n" * (1024 * MEBIBYTE), 1)[: LARGEST - 1], PACKED
    yield LINES_PATH, b"long,a=" + b"b" * (LARGEST - 100) + b" value=1", PLAIN
    yield LINES_PATH, b"many " + b",".join(b"f%d=1" % n for n in range(LARGEST // 12)), PLAIN
    yield LINES_PATH, b"a b=1\n" * (LARGEST // 6), PLAIN
    yield LINES_PATH, b"\x00\xff" * (LARGEST // 2), PLAIN
