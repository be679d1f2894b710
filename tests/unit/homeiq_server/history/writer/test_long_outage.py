"""Days and minutes in virtual time: how often a database that is away is asked, and who goes first when it is back."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.spool import Row
from homeiq_server.history.target import Form, Identity, Kept, Target
from homeiq_server.history.writer import Writer
from homeiq_server.history.writer.outside import NEW
from tests.unit.homeiq_server.history.writer.virtual_time import run
from tests.unit.homeiq_server.history.writer.writer_builders import ShortQueue, row

AWAY = Refusal(action=Action.RETRY, category=Category.NETWORK, reason="away")
HOUR = 3_600.0
CAP = 20_000


@dataclass
class MemoryDatabase(Target):
    """Takes lines in virtual time.

    Attributes:
        away: Nobody answers.
        request_s: How long a request takes, however large.
        written_at: When each line was acknowledged, by its text.
        tries: How often it was asked who it is.
        probes: How often it was asked how it is.
        first_healthy_at: When the latter was first answered.
    """

    name: str = "memory"
    url: str = "http://memory"
    form: Form = "influx"
    kept: Kept = Kept()  # noqa: RUF009 - frozen
    settling_s: float = 0
    away: bool = False
    request_s: float = 0.01
    written_at: dict[bytes, float] = field(default_factory=dict)
    tries: int = 0
    probes: int = 0
    first_healthy_at: float | None = None

    async def identify(self) -> Identity | Refusal:
        self.tries += 1
        return AWAY if self.away else Identity("memory", "1")

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        assert precision == "us"
        if self.away:
            return AWAY
        await asyncio.sleep(self.request_s)
        now = asyncio.get_running_loop().time()
        for line in lines.split(b"\n"):
            self.written_at.setdefault(line, now)
        return None

    async def healthy(self) -> bool:
        self.probes += 1
        if not self.away and self.first_healthy_at is None:
            self.first_healthy_at = asyncio.get_running_loop().time()
        return not self.away

    async def epoch(self) -> str | Refusal:
        return AWAY if self.away else "1"

    async def close(self) -> None:
        """Nothing is open."""


class Home:
    """A queue that fills, a database, and a writer between them."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.loop = asyncio.get_running_loop()
        self.database = database
        self.queue = ShortQueue()
        self.accepted_at: dict[bytes, float] = {}
        self.writer = Writer(self.queue, database, lines_per_second=CAP, clock=self.loop.time)
        self._ids = count(1)
        self._task = asyncio.create_task(self.writer.run(), name="writer")

    def put(self, lines: int, *, accepted_us: int = 1) -> None:
        """Accept a row; its first line is known by its number."""
        number = next(self._ids)
        first = b"m f=1.0 %d" % number
        self.accepted_at[first] = self.loop.time()
        body = b"\n".join([first, *[b"n f=1.0 1"] * (lines - 1)])
        self.queue.put(row(number, body, accepted_us=accepted_us))

    async def put_every(self, seconds: float, lines: int, *, times: int) -> None:
        for _ in range(times):
            self.put(lines)
            await asyncio.sleep(seconds)

    def waits(self, *, since: float) -> list[float]:
        """Return how long each row of after ``since`` took from its acceptance to its acknowledgement."""
        return [
            self.database.written_at[line] - accepted
            for line, accepted in self.accepted_at.items()
            if accepted >= since
        ]

    async def stop(self) -> None:
        await self.queue.emptied.wait()
        assert set(self.accepted_at) <= set(self.database.written_at)
        await self.cancel()

    async def cancel(self) -> None:
        assert not self._task.done()
        self._task.cancel()
        await asyncio.wait([self._task])


def test_after_a_day_away_everything_is_written_and_what_is_fresh_goes_first() -> None:
    async def main() -> None:
        database = MemoryDatabase(away=True)
        home = Home(database)
        await home.put_every(60, 3_000, times=24 * 60)  # 50 a second
        assert home.writer.report().state == "unreachable"
        assert 24 * 60 <= database.tries <= 24 * 60 * 4  # every 30 s on average
        assert database.probes <= 24 * 1_800  # every 2 s
        database.away = False
        back_at = home.loop.time()
        await home.put_every(1, 50, times=300)
        await home.stop()
        assert database.first_healthy_at is not None
        assert database.first_healthy_at - back_at <= 2
        assert max(home.waits(since=database.first_healthy_at)) < 1
        drained_s = max(database.written_at.values()) - back_at
        assert 24 * 60 * 3_000 / CAP <= drained_s <= 305

    run(main())


def test_fresh_rows_wait_less_than_a_second_while_a_backlog_drains() -> None:
    async def main() -> None:
        database = MemoryDatabase(away=True)
        home = Home(database)
        for _ in range(200):
            home.put(5_000)
        await asyncio.sleep(10)
        database.away = False
        await asyncio.sleep(5)
        now = home.loop.time()
        assert home.writer.report().catching_up
        await home.put_every(1, 50, times=30)
        assert home.writer.report().catching_up
        assert max(home.waits(since=now)) < 1
        await home.stop()
        assert not home.writer.report().catching_up

    run(main())


