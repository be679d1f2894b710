"""One bad line among 5,000: what is written, what is a dead letter, and how many requests it took to find out.

Against a database that speaks each product's dialect, one that names no line, and the real ones that are here. Between
them and the writer stands a watcher that counts the requests.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, override

from aiohttp import web

from homeiq_bench import influxd
from homeiq_bench.database import VictoriaMetrics, Watcher
from homeiq_bench.influxd import DATABASE, Influxd
from homeiq_bench.report import arguments, finish, say
from homeiq_server import VERSION
from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.spool import Spool
from homeiq_server.history.writer import Writer
from homeiq_server.history.writer.outage import Timing
from homeiq_server.model import Intake, Lines, Tally
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running

_LINES: Final = 5_000
_BAD_AT: Final = 3_210
_WITHIN_S: Final = 60
_SETTLING_S: Final = 0.5
_BAD: Final = {
    "unreadable": b'this "is" no\ttemperature of 5 degrees',
    "conflict": b'climate,entity_id=odd value="warm" %d',
}
_FAKES: Final = ("influx1", "influx2", "influx3", "victoria", "nameless")
_TYPELESS: Final = ("victoria", "victoria_metrics")


class Nameless(FakeDatabase):
    """Refuses all lines for the sake of one, and does not tell which."""

    @override
    def take(self, lines: list[bytes], precision: str) -> web.Response:
        answer = super().take(lines, precision)
        if answer.status < web.HTTPBadRequest.status_code:
            return answer
        return web.json_response({"code": "invalid", "message": "something is wrong"}, status=400)


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    figures: dict[str, int] = {"lines": _LINES}
    broken = []
    for dialect, kind, written, dead, requests in asyncio.run(_all()):
        say(f"{dialect}, one {kind} line: {written} written, {dead} dead, {requests} requests")
        figures |= {f"{dialect}_{kind}_requests": requests, f"{dialect}_{kind}_written": written}
        if (written, dead) != (_LINES - 1, 1):
            broken.append(f"{dialect}: {written} lines of {_LINES} were written and {dead} are dead letters")
    asked_for = {name: number for name, number in figures.items() if name.endswith("_requests")}
    figures["most_requests_when_named"] = max(n for name, n in asked_for.items() if not name.startswith("nameless"))
    figures["most_requests_otherwise"] = max(n for name, n in asked_for.items() if name.startswith("nameless"))
    figures["fewest_lines_written"] = min(n for name, n in figures.items() if name.endswith("_written"))
    finish("rejects", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


async def _all() -> list[tuple[str, str, int, int, int]]:
    """Return for each dialect and kind of fault: lines written, dead letters, requests."""
    found = []
    for dialect in (*_FAKES, *_REAL):
        for kind in _BAD:
            if kind == "conflict" and dialect in _TYPELESS:
                continue
            async with _database(dialect) as url:
                found.append((dialect, kind, *await _write(url, kind)))
    return found


async def _write(url: str, kind: str) -> tuple[int, int, int]:
    """Put the lines in a spool, let a writer bring them to the database, and return what has become of them."""
    with tempfile.TemporaryDirectory() as folder, Watcher(url) as watcher:
        spool = await Spool.open(Path(folder) / "spool.db", limit_bytes=2**30)
        target = Influx(InfluxSettings(url=watcher.url, bucket=DATABASE), victoria_settling_s=_SETTLING_S)
        writer = Writer(spool, target, timing=Timing(backoff=0.1, hold=0.1, probe=0.1))
        task = asyncio.create_task(writer.run(), name="writer")
        try:
            async with asyncio.timeout(_WITHIN_S):
                await _until(lambda: writer.report().identity is not None)
                spool.form = target.form
                await _put(spool, [b"climate,entity_id=first value=1.5 %d" % (time.time_ns() // 1_000)])
                watcher.writes.clear()  # it was asked what it is, and knows now that the values are numbers
                await _put(spool, list(_lines(kind)))
        finally:
            task.cancel()
            await asyncio.wait([task])
            await target.close()
            await spool.close()
        lines = spool.totals().lines
        return lines.written - 1, lines.dead, len(watcher.writes)


async def _put(spool: Spool, lines: list[bytes]) -> None:
    """Put lines into the spool, and return when nothing of them waits any more."""
    tally = Tally(received=len(lines), converted=len(lines), skipped={}, rejected={})
    body = Lines(b"\n".join(lines), len(lines), "us")
    await spool.put(Intake(channel="line_protocol", tally=tally, lines=body))
    await _until(lambda: not spool.totals().lines.queued)


def _lines(kind: str) -> Iterator[bytes]:
    now_us = time.time_ns() // 1_000
    for number in range(_LINES):
        if number == _BAD_AT:
            yield _BAD[kind].replace(b"%d", str(now_us).encode())
        else:
            yield f"climate,entity_id=e{number} value={number}.5 {now_us + number}".encode()


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # the totals are published without an event of ours
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def _database(dialect: str) -> AsyncIterator[str]:
    if open_real := _REAL.get(dialect):
        with tempfile.TemporaryDirectory() as folder, open_real(Path(folder) / "database") as real:
            yield real.url
        return
    async with running(Nameless("influx2") if dialect == "nameless" else FakeDatabase(dialect)) as fake:
        yield fake.url


_REAL: dict[str, Callable[[Path], AbstractContextManager[VictoriaMetrics | Influxd]]] = {
    "victoria_metrics": VictoriaMetrics
}
if influxd.PROGRAM.exists():
    _REAL["influxdb"] = Influxd


if __name__ == "__main__":
    main()
