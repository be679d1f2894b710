"""A day of a busy home while the database is away: what is lost, what it costs, how long until all is written.

24 h at 50 events/s of the recorded mix, sent as fast as they are committed, 50 a commit; then the database comes back
and is given no more than the default lines a second, while the home goes on at 50 events/s.
"""

import asyncio
import statistics
import tempfile
import time
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from homeiq_bench.faulty_influx import FaultyInflux
from homeiq_bench.gauge import Gauge
from homeiq_bench.http import Connection
from homeiq_bench.payload import EventStream
from homeiq_bench.report import arguments, finish, say
from homeiq_bench.server import Server, new_token
from homeiq_demo.laws import laws
from homeiq_server import VERSION

_PER_S: Final = 50
_HOURS, _QUICK_HOURS = 24, 1
_EVERY_US: Final = 1_000_000 // _PER_S
_DRAINED_WITHIN_S: Final = 1_800
_TELL_EVERY: Final = 500_000
_LOOK_EVERY_S: Final = 0.1


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    total = (_QUICK_HOURS if asked.quick else _HOURS) * 3_600 * _PER_S
    with tempfile.TemporaryDirectory() as folder, FaultyInflux(Path(folder) / "influx") as influx:
        options = {"influx_url": influx.url, "influx_token": new_token(), "influx_org": "o", "influx_bucket": "b"}
        with Server(Path(folder) / "server", options) as server, Gauge(server.folder, server.pid) as gauge:
            home = Home(server, total)
            _wait_until_known(server)
            influx.kill()
            away_s = asyncio.run(home.send_all())
            queued, queue_mb = server.status()["lines"]["queued"], server.status()["spool"]["bytes"] / 1e6
            say(f"the database is back; {queued:,} lines wait")
            influx.start()
            drain_s = asyncio.run(home.watch(influx))
            status = server.status()
            figures = {
                "events": home.sent,
                "lost_events": home.lost(status),
                "lines_taken": home.lines,
                "sent_in_s": round(away_s, 1),
                "acknowledged_events_per_s": round(total / away_s),
                "queued_lines": queued,
                "queue_mb": round(queue_mb, 1),
                "peak_disk_mb": round(gauge.peak_disk_mb, 1),
                "server_peak_memory_mb": round(server.peak_memory_mb(), 1),
                "server_peak_pss_mb": round(gauge.peak_pss_mb, 1),
                "drain_minutes": round(drain_s / 60, 2),
                "fresh_event_to_database_p50_s": round(statistics.median(home.fresh_s), 2),
                "fresh_event_to_database_max_s": round(max(home.fresh_s), 2),
            }
    broken = [str(law) for law in laws(status) if not law.holds]
    if figures["lost_events"]:
        broken.append(f"{figures['lost_events']} events are lost")
    if status["lines"]["dead"] or status["lines"]["dropped"] or status["gaps"]["open"]:
        broken.append(f"not all was written, or a gap is open: {status['lines']}, {status['gaps']}")
    finish("outage", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


class Home:
    """Sends what happens in a day and after it, and keeps what of it the database has taken.

    Attributes:
        sent: How many events were acknowledged.
        lines: How many lines the database has taken.
        fresh_s: For each batch sent after the database's return: from its acknowledgement to the database.
    """

    def __init__(self, server: Server, total: int) -> None:
        self._connection = Connection(server.port, authorization=f"Bearer {server.token}")
        self._server, self._total = server, total
        self._start_us = round(time.time()) * 1_000_000 - total * _EVERY_US
        self._stream, self._seq = uuid.uuid4().hex, 0
        self._events = EventStream(1, self._start_us, every_us=_EVERY_US)
        self._taken = bytearray(total)
        self._waiting: dict[int, float] = {}
        self._to_write = 0
        self.sent = self.lines = 0
        self.fresh_s: list[float] = []

    async def send_all(self) -> float:
        """Send the day, commit by commit; return the seconds that it took, the making of the events not counted."""
        took_s = 0.0
        while self.sent < self._total:
            took_s += await self._send()
            if self.sent % _TELL_EVERY == 0:
                say(f"{self.sent:,} of {self._total:,} events acknowledged")
        self._connection.abort()
        self._to_write = self._total - self._server.status()["intake"]["events"]["skipped"]
        return took_s

    async def watch(self, influx: FaultyInflux) -> float:
        """Go on, a batch a second, until all that had waited is written; return the seconds that this took."""
        began, drained_s = time.monotonic(), 0.0
        while not self._is_drained() or self._waiting:
            if time.monotonic() > began + _DRAINED_WITHIN_S:
                raise RuntimeError(f"not drained after {_DRAINED_WITHIN_S} s: {self._server.status()['lines']}")
            if not self.lines:  # what comes before the server has noticed the return, belongs to the outage
                self._note(influx)
                await asyncio.sleep(_LOOK_EVERY_S)
                continue
            if not self._is_drained():
                drained_s = time.monotonic() - began
                await self._send()
                self._waiting[self.sent] = time.monotonic()
            for _ in range(10):
                await asyncio.sleep(_LOOK_EVERY_S)
                self._note(influx)
        self._connection.abort()
        return drained_s

    def lost(self, status: dict[str, Any]) -> int:
        """Return how many of the events for which there was something to store the database does not have."""
        counts = status["intake"]["events"]
        if counts["received"] != self.sent or counts["rejected"] or counts["duplicate"]:
            raise RuntimeError(f"{self.sent} events were sent; the server counts {counts}")
        return self.sent - int(counts["skipped"]) - sum(self._taken)

    async def _send(self) -> float:
        events, self._seq = self._events.encoded(_PER_S), self._seq + 1
        opening = (
            f'{{"source":"home","stream":"{self._stream}","seq":{self._seq},"started_us":{self._start_us},"events":'
        )
        before = time.monotonic()
        answer = await self._connection.post("/api/v1/events", opening.encode(), events, b"}")
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"not acknowledged: {answer}")
        self.sent += _PER_S
        return time.monotonic() - before

    def _is_drained(self) -> bool:
        return self._taken.count(1, 0, self._total) >= self._to_write

    def _note(self, influx: FaultyInflux) -> None:
        """Mark what the database has taken, each event by its time."""
        for body in influx.taken():
            for line in body.split(b"\n"):
                place = (int(line[line.rfind(b" ") + 1 :]) - self._start_us) // _EVERY_US - 1
                if place >= len(self._taken):
                    self._taken.extend(bytes(place + 1 - len(self._taken)))
                self._taken[place] = 1
                self.lines += 1
        for end in [end for end in self._waiting if self._taken.count(1, end - _PER_S, end)]:
            self.fresh_s.append(time.monotonic() - self._waiting.pop(end))


def _wait_until_known(server: Server) -> None:
    """Return once the server has reached its database: from then on it takes events whether that is there or not."""
    while server.status()["database"]["state"] != "ok":
        time.sleep(0.05)


if __name__ == "__main__":
    main()
