"""A forwarder that sends as fast as it is answered, as a process of its own: ``python -m homeiq_bench.load``.

It sends bodies made before the clock starts, so that it takes little of the cores that it shares with the server.
Reads ``{"port", "token", "connections", "events", "seconds", "seed"}`` from its standard input and answers
``{"acknowledged", "seconds", "latencies_s"}``.
"""

import asyncio
import json
import sys
import time
import uuid
from http import HTTPStatus

from homeiq_bench.http import Connection
from homeiq_bench.payload import EventStream

_BODIES = 40  # per connection; each is some 100 kB
_START_US = 1_790_000_000_000_000


class Forwarder:
    """A stream of its own, one request in flight."""

    def __init__(self, port: int, token: str, events: int, seed: int) -> None:
        self._connection = Connection(port, authorization=f"Bearer {token}")
        self._source, self._stream = uuid.UUID(int=seed).hex, uuid.uuid4().hex
        made = EventStream(seed, _START_US)
        self._bodies = [made.encoded(events) for _ in range(_BODIES)]
        self.latencies_s: list[float] = []

    async def run(self, until: float) -> int:
        """Send until the monotonic clock says ``until``; return how many requests were acknowledged."""
        seq = 0
        while (before := time.monotonic()) < until:
            seq += 1
            answer = await self._connection.post(
                "/api/v1/events", self._opening(seq), self._bodies[seq % _BODIES], b"}"
            )
            if answer.status != HTTPStatus.OK:
                raise RuntimeError(f"not acknowledged: {answer}")
            self.latencies_s.append(time.monotonic() - before)
        self._connection.abort()
        return seq

    def _opening(self, seq: int) -> bytes:
        return (
            f'{{"source":"{self._source}","stream":"{self._stream}","seq":{seq},"started_us":{_START_US},"events":'
        ).encode()


async def _main(order: dict[str, object]) -> None:
    events, seconds = int(str(order["events"])), float(str(order["seconds"]))
    forwarders = [
        Forwarder(int(str(order["port"])), str(order["token"]), events, int(str(order["seed"])) + n)
        for n in range(int(str(order["connections"])))
    ]
    before = time.monotonic()
    requests = await asyncio.gather(*(each.run(before + seconds) for each in forwarders))
    took = time.monotonic() - before
    latencies = [value for each in forwarders for value in each.latencies_s]
    print(json.dumps({"acknowledged": sum(requests) * events, "seconds": took, "latencies_s": latencies}))


if __name__ == "__main__":
    asyncio.run(_main(json.load(sys.stdin)))
