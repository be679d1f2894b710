"""A forwarder that sends as fast as it is answered, as a process of its own: ``python -m homeiq_bench.load``.

It speaks HTTP/1.1 by hand and sends bodies made before the clock starts, so that it takes little of the cores that
it shares with the server. Reads ``{"port", "token", "connections", "events", "seconds", "seed"}`` from its standard
input and answers ``{"acknowledged", "seconds", "latencies_s"}``.
"""

import asyncio
import json
import sys
import time
import uuid

from homeiq_bench.payload import EventStream

_BODIES = 40  # per connection; each is some 100 kB
_START_US = 1_790_000_000_000_000


class Connection:
    """One forwarder: a stream of its own, one request in flight."""

    def __init__(self, port: int, token: str, events: int, seed: int) -> None:
        self._port = port
        self._source, self._stream = uuid.UUID(int=seed).hex, uuid.uuid4().hex
        self._head = (
            f"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        ).encode()
        made = EventStream(seed, _START_US)
        self._bodies = [
            json.dumps(made.events(events), ensure_ascii=False, separators=(",", ":")).encode() for _ in range(_BODIES)
        ]
        self.latencies_s: list[float] = []

    async def run(self, until: float) -> int:
        """Send until the monotonic clock says ``until``; return how many requests were acknowledged."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        seq = 0
        while (before := time.monotonic()) < until:
            seq += 1
            writer.writelines(self._request(seq))
            await _acknowledged(reader)
            self.latencies_s.append(time.monotonic() - before)
        writer.close()
        await writer.wait_closed()
        return seq

    def _request(self, seq: int) -> tuple[bytes, ...]:
        opening = (
            f'{{"source":"{self._source}","stream":"{self._stream}","seq":{seq},"started_us":{_START_US},"events":'
        ).encode()
        events = self._bodies[seq % _BODIES]
        return self._head, b"%d\r\n\r\n" % (len(opening) + len(events) + 1), opening, events, b"}"


async def _acknowledged(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"not acknowledged: {head!r} {body!r}")


async def _main(order: dict[str, object]) -> None:
    events, seconds = int(str(order["events"])), float(str(order["seconds"]))
    connections = [
        Connection(int(str(order["port"])), str(order["token"]), events, int(str(order["seed"])) + n)
        for n in range(int(str(order["connections"])))
    ]
    before = time.monotonic()
    requests = await asyncio.gather(*(each.run(before + seconds) for each in connections))
    took = time.monotonic() - before
    latencies = [value for each in connections for value in each.latencies_s]
    print(json.dumps({"acknowledged": sum(requests) * events, "seconds": took, "latencies_s": latencies}))


if __name__ == "__main__":
    asyncio.run(_main(json.load(sys.stdin)))
