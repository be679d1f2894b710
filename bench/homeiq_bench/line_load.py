"""Sends line protocol as fast as it is answered, as a process of its own: ``python -m homeiq_bench.line_load``.

Whole requests are made before the clock starts, and each connection is a thread that only hands them to the kernel: a
load that took more of the cores would measure itself. Reads ``{"port", "path", "authorization", "connections", "lines",
"attributes", "seconds"}`` from its standard input and answers ``{"acknowledged", "bytes_per_line", "seconds",
"latencies_s"}``.
"""

import json
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from homeiq_bench.payload import recorded_lines

_REQUESTS = 30  # per connection
_START_NS = 1_790_000_000_000_000_000
_TIMEOUT_S = 60


class Sender:
    """One connection, one request in flight.

    Attributes:
        latencies_s: How long each answer took.
    """

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._requests = requests
        self.latencies_s: list[float] = []

    def run(self, until: float) -> None:
        """Send until the monotonic clock says ``until``."""
        with socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (before := time.monotonic()) < until:
                connection.sendall(self._requests[len(self.latencies_s) % len(self._requests)])
                head = connection.recv(4096)
                while not head.endswith(b"\r\n\r\n"):
                    if not (more := connection.recv(4096)):
                        raise RuntimeError(f"the connection ended after {head!r}")
                    head += more
                if not head.startswith(b"HTTP/1.1 204"):
                    raise RuntimeError(f"not acknowledged: {head!r}")
                self.latencies_s.append(time.monotonic() - before)


def _requests(order: dict[str, Any], connection: int) -> list[bytes]:
    """Return requests of the recorded mix, each line at its own nanosecond."""
    bodies = recorded_lines(
        connection,
        _START_NS + connection * 10**12,
        requests=_REQUESTS,
        lines=order["lines"],
        attributes=order["attributes"],
    )
    head = (
        f"POST {order['path']} HTTP/1.1\r\nHost: 127.0.0.1:{order['port']}\r\n"
        f"Authorization: {order['authorization']}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
    )
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


def main() -> None:
    """Carry out the order."""
    order = json.load(sys.stdin)
    senders = [Sender(order["port"], _requests(order, n)) for n in range(order["connections"])]
    size = sum(map(len, _requests(order, 0))) / (_REQUESTS * order["lines"])
    before = time.monotonic()
    with ThreadPoolExecutor(len(senders)) as threads:
        for done in [threads.submit(sender.run, before + order["seconds"]) for sender in senders]:
            done.result()
    took = time.monotonic() - before
    latencies = [value for sender in senders for value in sender.latencies_s]
    answer = {"acknowledged": len(latencies) * order["lines"], "bytes_per_line": size, "seconds": took}
    print(json.dumps({**answer, "latencies_s": latencies}))


if __name__ == "__main__":
    main()