def test_the_backlog_gets_half_though_more_comes_than_the_cap_lets_through() -> None:
    async def main() -> None:
        database = MemoryDatabase(away=True)
        home = Home(database)
        for _ in range(100):
            home.put(5_000)
        await asyncio.sleep(10)
        database.away = False
        flood = asyncio.create_task(home.put_every(0.1, 3_000, times=500))  # 1.5 times the cap
        await asyncio.sleep(10)
        began, queued = home.loop.time(), backlog(home)
        await asyncio.sleep(20)
        per_second = (queued - backlog(home)) / (home.loop.time() - began)
        assert 0.4 * CAP <= per_second <= 0.6 * CAP
        await flood
        await home.stop()

    def backlog(home: Home) -> int:
        return sum(one.count for one in home.queue.rows.values() if one.id <= 100)

    run(main())


def test_the_backlog_gets_everything_while_nothing_fresh_comes() -> None:
    async def main() -> None:
        database = MemoryDatabase(away=True)
        home = Home(database)
        for _ in range(100):
            home.put(5_000)
        await asyncio.sleep(10)
        database.away = False
        back_at = home.loop.time()
        await home.stop()
        assert home.loop.time() - back_at <= 500_000 / CAP * 1.2 + 5

    run(main())


def test_a_database_of_one_request_a_second_still_writes_fresh_rows_in_time() -> None:
    async def main() -> None:
        database = MemoryDatabase(away=True, request_s=1)
        home = Home(database)
        for _ in range(100):
            home.put(5_000)
        await asyncio.sleep(10)
        database.away = False
        await asyncio.sleep(5)
        now = home.loop.time()
        await home.put_every(1, 50, times=30)
        await asyncio.sleep(5)
        assert max(home.waits(since=now)) <= 4
        assert home.writer.report().catching_up
        await home.stop()

    run(main())


@pytest.mark.parametrize("settling_s", [0, 15])
def test_a_live_line_waits_for_nothing(settling_s: float) -> None:
    async def main() -> None:
        home = Home(MemoryDatabase(settling_s=settling_s))
        await asyncio.sleep(1)
        now = home.loop.time()
        await home.put_every(1, 50, times=60)
        assert max(home.waits(since=now)) <= home.database.request_s * 1.01
        await home.stop()

    run(main())


def test_fresh_rows_need_not_wait_until_a_backlog_of_small_rows_has_settled() -> None:
    async def main() -> None:
        database = MemoryDatabase(away=True, settling_s=15)
        home = Home(database)
        for _ in range(30_000):  # more than may settle at once
            home.put(1)
        await asyncio.sleep(10)
        database.away = False
        await asyncio.sleep(5)
        now = home.loop.time()
        await home.put_every(1, 5, times=10)
        assert max(home.waits(since=now)) < 1
        await home.stop()

    run(main())


def test_the_clock_that_is_not_set_yet_drops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0]
    now_us = time.time_ns() // 1_000
    monkeypatch.setattr(time, "time_ns", lambda: clock[0])

    async def main() -> None:
        home = Home(MemoryDatabase(kept=Kept(past=timedelta(days=3_650), future=timedelta(days=2))))
        home.queue.put(row(1, b"m f=1.0 %d" % now_us, accepted_us=now_us))
        await asyncio.sleep(60)
        report = home.writer.report()
        assert (report.state, report.category) == ("misconfigured", Category.CONFIGURATION)
        assert "days behind" in (report.error or "")
        clock[0] = now_us * 1_000
        await home.queue.emptied.wait()
        assert [(result.written, dict(result.dropped)) for result in home.queue.settled] == [(1, {})]
        assert home.writer.report().state == "ok"
        await home.cancel()

    run(main())


def test_a_clock_that_was_ahead_and_is_right_again_stops_nothing_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now_us = time.time_ns() // 1_000
    ahead_us = now_us + timedelta(days=8_000) // timedelta(microseconds=1)
    monkeypatch.setattr(time, "time_ns", lambda: now_us * 1_000)

    def rows() -> list[Row]:
        ahead = [row(number, b"m f=1.0 %d" % ahead_us, accepted_us=ahead_us) for number in (1, 2)]
        return [*ahead, row(3, b"m f=1.0 %d" % now_us, accepted_us=now_us)]

    async def main() -> None:
        home = Home(MemoryDatabase(kept=Kept(future=timedelta(days=2))))
        for one in rows():
            home.queue.put(one)
        began = home.loop.time()
        await home.queue.emptied.wait()
        assert home.loop.time() - began <= 660  # ten minutes, and not for every row
        fates = [(result.row_id, result.written, dict(result.dropped)) for result in home.queue.settled]
        assert sorted(fates) == [(1, 0, {NEW: 1}), (2, 0, {NEW: 1}), (3, 1, {})]
        await home.cancel()

    run(main())


def test_a_setting_that_is_mended_is_noticed_within_a_minute() -> None:
    async def main() -> None:
        database = MemoryDatabase()
        home = Home(database)
        await asyncio.sleep(1)
        refused: Callable[..., object] = _asks_for_a_token
        taken, database.write = database.write, refused  # type: ignore[method-assign,assignment]
        home.put(5)
        await asyncio.sleep(HOUR)
        assert home.writer.report().state == "misconfigured"
        database.write = taken  # type: ignore[method-assign]
        mended_at = home.loop.time()
        await home.stop()
        assert home.loop.time() - mended_at <= 61

    run(main())


async def _asks_for_a_token(_: bytes, *, precision: str) -> Refusal:
    assert precision
    return Refusal(action=Action.HOLD, category=Category.AUTH, reason="401: no", status=401)
